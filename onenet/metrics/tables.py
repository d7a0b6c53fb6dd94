"""The page's tables: the scores of every class, the single figures, and what is taken for what."""

import math
from collections.abc import Iterator, Mapping
from html import escape

import numpy as np

from onenet.card import Card
from onenet.metrics.report import AUTHORS_NOTE, SHORT_NAMES, Report

FEW_CLASSES, MOST_CLASSES = 6, 25  # of a confusion matrix that fits a page with decimals; that can still be read
DASH = "\u2013"


def score_text(value: float) -> str:
    """Three decimals, or a dash for what is not a number."""
    return f"{value:.3f}" if math.isfinite(value) else DASH


def share_text(share: float) -> str:
    """Per cent with one decimal."""
    return f"{100 * share:.1f}\u00a0%"


def swatch(index: int, card: Card) -> str:
    """A small square in the colour of a class; empty for the background, which is not tinted."""
    colour = "none" if index == card.background else "rgb({},{},{})".format(*card.colours[index])
    return f'<span class="swatch" style="background:{colour}"></span>'


def draw_classes(report: Report, card: Card) -> str:
    """A row per class with its scores, then the means."""
    scores, shares = report.per_class(), report.shares()
    rows = []
    for index, name in enumerate(report.classes):
        values = {score: float(found[index]) for score, found in scores.items()}
        rows.append(_class_row(f"{swatch(index, card)}{escape(name)}", share_text(shares[index]), values))
    means = [_class_row("mean", "", report.means())]
    if report.background is not None:
        means.append(_class_row(f"mean without {escape(report.classes[report.background])}", "", report.means(True)))
    heads = "".join(f'<th scope="col"{_SPAN if name == "iou" else ""}>{SHORT_NAMES[name]}</th>' for name in scores)
    notes = [_PRECISION] if report.details is None else [_PRECISION, _DETAILS]
    notes += [_DASHES] if any(np.isnan(values).any() for values in scores.values()) else []
    said = "".join(f'<p class="note">{note}</p>' for note in notes)
    return _CLASSES.format(heads=heads, rows="".join(rows), means="".join(means)) + said


def _class_row(label: str, share: str, values: Mapping[str, float]) -> str:
    cells = []
    for name, value in values.items():
        cells.append(f"<td>{score_text(value)}</td>")
        if name == "iou":
            bar = "" if math.isnan(value) else f'<span style="width:{100 * value:.1f}%"></span>'
            cells.append(f'<td class="bar" aria-hidden="true">{bar}</td>')
    return f'<tr><th scope="row">{label}</th><td>{share}</td>{"".join(cells)}</tr>'


def draw_figures(report: Report) -> str:
    """The single figures, each with what it means."""
    items = [(name, text, note) for name, text, note in _figures(report) if text != DASH]
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}<span>{note}</span></dd></div>" for name, text, note in items)
    return f'<dl class="figures">{rows}</dl>' if rows else ""


def _figures(report: Report) -> Iterator[tuple[str, str, str]]:
    figures = {name: score_text(value) for name, value in report.figures().items()}
    yield "mean IoU, all classes", figures["mean_iou"], _interval(report, "mean_iou")
    if report.background is not None:
        name = f"mean IoU without {escape(report.classes[report.background])}"
        yield name, figures["foreground_iou"], _interval(report, "foreground_iou")
    yield "pixel accuracy", figures["pixel_accuracy"], "share of the pixels whose class is right"
    if report.overlapping:
        yield "right decisions", figures["right_decisions"], "share of right answers to “is this class at this pixel?”"
        yield "binary cross-entropy", figures["binary_cross_entropy"], "mean over pixels and classes, in nats"
    yield "cross-entropy, unweighted", figures["cross_entropy"], "mean over all pixels, in nats; lower is better"
    yield "cross-entropy, weighted as trained", figures["weighted_cross_entropy"], "with the training's class weights"
    if report.details is not None:
        yield "calibration error", figures["calibration_error"], "gap between confidence and share of right pixels"


def _interval(report: Report, name: str) -> str:
    if report.details is None or name not in report.details.intervals:
        return ""
    low, high = report.details.intervals[name]
    return f"{score_text(low)} to {score_text(high)}: 95\u00a0% confidence interval over images{report.of_few()}"


