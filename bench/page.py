"""The page of results: tables made from bench/results.json, set into prose written by hand.

In results.md a table stands between "<!-- made: NAME -->" and "<!-- end -->"; what is outside is
kept.
"""

import re
from pathlib import Path
from statistics import median
from typing import Any

from chart import draw
from load import WORKLOADS
from scale import TITLES

Results = dict[str, dict[str, Any]]
SERVERS = {
    "floor": "floor", "gdnsd": "gdnsd", "nsd": "NSD", "knot": "Knot", "bind": "BIND",
    "powerdns": "PowerDNS", "gtmdns": "gtmdns", "gtmdns-pure": "gtmdns, pure path",
}  # fmt: skip
PLACE = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_page(results: Results, folder: Path) -> list[Path]:
    """Fill the tables of the page and draw the chart; return what was written."""
    page = folder / "results.md"
    text = page.read_text() if page.exists() else "".join(map(_place, TABLES))
    page.write_text(PLACE.sub(lambda found: _filled(found, results), text))
    chart = folder / "results.svg"
    chart.write_text(draw(_peers(results)))
    return [page, chart]


def _place(name: str) -> str:
    return f"<!-- made: {name} -->\n<!-- end -->\n\n"


def _filled(found: re.Match[str], results: Results) -> str:
    lines = TABLES[found[2]](results)
    return f"{found[1]}\n" + "".join(f"{line}\n" for line in lines) + f"\n{found[3]}"


def table(titles: list[str], rows: list[list[str]], left: int = 1) -> list[str]:
    """Return a table of Markdown; all but the first columns are numbers."""
    rule = ["---"] * left + ["--:"] * (len(titles) - left)
    return [f"| {' | '.join(line)} |" for line in (titles, rule, *rows)]


# What there is, as tables


def setup(results: Results) -> list[str]:
    """When, where and with what; several values where parts were measured apart."""
    made = [found["made"] for found in results.values()]
    versions = sorted({f"{n} {v}" for m in made for n, v in m["versions"].items()}, key=str.lower)
    samples = [found for found in results.values() if "samples" in found]
    how = {f"{found['turns']} of {found['seconds']:g} s" for found in samples}
    rows = [
        ["day", _all(m["day"] for m in made)],
        ["commit", _all(m["commit"] for m in made)],
        ["machine", _all(m["machine"] for m in made)],
        ["programs", ", ".join(versions)],
        ["path of gtmdns", _all(m["path"] for m in made)],
        ["turns for each server and row", _all(how)],
    ]
    return table(["", ""], rows, left=2)


def _all(values: Any) -> str:
    return ", ".join(sorted(set(values))) or "not measured"


def _peers(results: Results) -> dict[str, dict[str, list[list[float]]]]:
    """Return the samples of each row of the table, by its words."""
    rows = {}
    for workload in WORKLOADS:
        if workload.name in results:
            rows[workload.words] = results[workload.name]["samples"][workload.name]
    return rows


def _names(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name in SERVERS if any(name in by for by in rows.values())]


def _cost(by: dict[str, list[list[float]]], name: str) -> float | None:
    return median(cost for cost, _ in by[name]) if name in by else None


def peers(results: Results) -> list[str]:
    rows = _peers(results)
    names = _names(rows)
    lines = [[words, *(_cell(by, name) for name in names)] for words, by in rows.items()]
    return table(["queries", *(SERVERS[name] for name in names)], lines)


def _cell(by: dict[str, list[list[float]]], name: str) -> str:
    if name not in by:
        return ""
    costs, rates = zip(*by[name], strict=True)
    spread = f" ({min(costs):.1f} to {max(costs):.1f})" if len(costs) > 1 else ""
    return f"**{median(costs):.2f}**{spread}<br>{median(rates) / 1e3:.0f} k/s"


def ratios(results: Results) -> list[str]:
    """Medians of gtmdns by those of others."""
    pairs = [("gtmdns", name) for name in ("floor", "gdnsd", "nsd", "knot", "bind", "powerdns")]
    pairs += [("gtmdns-pure", "gdnsd")]
    lines = []
    for words, by in _peers(results).items():
        cells = []
        for ours, other in pairs:
            mine, its = _cost(by, ours), _cost(by, other)
            cells.append(f"{mine / its:.2f}" if mine and its else "")
        lines.append([words, *cells])
    return table(
        ["gtmdns by", *(SERVERS[other] for _, other in pairs[:-1]), "pure path by gdnsd"], lines
    )


def notes(results: Results) -> list[str]:
    """What differs in what the servers answer, as they were asked before the measurements."""
    found: dict[str, dict[str, Any]] = {}
    for part in results.values():
        found |= part.get("traits", {})
    words = {
        "given": "gives a cookie to a client that has none",
        "BADCOOKIE": "refuses a client that has none (BADCOOKIE)",
        "none": "none",
    }
    rows = [
        [SERVERS[name], words.get(traits["cookie"], traits["cookie"]),
         "decides" if traits["subnet"] else "is ignored", str(traits["octets"])]
        for name, traits in found.items()
    ]  # fmt: skip
    return table(["", "cookies", "client subnet", "octets of a static A, EDNS"], rows, left=3)


def latency(results: Results) -> list[str]:
    return _latency(results.get("latency"))


def latency_loaded(results: Results) -> list[str]:
    return _latency(results.get("latency-loaded"))


def _latency(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return ["Not measured."]
    rows = [
        [words, _spaced(got["sent"]), str(got["lost"]),
         *(f"{got[key]:.2f}" for key in ("p50", "p99", "p999", "most"))]
        for words, got in found["rows"].items()
    ]  # fmt: skip
    titles = ["", "queries", "lost", "p50", "p99", "p99.9", "longest"]
    return [
        f"Milliseconds at {_spaced(found['rate'])} queries per second.",
        *(f"{words}: {value}." for words, value in found.get("also", {}).items()),
        "",
        *table(titles, rows),
    ]


def scale(results: Results) -> list[str]:
    found = results.get("scale")
    if not found:
        return ["Not measured."]
    keys = [key for key in TITLES if any(key in row for row in found["rows"])]
    rows = []
    for row in found["rows"]:
        cells = ["" if key not in row else _number(row[key]) for key in keys]
        rows.append([f"{_spaced(row['names'])} {row['kind']}", *cells])
    return table(["names", *(TITLES[key] for key in keys)], rows)


def _number(value: float) -> str:
    return _spaced(value) if value > 99 else f"{value:.2f}"


def _spaced(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def respond(results: Results) -> list[str]:
    found = results.get("respond")
    if not found:
        return ["Not measured."]
    rows = [[words, f"{miss:.2f}", f"{hit:.2f}"] for words, (miss, hit) in found["rows"].items()]
    return table(["microseconds for one answer", "`respond`", "with the cache"], rows)


TABLES = {
    "setup": setup, "peers": peers, "ratios": ratios, "notes": notes, "latency": latency,
    "latency_loaded": latency_loaded, "scale": scale, "respond": respond,
}  # fmt: skip
