"""Accuracy against cost, one point per network, as an SVG that stands by itself.

The grey line is the front: networks that no other one beats in both.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from onenet.metrics.axis import LogAxis
from onenet.study.comparison_table import points

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 56.0, 600.0, 44.0, 346.0
OURS, PAPERS, OTHERS = "#d55e00", "#0072b2", "#555555"
COSTS = {"ms": "milliseconds for 256x256, the quicker one of INT8 and float", "megabytes": "INT8 file, MB"}
_LINE, _LETTER = 13, 6.4  # height of a line of text, width of a letter


@dataclass(frozen=True)
class Mark:
    """A network in the picture: its cost, and the mean and standard deviation of its score over the seeds."""

    name: str
    cost: float
    score: float
    spread: float

    @property
    def colour(self) -> str:
        return OURS if self.name.startswith("onenet-x") else PAPERS if self.name.startswith("onenet") else OTHERS


def draw_front(result: Mapping[str, Any], of_set: str, cost: str) -> str:
    """Mean IoU on a set against "ms" or "megabytes", which is a logarithmic axis; each network as its quicker file.

    Args:
        result: of `onenet.study.comparison.run_comparison`; networks without the cost or the set are left out.

    Raises:
        ValueError: that leaves none.
    """
    shown = []
    for one in points(result):
        value, scores = getattr(one, cost), one.scores.get(of_set)
        if value is not None and scores:
            name = f"{one.model} (float)" if one.precision == "float" and cost == "ms" else one.model
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            shown.append(Mark(name, value, statistics.mean(scores), spread))
    if not shown:
        raise ValueError(f"no network has {COSTS[cost]} and a score on {of_set}")
    across = LogAxis(min(p.cost for p in shown) / 1.3, max(p.cost for p in shown) * 1.5, LEFT, RIGHT)
    up = _ScoreAxis(min(p.score - p.spread for p in shown), max(p.score + p.spread for p in shown))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-weight="bold">{escape(of_set)}: mean IoU on the {result["split"]} images</text>',
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{COSTS[cost]}</text>',
    ]
    for value in up.ticks():
        y = up.place(value)
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
    for value in across.powers():
        parts.append(f'<text x="{across.place(value)}" y="{BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    line = " ".join(f"{across.place(p.cost)},{up.place(p.score)}" for p in front(shown))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#bbb" stroke-width="2"/>')
    places = [(across.place(p.cost), up.place(p.score)) for p in shown]
    for point, (x, y), label in zip(shown, places, _labels(shown, places), strict=True):
        if point.spread:
            ends = up.place(point.score - point.spread), up.place(point.score + point.spread)
            parts.append(f'<line x1="{x}" x2="{x}" y1="{ends[0]}" y2="{ends[1]}" stroke="{point.colour}"/>')
        parts.append(f'<circle cx="{x}" cy="{y}" r="4.5" fill="{point.colour}"/>')
        halo = 'paint-order="stroke" stroke="white" stroke-width="3"'  # where a name crosses the front
        place = f'x="{label[0]:.1f}" y="{label[1]:.1f}"'
        parts.append(f'<text {halo} {place} fill="{point.colour}">{escape(point.name)}</text>')
    return "".join([*parts, "</svg>"])


def front(shown: Sequence[Mark]) -> list[Mark]:
    """Those that no cheaper or equally cheap one beats, the cheapest first."""
    best: list[Mark] = []
    for point in sorted(shown, key=lambda one: (one.cost, -one.score)):
        if not best or point.score > best[-1].score:
            best.append(point)
    return best


def _labels(shown: Sequence[Mark], places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where each name begins: beside its point, and where something stands there already below, above or left of it."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    labels = []
    for point, (x, y) in zip(shown, places, strict=True):
        wide = _LETTER * len(point.name)
        tries = [(x + 9, y + 4), (x - wide / 2, y + 19), (x - wide / 2, y - 9), (x - wide - 9, y + 4)]
        inside = [one for one in tries if one[0] >= LEFT and one[0] + wide <= WIDTH]
        free = [one for one in inside if not any(_meet(_box(one, wide), other) for other in taken)]
        label = (free or inside or tries)[0]
        taken.append(_box(label, wide))
        labels.append(label)
    return labels


def _box(label: tuple[float, float], wide: float) -> tuple[float, float, float, float]:
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