def draw_authors(report: Report) -> str:
    """The figures of the paper's authors, with the sentence that says what they are not; empty without them."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{score_text(v)}</dd></div>" for name, v in report.authors.items())
    return f'<p class="note">{AUTHORS_NOTE}</p><dl class="authors">{items}</dl>' if items else ""


def draw_confusion(report: Report) -> str:
    """What the pixels of each class are taken for, in per cent."""
    names = [escape(name) for name in report.classes]
    if report.overlapping:
        return _draw_decisions(report)
    if len(names) > MOST_CLASSES:
        return f'<p class="note">Left out: {len(names)} classes are too many for a table.</p>'
    heads = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = []
    for index, name in enumerate(names):
        cells = "".join(_confusion_cell(report, index, column) for column in range(len(names)))
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return _CONFUSION.format(many=" many" if len(names) > FEW_CLASSES else "", heads=heads, rows="".join(rows))


def _confusion_cell(report: Report, row: int, column: int) -> str:
    count, total = int(report.matrix[row, column]), int(report.matrix[row].sum())
    title = f"{count:,} of {total:,} pixels of {report.classes[row]} taken for {report.classes[column]}"
    return _shaded_cell(count, total, row == column, title, 0 if len(report.classes) > FEW_CLASSES else 1)


def _shaded_cell(count: int, total: int, right: bool, title: str, decimals: int) -> str:
    if not total:
        return f'<td title="{escape(title)}">{DASH}</td>'
    share = count / total
    # The root brings out small mistakes, which are what the table is read for.
    depth, kind = (share, "right") if right else (math.sqrt(share), "wrong")
    kind = "" if not count else f"{kind} deep" if depth > 0.7 else kind
    text = f"{100 * share:.{decimals}f}"
    return f'<td class="{kind}" style="--depth:{depth:.2f}" title="{escape(title)}">{text}</td>'


def _draw_decisions(report: Report) -> str:
    """Of overlapping classes: found and missed where the class is, wrongly seen and rightly not seen elsewhere."""
    rows = []
    for name, matrix in zip(report.classes, report.matrix, strict=True):
        cells = ""
        for there, drawn in ((1, 1), (1, 0), (0, 1), (0, 0)):
            count, total = int(matrix[there, drawn]), int(matrix[there].sum())
            place = f"with {name}" if there else f"without {name}"
            title = f"{count:,} of {total:,} pixels {place} predicted {'with' if drawn else 'without'} it"
            cells += _shaded_cell(count, total, there == drawn, title, 1)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return _DECISIONS.format(rows="".join(rows))


_SPAN = ' colspan="2"'

_DASHES = (
    f"A dash ({DASH}): the score has no value for this class, because it occurs neither in the truth nor in the "
    "predictions, or in only one of them where the score needs the other; the background has no AP. The means leave "
    "it out."
)
_PRECISION = (
    "Precision: share of the pixels predicted as the class that are of it. Recall: share of the class's pixels that "
    "are found. Dice: their harmonic mean."
)
_DETAILS = (
    "Boundary F: how much of the outlines agrees within 0.75\u00a0% of the image's diagonal, mean over the images with "
    "the class. AP at IoU 0.5: average precision of the class's connected regions, each found where a predicted one "
    "overlaps it with an IoU of 0.5 or more."
)

_CLASSES = """<div class="scroll" tabindex="0" role="region" aria-label="Scores of the classes">
<table class="classes"><thead><tr><th scope="col">class</th><th scope="col">pixels</th>{heads}</tr></thead>
<tbody>{rows}</tbody><tfoot>{means}</tfoot></table></div>"""

_CONFUSION = """<p class="note">A row holds all pixels of one true class and shows, in per cent, what the model took
them for. The diagonal is right; everything beside it is a mistake.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion{many}">
<thead><tr><th scope="col">truth ↓ · taken for →</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"""

_DECISIONS = """<p class="note">In per cent of the pixels where the class is, and of those where it is not.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Decisions"><table class="confusion">
<thead><tr><th scope="col">class</th><th scope="col">there: found</th><th scope="col">there: missed</th>
<th scope="col">not there: seen</th><th scope="col">not there: not seen</th></tr></thead>
<tbody>{rows}</tbody></table></div>"""
