"""Accuracy against cost, the INT8 and the float file of each network, as an SVG that stands by itself.

The grey line is the front: files that no other one beats in both.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from onenet.metrics.axis import LogAxis
from onenet.study.comparison_table import keeps_float_sizes, points

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 56.0, 600.0, 44.0, 346.0
OURS, PAPERS, OTHERS = "#d55e00", "#0072b2", "#555555"
COSTS = {"ms": "milliseconds for 256x256", "megabytes": "MB of the file"}
_LINE, _LETTER = 13, 6.8  # height of a line of text, width of a letter

Place = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A file of a network in the picture: its cost, and the mean and standard deviation of its score over the seeds."""

    name: str
    precision: str
    cost: float
    score: float
    spread: float = 0.0

    @property
    def colour(self) -> str:
        return OURS if self.name.startswith("onenet-x") else PAPERS if self.name.startswith("onenet") else OTHERS


def draw_front(result: Mapping[str, Any], of_set: str, cost: str) -> str:
    """Mean IoU on a set against "ms" or "megabytes", which is a logarithmic axis; both files of each network, joined.

    Args:
        result: of `onenet.study.comparison.run_comparison`; files without the cost or the set are left out.

    Raises:
        ValueError: that leaves none.
    """
    shown = []
    for one in points(result):
        value, scores = getattr(one, cost), one.scores.get(of_set)
        if value is not None and scores:
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            shown.append(Mark(one.model, one.precision, value, statistics.mean(scores), spread))
    if not shown:
        raise ValueError(f"no network has {COSTS[cost]} and a score on {of_set}")
    across = LogAxis(min(p.cost for p in shown) / 1.3, max(p.cost for p in shown) * 1.5, LEFT, RIGHT)
    up = _ScoreAxis(min(p.score - p.spread for p in shown), max(p.score + p.spread for p in shown))
    below = COSTS[cost] if cost == "ms" or keeps_float_sizes(result) else f"{COSTS[cost]}, in float 4 bytes a parameter"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-weight="bold">{escape(of_set)}: mean IoU on the {result["split"]} images</text>',
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{below}</text>',
        *_legend(),
    ]
    for value in up.ticks():
        y = up.place(value)
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
    for value in across.powers():
        parts.append(f'<text x="{across.place(value)}" y="{BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    best = [(across.place(p.cost), up.place(p.score)) for p in front(shown)]
    line = " ".join(f"{x},{y}" for x, y in best)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#bbb" stroke-width="2"/>')
    places = [(across.place(p.cost), up.place(p.score)) for p in shown]
    files: dict[str, list[Place]] = {}
    for point, place in zip(shown, places, strict=True):
        files.setdefault(point.name, []).append(place)
    colours = {point.name: point.colour for point in shown}
    for name, ends in files.items():
        (x, y), (to_x, to_y) = ends[0], ends[-1]
        parts.append(f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colours[name]}" stroke-width="0.7"/>')
    for point, (x, y) in zip(shown, places, strict=True):
        if point.spread:
            low, high = up.place(point.score - point.spread), up.place(point.score + point.spread)
            parts.append(f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}" stroke="{point.colour}"/>')
        parts.append(_mark(x, y, point.colour, point.precision))
    for name, (x, y) in _labels(files, best).items():
        halo = 'paint-order="stroke" stroke="white" stroke-width="3"'  # where a name crosses the front
        parts.append(f'<text {halo} x="{x:.1f}" y="{y:.1f}" fill="{colours[name]}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _mark(x: float, y: float, colour: str, precision: str) -> str:
    """Filled for INT8, open for float."""
    fill = "white" if precision == "float" else colour
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'


def _legend() -> list[str]:
    """In the upper right corner, above the scores."""
    return [
        _mark(RIGHT - 152, 18.0, OTHERS, "int8"), f'<text x="{RIGHT - 143}" y="22">INT8</text>',
        _mark(RIGHT - 101, 18.0, OTHERS, "float"), f'<text x="{RIGHT - 92}" y="22">float</text>',
        f'<line x1="{RIGHT - 52}" x2="{RIGHT - 34}" y1="18" y2="18" stroke="#bbb" stroke-width="2"/>',
        f'<text x="{RIGHT - 29}" y="22">front</text>',
    ]  # fmt: skip


def front(shown: Sequence[Mark]) -> list[Mark]:
    """Those that no cheaper or equally cheap one beats, the cheapest first."""
    best: list[Mark] = []
    for point in sorted(shown, key=lambda one: (one.cost, -one.score)):
        if not best or point.score > best[-1].score:
            best.append(point)
    return best


def _labels(files: Mapping[str, Sequence[Place]], best: Sequence[Place]) -> dict[str, Place]:
    """Where each name begins: beside one of its marks, below or above it, where the least stands already."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for places in files.values() for x, y in places]
    drawn = [(places[0], places[-1]) for places in files.values()] + list(pairwise(best))
    lines = [box for start, end in drawn for box in _steps(start, end)]
    labels: dict[str, Place] = {}
    for name, places in files.items():
        wide = _LETTER * len(name)
        tries = [
            one
            for away in (0, _LINE + 2, 2 * _LINE + 4)  # lines of text between a mark and its name, where it is crowded
            for x, y in places
            for one in (
                *(((x + 9, y + 4), (x - wide - 9, y + 4)) if not away else ()),
                (x - wide / 2, y + 19 + away), (x - wide / 2, y - 9 - away),
            )
        ]  # fmt: skip
        inside = [one for one in tries if _is_inside(one, wide)] or tries
        met = [[sum(_meet(_box(one, wide), other) for other in those) for those in (taken, lines)] for one in inside]
        labels[name] = inside[met.index(min(met))]
        taken.append(_box(labels[name], wide))
    return labels


def _is_inside(label: Place, wide: float) -> bool:
    """Whether a name is clear of both axes and of the picture's right edge."""
    x, y = label
    return x >= LEFT + 2 and x + wide <= WIDTH and y <= BOTTOM - 4


def _steps(start: Place, end: Place) -> Iterator[tuple[float, float, float, float]]:
    """A line as small boxes, one for each step of a letter's width."""
    count = math.ceil(math.dist(start, end) / _LETTER)
    for step in range(1, count):
        x, y = (a + (b - a) * step / count for a, b in zip(start, end, strict=True))
        yield x - 1, y - 1, x + 1, y + 1


def _box(label: Place, wide: float) -> tuple[float, float, float, float]:
    return label[0], label[1] - _LINE + 2, label[0] + wide, label[1] + 2


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class _ScoreAxis:
    """From a twentieth below the lowest score to one above the highest."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.floor(low * 20) / 20, math.ceil(high * 20) / 20
        self._high += 0.05 * (self._high == self._low)

    def place(self, score: float) -> float:
        return round(BOTTOM - (score - self._low) / (self._high - self._low) * (BOTTOM - TOP), 1)

    def ticks(self) -> list[float]:
        return [self._low + 0.05 * step for step in range(round((self._high - self._low) / 0.05) + 1)]
