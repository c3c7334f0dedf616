"""The reference pages name every key and every metric that there is."""

import json
import re
from pathlib import Path

import pytest

from gtmdns.config.model import Strict
from gtmdns.config.records import KNOWN_KEYS
from gtmdns.config.rrtypes import REFUSED, RR_TYPES
from gtmdns.config.words import MODELS
from tests.control.test_metrics import DOCUMENTED

DOCS = Path(__file__).parents[2] / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text()
OBSOLETE = ("SIG", "NXT")  # RFC 3755; nobody looks for them
HTTP = (DOCS / "http.md").read_text()


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.__name__)
def test_every_key_is_described(model: type[Strict]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]

    assert [
        key for key in keys if not re.search(rf"`(\w+\.)?{key}`|^## {key}$", CONFIGURATION, re.M)
    ] == []


def test_keys_of_records() -> None:
    row = next(line for line in CONFIGURATION.splitlines() if line.startswith("| an RR type"))
    assert set(re.findall(r"`(\w+)`", row.split("|")[1])) <= set(RR_TYPES)
    refused = [word for word in REFUSED if word not in OBSOLETE]
    assert [word for word in (*refused, "SOA", "ANY") if f"`{word}`" not in CONFIGURATION] == []
    ours = [key for key in KNOWN_KEYS if key not in RR_TYPES]
    assert [key for key in ours if not re.search(rf"^\| `{key}[`.]", CONFIGURATION, re.M)] == []


def test_metrics_are_those_there_are() -> None:
    rows = re.findall(r"^\| `(gtmdns_\w+)` \| (\w+) \| (.*?) \|", HTTP, re.M)
    told = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}

    assert told == DOCUMENTED


@pytest.mark.parametrize("text", re.findall(r"^```json\n(.*?)^```", HTTP, re.S | re.M))
def test_examples_are_json(text: str) -> None:
    assert json.loads(text)
