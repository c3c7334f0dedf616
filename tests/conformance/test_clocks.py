"""The time of day jumps, and processes are suspended: nobody outside notices."""

from pathlib import Path

import pytest

from tests.conformance.clocks import LIBRARY, keep_time


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_time_is_kept(tmp_path: Path) -> None:
    print(keep_time(tmp_path, jumps=["a day ahead", "1970"], suspended=1))
