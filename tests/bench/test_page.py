"""The page of results and its chart are made from results.json; the prose between is kept."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench"
SVG = "{http://www.w3.org/2000/svg}"
MADE = {
    "day": "2026-11-22",
    "commit": "abc1234",
    "machine": "two cores",
    "versions": {"gdnsd": "3.8.1"},
    "path": "compiled",
}
TRAITS = {"cookie": "BADCOOKIE", "subnet": True, "octets": 61}
SAMPLES = {
    "floor": [[4.0, 170e3], [4.2, 160e3], [4.1, 150e3]],
    "gdnsd": [[5.0, 155e3], [5.5, 150e3], [4.5, 160e3]],
    "powerdns": [[500.0, 2e3]],
    "gtmdns": [[4.4, 165e3], [4.5, 164e3], [4.6, 163e3]],
    "gtmdns-pure": [[9.0, 100e3]],
}
STATIC = {"made": MADE, "turns": 3, "seconds": 1.5, "samples": {"static": SAMPLES}}
LATENCY = {
    "made": MADE,
    "rate": 2000.0,
    "also": {"Reload": "16.5 s"},
    "rows": {"at rest": {"sent": 1, "lost": 0, "p50": 0.2, "p99": 3.5, "p999": 9, "most": 11}},
}
PAGE = """# Results

By hand.

<!-- made: peers -->
| an old table |
<!-- end -->

Between.

<!-- made: ratios -->
<!-- end -->
"""


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    paths = os.pathsep.join(map(str, (ROOT, BENCH)))
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | {"PYTHONPATH": paths},
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def written(folder: Path, results: object, page: str | None = None) -> tuple[str, str]:
    """Return the page and the chart that are made of `results`."""
    (folder / "results.json").write_text(json.dumps(results))
    if page is not None:
        (folder / "results.md").write_text(page)
    done = run("bench/run.py", "--parts", "--into", str(folder))
    assert done.returncode == 0, done.stderr
    return (folder / "results.md").read_text(), (folder / "results.svg").read_text()


def test_tables_are_filled_and_prose_is_kept(tmp_path: Path) -> None:
    page, _ = written(tmp_path, {"static": STATIC}, PAGE)

    assert page.startswith("# Results\n\nBy hand.\n\n<!-- made: peers -->\n\n| queries | floor |")
    assert "old table" not in page
    assert "| **5.00** (4.5 to 5.5)<br>155 k/s |" in page
    assert "\n<!-- end -->\n\nBetween.\n\n<!-- made: ratios -->\n" in page
    assert "| static A | 1.10 | 0.90 | 0.01 | 1.80 |" in page.replace("  |", "").replace("||", "|")
    assert written(tmp_path, {"static": STATIC}, page)[0] == page


def test_every_part_has_a_place(tmp_path: Path) -> None:
    results = {
        "static": STATIC | {"traits": {"knot": TRAITS}},
        "latency": LATENCY,
        "scale": {"made": MADE, "rows": [{"kind": "static", "names": 100, "respond": 5.0}]},
        "respond": {"made": MADE, "rows": {"by weight": [5.0, 1.0]}},
    }

    page, _ = written(tmp_path, results)

    assert "| commit | abc1234 |" in page
    assert "| Knot | refuses a client that has none (BADCOOKIE) | decides | 61 |" in page
    assert "| at rest | 1 | 0 | 0.20 | 3.50 | 9.00 | 11.00 |" in page
    assert "Reload: 16.5 s." in page
    assert "| 100 static | 5.00 |" in page
    assert "| by weight | 5.00 | 1.00 |" in page


def test_nothing_measured_is_told(tmp_path: Path) -> None:
    page, chart = written(tmp_path, {})

    assert "Not measured." in page
    assert "nothing was measured yet" in chart


def test_chart(tmp_path: Path) -> None:
    _, chart = written(tmp_path, {"static": STATIC})

    tree = ElementTree.fromstring(chart)
    words = [text.text for text in tree.iter(f"{SVG}text")]
    bars = {
        bar.get("class"): float(bar.get("width", "0"))
        for bar in tree.iter(f"{SVG}rect")
        if bar.get("class", "").startswith("bar")
    }
    assert {"static A", "gtmdns", "gdnsd", "4.5", "500 →"} <= set(words)
    assert bars["bar gtmdns-pure"] == pytest.approx(2 * bars["bar gtmdns"], rel=0.01)
    assert bars["bar powerdns"] == max(bars.values())
    assert "prefers-color-scheme: dark" in chart


def test_the_page_is_what_the_results_say(tmp_path: Path) -> None:
    results = json.loads((BENCH / "results.json").read_text())
    here = (BENCH / "results.md").read_text()

    page, chart = written(tmp_path, results, here)

    assert page == here
    assert chart == (BENCH / "results.svg").read_text()


def test_a_server_that_answers_otherwise_is_refused() -> None:
    script = """
import os, socket, threading
from agreement import Disagreement, traits
from servers import Running

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", 0))

    def refuse():
        packet, peer = sock.recvfrom(512)
        sock.sendto(packet[:2] + bytes([0x80, 5]) + packet[4:], peer)

    threading.Thread(target=refuse, daemon=True).start()
    try:
        traits(Running("wrong", sock.getsockname()[1], os.getpid()))
    except Disagreement as error:
        print(error)
"""
    done = run("-c", script)

    assert done.stdout.startswith("wrong answers n5 A otherwise"), done
