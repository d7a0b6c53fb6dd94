"""Curves of a training run as inline SVG: axes, ticks, a legend and one line per figure, coloured by the page's style.

The colours are the page's own (`--first`, `--second`, `--ink` ...), so that one drawing serves light and dark mode.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 448, 34, 238  # the frame within which the lines are drawn
LETTER, MOST_LETTERS = 6.6, 28  # of a name in the legend: SVG cannot flow text, so its width is estimated

Point = tuple[float, float]
Log = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Line:
    """One figure over the epochs; holds only the points that are numbers."""

    label: str
    points: tuple[Point, ...]

    @property
    def best(self) -> Point:
        """The first of the highest points."""
        return max(self.points, key=lambda point: point[1])


def read_line(label: str, log: Log, key: str) -> Line:
    """The column `key` of a log; epochs in which it was not measured, or is not finite, are skipped."""
    pairs = ((row.get("epoch", math.nan), row.get(key, math.nan)) for row in log)
    return Line(label, tuple((float(x), float(y)) for x, y in pairs if math.isfinite(x) and math.isfinite(y)))


def tick_values(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """About `count` round numbers (steps of 1, 2 or 5) that lie in low..high; whole ones where asked for."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    step = max(1.0, step) if whole else step
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def draw_log(log: Log, background: str | None) -> str:
    """The losses in one figure and the validation scores in another, captions included; empty for an empty log.

    Args:
        log: one row per epoch, with `epoch` and the figures by name.
        background: the name of the background class; None where there is none, and then one score says it all.
    """
    losses = [
        read_line("training loss", log, "train_loss"),
        read_line("validation cross-entropy", log, "val_cross_entropy"),
    ]
    everything = read_line("all classes", log, "val_mean_iou")
    scores = [everything]
    if background is not None:  # the score by which the weights were chosen comes first
        scores = [read_line(f"without {background}", log, "val_foreground_iou"), everything]
    figures = [
        (draw(losses, "loss"), "Lower is better. Where validation rises while training still falls, the model learns "
         "its images by heart."),
        (draw(scores, "mean IoU, validation", top=1.0, mark=scores[0]), "Higher is better; 1 is a perfect mask."),
    ]  # fmt: skip
    drawn = "".join(f"<figure>{plot}<figcaption>{note}</figcaption></figure>" for plot, note in figures if plot)
    return f'<div class="curves">{drawn}</div>' if drawn else ""


def draw(lines: Sequence[Line], label: str, top: float | None = None, mark: Line | None = None) -> str:
    """An SVG of the lines over the epochs; empty where no line has a point.

    Args:
        lines: at most two, so that they can be told apart without colour: the second is dashed.
        label: what the vertical axis shows.
        top: the upper end of the vertical axis; left out, the data say.
        mark: a line whose highest point is marked and named.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    frame = _Frame.around([point for line in lines for point in line.points], top)
    parts = [_axes(frame, label)]
    parts += [_curve(frame, line, number) for number, line in enumerate(lines)]
    parts += [_legend(lines)]
    if mark is not None and mark.points:
        parts.append(_mark(frame, mark.best))
    spoken = escape("; ".join(_in_words(line) for line in lines))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{spoken}">{"".join(parts)}</svg>'


@dataclass(frozen=True)
class _Frame:
    """The ranges of both axes, and where a point of them is drawn."""

    first: float
    last: float
    low: float
    high: float

    @staticmethod
    def around(points: Sequence[Point], top: float | None) -> "_Frame":
        epochs, values = [x for x, _ in points], [y for _, y in points]
        first, last = min(epochs), max(epochs)
        if first == last:  # one epoch: the point stands in the middle
            first, last = first - 1, last + 1
        low = min(0.0, *values)  # from zero, so that the height of a curve can be compared with its end
        high = max(0.0, *values) if top is None else top
        if high <= low:
            high = low + 1
        if top is None:
            high = _next_tick(low, high)
        return _Frame(first, last, low, high)

    def x(self, epoch: float) -> float:
        return round(LEFT + (epoch - self.first) / (self.last - self.first) * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        return round(BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP), 1)


def _next_tick(low: float, high: float) -> float:
    ticks = tick_values(low, high, 5)
    step = ticks[1] - ticks[0]
    return math.ceil(high / step - 1e-9) * step


def _axes(frame: _Frame, label: str) -> str:
    parts = []
    for value in tick_values(frame.low, frame.high, 5):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for epoch in tick_values(frame.first, frame.last, 6, whole=True):
        x = frame.x(epoch)
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{BOTTOM}" y2="{BOTTOM + 4}"/>')
        parts.append(f'<text x="{x}" y="{BOTTOM + 18}" text-anchor="middle">{epoch:g}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
    middle = (TOP + BOTTOM) / 2
    parts.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    parts.append(f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(label)}</text>')
    return "".join(parts)


def _curve(frame: _Frame, line: Line, number: int) -> str:
    places = [(frame.x(x), frame.y(y)) for x, y in line.points]
    if len(places) == 1:  # a line of one point would not be seen
        return f'<circle class="line-{number} point" cx="{places[0][0]}" cy="{places[0][1]}" r="4"/>'
    return f'<polyline class="line-{number}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>'


def _legend(lines: Sequence[Line]) -> str:
    parts, x = [], float(LEFT)
    for number, line in enumerate(lines):
        parts.append(f'<line class="line-{number}" x1="{x:.0f}" x2="{x + 22:.0f}" y1="14" y2="14"/>')
        name = line.label if len(line.label) <= MOST_LETTERS else line.label[: MOST_LETTERS - 1] + "…"
        parts.append(f'<text class="name" x="{x + 28:.0f}" y="18">{escape(name)}</text>')
        x += 28 + len(name) * LETTER + 18
    return "".join(parts)


def _mark(frame: _Frame, best: Point) -> str:
    x, y = frame.x(best[0]), frame.y(best[1])
    anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
    below = y + 34 if y + 34 < BOTTOM else y - 12  # clear of a rising curve, which comes from below
    text = f"best {best[1]:.3f}, epoch {best[0]:g}"
    return (
        f'<circle class="mark" cx="{x}" cy="{y}" r="4.5"/>'
        f'<text class="name" x="{x}" y="{below:.1f}" text-anchor="{anchor}">{text}</text>'
    )


def _in_words(line: Line) -> str:
    (first, start), (last, end) = line.points[0], line.points[-1]
    return f"{line.label}: {start:.3f} in epoch {first:g}, {end:.3f} in epoch {last:g}"


STYLE = """
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem 2rem }
svg { display: block; width: 100%; max-width: 32rem; height: auto; font-size: 12px; font-family: inherit }
svg text { fill: var(--soft) }
svg .name { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round }
svg .grid { stroke: var(--rule) }
svg .axis { stroke: var(--soft) }
.line-0, .line-1 { fill: none; stroke: var(--first); stroke-width: 2; stroke-linejoin: round }
.line-1 { stroke: var(--second); stroke-dasharray: 6 4 }
.point { fill: var(--paper); stroke-dasharray: none }
.mark { fill: var(--paper); stroke: var(--first); stroke-width: 2.5 }
"""
