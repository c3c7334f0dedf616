"""The chart of the page of results, as SVG without a library: CPU time of one answer, by bars.

One group for each kind of query, a bar for each server, the floor as a line through the group. Bars
longer than the scale are cut and say their number. Readable in light and dark: the colours follow
`prefers-color-scheme`, on a ground of its own.
"""

from html import escape
from math import ceil
from statistics import median

Rows = dict[str, dict[str, list[list[float]]]]  # words: server: (microseconds, rate) of each turn

LABELS = {
    "gtmdns": "gtmdns", "gtmdns-pure": "gtmdns, pure", "gdnsd": "gdnsd", "nsd": "NSD",
    "knot": "Knot", "bind": "BIND", "powerdns": "PowerDNS",
}  # fmt: skip
COLUMNS = 2
SHOWN = 0.95  # of all bars are within the scale
WIDTH, MARGIN, TOP = 960, 20, 74
NAMES, NUMBERS = 92, 46  # widths of what stands left and right of the bars
BAR, GAP, HEAD, FOOT = 11, 3, 22, 18
# No variables of CSS: not every viewer of SVG knows them.
LIGHT = {
    "text": "#1f2328", "faint": "#59636e", "ground": "#ffffff", "grid": "#d9dee3", "bar": "#a9b4c0",
    "number": "#ffffff", "gtmdns": "#0a7a5c", "gtmdns-pure": "#7cc4ae", "floor": "#b3261e",
    "spread": "#1f2328",
}  # fmt: skip
DARK = {
    "text": "#e6edf3", "faint": "#9198a1", "ground": "#0d1117", "grid": "#30363d", "bar": "#58636f",
    "number": "#0d1117", "gtmdns": "#35c796", "gtmdns-pure": "#1f6f57", "floor": "#ff8a80",
    "spread": "#e6edf3",
}  # fmt: skip
STROKES = ("grid", "floor", "number", "spread")
FONTS = """
  text { font: 11px system-ui, "DejaVu Sans", sans-serif; }
  .title { font-size: 16px; font-weight: 600; } .group { font-weight: 600; }
  .tick { font-size: 9px; text-anchor: middle; } .end { text-anchor: end; }
  .floor { stroke-width: 1.5; stroke-dasharray: 4 2; }
  .number { paint-order: stroke; stroke-width: 3; stroke-linejoin: round; }
"""


def draw(rows: Rows) -> str:
    """Return the chart; with no rows it says so."""
    groups = list(rows.items())
    servers = [name for name in LABELS if any(name in by for _, by in groups)]
    height_of_group = HEAD + len(servers) * (BAR + GAP) + FOOT
    per_column = ceil(len(groups) / COLUMNS)
    height = TOP + max(1, per_column) * height_of_group + MARGIN
    scale = _scale(rows)
    parts = [_head(height, bool(groups))]
    width = (WIDTH - MARGIN) // COLUMNS - MARGIN
    for number, (words, by) in enumerate(groups):
        column, line = divmod(number, per_column)
        x, y = MARGIN + column * (width + MARGIN), TOP + line * height_of_group
        parts.append(_group(words, by, servers, x, y, width, scale))
    return "\n".join([*parts, "</svg>\n"])


def _scale(rows: Rows) -> float:
    """Return the microseconds at the right end: a multiple of 4 that most medians fit below."""
    medians = sorted(_median(by, name) for by in rows.values() for name in by if name in LABELS)
    return 4.0 * ceil(medians[int(SHOWN * (len(medians) - 1))] / 4) if medians else 4.0


def _median(by: dict[str, list[list[float]]], name: str) -> float:
    return median(cost for cost, _ in by[name])


def _head(height: int, measured: bool) -> str:
    told = "shorter is better; the thin lines are the lowest and highest turn"
    words = told if measured else "nothing was measured yet"
    x = MARGIN
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
width="{WIDTH}" height="{height}" role="img" aria-labelledby="t">
<title id="t">CPU time for one answered query, by server and kind of query</title>
<style>{_style()}</style>
<rect class="ground" width="{WIDTH}" height="{height}"/>
<text class="title" x="{x}" y="28">CPU time for one answered query, microseconds</text>
<text class="faint" x="{x}" y="48">One worker on one core; {words}.</text>
<line class="floor" x1="{WIDTH - 272}" y1="44" x2="{WIDTH - 248}" y2="44"/>
<text class="faint" x="{WIDTH - 242}" y="48">floor: an echo in C, which reads nothing</text>"""


def _style() -> str:
    return f"{FONTS}{_colours(LIGHT)}@media (prefers-color-scheme: dark) {{\n{_colours(DARK)}}}\n"


def _colours(colours: dict[str, str]) -> str:
    rules = []
    for name, colour in colours.items():
        what = "stroke" if name in STROKES else "fill"
        rules.append(f"  {'text' if name == 'text' else f'.{name}'} {{ {what}: {colour}; }}\n")
    return "".join(rules)


def _group(
    words: str,
    by: dict[str, list[list[float]]],
    servers: list[str],
    x: int,
    y: int,
    width: int,
    scale: float,
) -> str:
    left = x + NAMES
    per = (width - NAMES - NUMBERS) / scale
    bottom = y + HEAD + len(servers) * (BAR + GAP)
    parts = [f'<text class="group" x="{x}" y="{y + 12}">{escape(words)}</text>']
    for tick in range(0, int(scale) + 1, 4):
        at = left + tick * per
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{y + HEAD - 3}" x2="{at:.1f}" '
                     f'y2="{bottom}"/>')  # fmt: skip
        parts.append(f'<text class="faint tick" x="{at:.1f}" y="{bottom + 10}">{tick}</text>')
    numbers = []
    for number, name in enumerate(servers):
        *bar, words = _bar(by, name, left, y + HEAD + number * (BAR + GAP), per, scale)
        parts += bar
        numbers.append(words)
    if "floor" in by:
        at = left + min(_median(by, "floor"), scale) * per
        parts.append(f'<line class="floor" x1="{at:.1f}" y1="{y + HEAD - 4}" x2="{at:.1f}" '
                     f'y2="{bottom}"/>')  # fmt: skip
    return "\n".join([*parts, *numbers])


def _bar(
    by: dict[str, list[list[float]]],
    name: str,
    left: int,
    y: int,
    per: float,
    scale: float,
) -> list[str]:
    """Return the name, the bar, its spread, and last its number."""
    base = y + BAR - 2
    label = f'<text x="{left - 6}" y="{base}" class="end">{LABELS[name]}</text>'
    if name not in by:
        return [label, f'<text class="faint" x="{left + 4}" y="{base}">-</text>']
    cost = _median(by, name)
    costs = [min(scale, cost) for cost, _ in by[name]]
    end, middle = left + min(cost, scale) * per, y + BAR / 2
    low, high = left + min(costs) * per, left + max(costs) * per
    number = f"{cost:.1f}" if cost <= scale else f"{cost:.0f} →"
    return [
        label,
        f'<rect class="bar {name}" x="{left}" y="{y}" width="{end - left:.1f}" height="{BAR}"/>',
        f'<line class="spread" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
        f'<text class="number" x="{max(end, high) + 5:.1f}" y="{base}">{number}</text>',
    ]
