"""Failed assertions of the scenes say what was compared, as those of the tests do."""

import pytest

for module in (
    "clocks", "deaths", "following", "probing", "reloading", "server", "shares", "storming",
    "weighing",
):  # fmt: skip
    pytest.register_assert_rewrite(f"tests.conformance.{module}")
