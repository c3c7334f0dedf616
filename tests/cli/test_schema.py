"""`gtmdns schema`: JSON that an editor can use."""

import json

from gtmdns.config.schema import json_schema
from tests.cli.support import run


def test_schema() -> None:
    result = run("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()
    assert result.stdout.endswith("}\n")
