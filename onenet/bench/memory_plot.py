"""Peak memory against the number of pixels, as an SVG that stands by itself."""

import math
from collections.abc import Sequence
from html import escape

from onenet.bench.memory import Row
from onenet.metrics.axis import LogAxis

WIDTH, HEIGHT = 520, 320
LEFT, RIGHT, TOP, BOTTOM = 70.0, 500.0, 40.0, 262.0
STYLES = {"whole": ("#d55e00", ""), "tiled": ("#0072b2", "6 4")}


def draw_memory(rows: Sequence[Row], title: str) -> str:
    """An SVG with a line for each way; both axes are logarithmic."""
    pixels = [float(row.height * row.width) for row in rows]
    peaks = [row.peak_mb for row in rows]
    across = LogAxis(min(pixels), max(pixels), LEFT, RIGHT)
    up = LogAxis(2.0 ** math.floor(math.log2(min(peaks))), 2.0 ** math.ceil(math.log2(max(peaks))), BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT - 60}" y="{TOP - 8}">peak, MB</text>',
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">image, megapixels</text>',
    ]
    for value in up.powers():
        y = up.place(value)
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in sorted(set(pixels)):
        x = across.place(value)
        parts.append(f'<text x="{x}" y="{BOTTOM + 18}" text-anchor="middle">{value / 1e6:.3g}</text>')
    for number, (way, (colour, dashes)) in enumerate(STYLES.items()):
        points = sorted((float(row.height * row.width), row.peak_mb) for row in rows if row.way == way)
        places = [(across.place(x), up.place(y)) for x, y in points]
        line = " ".join(f"{x},{y}" for x, y in places)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts.append(f'<text x="{RIGHT - 110 + 60 * number}" y="{TOP - 8}" fill="{colour}">{way}</text>')
    return "".join([*parts, "</svg>"])
