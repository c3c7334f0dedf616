"""The measurements of `make bench` still run. What they measure is for people to read, not for tests."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_respond() -> None:
    rows = run("bench/respond.py", "--rounds", "1").splitlines()

    assert any(row.strip().startswith("by network, client subnet") for row in rows)


@pytest.mark.parametrize("sender", ["dnsperf", "own"])
def test_peers(sender: str) -> None:
    if sender == "dnsperf" and shutil.which("dnsperf") is None:
        pytest.skip("dnsperf is not installed (Debian package dnsperf)")
    words = [
        "--servers",
        "gtmdns",
        "--workloads",
        "weighted",
        "missing+edns",
        "--turns",
        "1",
        "--seconds",
        "0.3",
    ]

    found = json.loads(run("bench/peers.py", *words, "--sender", sender, "--json"))

    assert set(found["samples"]) == {"weighted", "missing+edns"}
    for by in found["samples"].values():
        [(cost, rate)] = by["gtmdns"]
        assert 0 < cost < 1000
        assert rate > 0
    assert found["traits"]["gtmdns"] == {"cookie": "given", "subnet": True, "octets": 61}


def test_verdicts() -> None:
    words = ["--names", "200", "--pools", "40", "--verdicts", "2", "--seconds", "0.4"]

    measured = json.loads(run("bench/verdicts.py", *words, "--sender", "own", "--json"))

    assert 0 < measured["ratio"] < 10
    assert measured["storm"]["lost"] == 0
    assert measured["storm"]["verdicts"] > 0
