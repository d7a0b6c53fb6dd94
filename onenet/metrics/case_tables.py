"""The page's tables of volumes: the means over cases, and every case."""

from html import escape

import numpy as np

from onenet.card import Card
from onenet.metrics.cases import SHORT_NAMES, CaseReport
from onenet.metrics.tables import score_text, swatch

_PER_CASE = ("dice", "hd95_mm", "surface_dice", "volume_error_ml")


def draw_cases(report: CaseReport, card: Card) -> str:
    """A row per class with its means, a row of their mean, how it was measured, then a row per case."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in SHORT_NAMES.values())
    rows = "".join(
        _row(
            f"{swatch(index, card)}{escape(report.classes[index])}", [report.mean(name, index) for name in SHORT_NAMES]
        )
        for index in report.foreground
    )
    means = _row("mean", [report.mean(name) for name in SHORT_NAMES])
    remarks = "".join(f'<p class="note">{escape(line)}</p>' for line in report.remarks())
    table = _TABLE.format(label="Means over cases", first="class", heads=heads, rows=rows, means=means)
    return table + remarks + _every_case(report)


def _every_case(report: CaseReport) -> str:
    """The cases from the lowest Dice to the highest, those without any class last."""
    heads = "".join(f'<th scope="col">{SHORT_NAMES[name]}</th>' for name in _PER_CASE)
    values = [report.per_case(name) for name in _PER_CASE]
    rows = "".join(
        _row(escape(report.cases[place].name), [float(column[place]) for column in values])
        for place in np.argsort(values[0])  # NaN comes last
    )
    return _TABLE.format(label="Every case", first="case, lowest Dice first", heads=heads, rows=rows, means="")


def _row(label: str, values: list[float]) -> str:
    cells = "".join(f"<td>{score_text(value)}</td>" for value in values)
    return f'<tr><th scope="row">{label}</th>{cells}</tr>'


_TABLE = """<div class="scroll" tabindex="0" role="region" aria-label="{label}">
<table class="classes"><thead><tr><th scope="col">{first}</th>{heads}</tr></thead>
<tbody>{rows}</tbody><tfoot>{means}</tfoot></table></div>"""
