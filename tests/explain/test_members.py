"""Every member of an explanation is in the reference page."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.explain.scene import EJECTED, overridden, told, witness


def keys_in(told: Any) -> set[str]:
    if isinstance(told, list):
        return set().union(*map(keys_in, told))
    if isinstance(told, dict):
        return set(told) | keys_in(list(told.values()))
    return set()


def test_every_member_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    part = page.partition("## Explain\n")[2].partition("\n## ")[0]
    seen = witness({("192.0.2.2", "slow"): EJECTED}, overridden("home", "192.0.2.1", "down"))
    known = replace(seen, resolved={"a.example.net": ("192.0.2.51",)})
    names = ("chain", "mesh", "near", "loop", "fed.z1.r", "cname", "x.sub", "no", "known", "hash")

    keys = set().union(*(keys_in(told(name, known.assuming(["f1"], ()))) for name in names))

    assert len(keys) > 60
    assert [key for key in sorted(keys) if f'"{key}"' not in part and f"`{key}`" not in part] == []
