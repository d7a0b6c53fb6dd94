"""The page: one training run told in one HTML file, with its masks, tables and curves.

Everything is inside the file (pictures as data, curves as SVG, no script), so it can be mailed and opened anywhere.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet import images
from onenet.card import Card
from onenet.metrics import confusion, curves
from onenet.metrics.report import Report

LONGEST_SIDE = 320  # of an embedded picture: a little more than its place on the page, so that the file stays small
FEW_CLASSES, MOST_CLASSES = 6, 25  # of a confusion matrix that fits a page with decimals; that can still be read
DASH = "\u2013"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """One image with what it should have become and what it became."""

    name: str
    image: Pixels  # (h, w, c), c 1 or 3
    truth: Pixels  # (h, w) class indices; 255 is not counted
    prediction: Pixels  # (h, w)
    mean_iou: float  # of this image; NaN where nothing could be measured


def write_page(
    path: str | Path,
    *,
    title: str,
    report: Report,
    card: Card,
    log: Sequence[Mapping[str, float]],
    strips: Sequence[Strip],
    facts: Mapping[str, str] = {},
) -> None:
    """Write the page of a run, completely or not at all.

    Args:
        card: gives the colours, the background and the version.
        log: one row per epoch, as in the run's `log.csv`; without rows there are no curves.
        strips: sorted from best to worst.
        facts: label -> value, shown as they are ("trained in": "3 min 10 s").
    """
    background = None if report.background is None else report.classes[report.background]
    sections = {
        "Image, truth and prediction": _gallery(strips, card),
        "Class by class": _class_table(report, card),
        "What is taken for what": _confusion_table(report),
        "How it learned": curves.draw_log(log, background),
        "Facts": _facts(facts),
    }
    page = _PAGE.format(
        title=escape(title),
        style=_STYLE + curves.STYLE,
        headline=_headline(report),
        sections="".join(f"<section>\n<h2>{h}</h2>\n{body}\n</section>\n" for h, body in sections.items() if body),
        footer=escape(f"made by onenet {card.version}".strip()),
    )
    with images.atomic_write(path) as file:
        file.write(page.encode("utf-8", errors="replace"))  # file names that are not Unicode hold lone surrogates


def _headline(report: Report) -> str:
    count = "1 image" if report.images == 1 else f"{report.images} images"
    place = f"on {count} of {escape(report.data)}, split “{escape(report.split)}”"
    if math.isnan(report.foreground_iou):
        return f"There was nothing to measure {place}."
    counted = [name for index, name in enumerate(report.classes) if index != report.background]
    score, which = "a mean IoU", ""
    if len(counted) == 1:
        score, which = "an IoU", f" for {escape(counted[0])}"
    elif report.background is not None:
        which = f" over the classes without {escape(report.classes[report.background])}"
    return f"This model reaches {score} of <strong>{report.foreground_iou:.3f}</strong>{which}, {place}."


def _gallery(strips: Sequence[Strip], card: Card) -> str:
    if not strips:
        return ""
    rows = [_strip(strip, card) for strip in strips]
    half = (len(rows) + 1) // 2
    groups = {"Best": rows[:half], "Worst": rows[half:]} if len(rows) >= 4 else {"": rows}
    columns = '<div class="strip heads" aria-hidden="true"><p></p><p>image</p><p>truth</p><p>prediction</p></div>'
    parts = [(f"<h3>{name}</h3>" if name else "") + columns + "".join(members) for name, members in groups.items()]
    return "\n".join([*parts, _legend(strips, card)])


def _strip(strip: Strip, card: Card) -> str:
    height, width = strip.truth.shape
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    image = images.resize(strip.image, size)
    truth, prediction = (images.resize(mask, size, "nearest") for mask in (strip.truth, strip.prediction))
    pictures = [_picture(image, f"{strip.name}, the image")]
    for kind, mask in (("truth", truth), ("prediction", prediction)):
        pictures.append(_picture(_drawn(image, mask, card), f"{strip.name}, {kind}: {_in_words(mask, card)}"))
    caption = f'<span class="name">{escape(strip.name)}</span> <span class="score">IoU {_score(strip.mean_iou)}</span>'
    return f'<figure class="strip"><figcaption>{caption}</figcaption>{"".join(pictures)}</figure>'


def _drawn(image: Pixels, mask: Pixels, card: Card) -> Pixels:
    """The mask drawn on the image; pixels that are not counted are hatched in grey."""
    drawn = images.overlay(image, mask, card.colours, card.background)
    rows, columns = np.indices(mask.shape)
    hatch = np.where((rows + columns) % 8 < 4, 225, 120).astype(np.uint8)
    left_out = mask == images.IGNORED
    drawn[left_out] = hatch[left_out][:, None]
    return drawn


def _picture(pixels: Pixels, alt: str) -> str:
    grey = pixels.shape[2] == 1
    buffer = io.BytesIO()
    # Colour at full resolution (4:4:4): JPEG would otherwise smear the outlines of the classes.
    Image.fromarray(pixels[..., 0] if grey else pixels).save(buffer, "JPEG", quality=85, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    return f'<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" alt="{escape(alt)}">'


def _in_words(mask: Pixels, card: Card) -> str:
    """The three largest classes of a mask and their shares, for those who cannot see it."""
    counted = mask[mask != images.IGNORED]
    shares = np.bincount(counted, minlength=card.num_classes) / max(1, counted.size)
    largest = [i for i in np.argsort(-shares, kind="stable")[:3] if shares[i]]
    return ", ".join(f"{card.classes[i]} {_percent(shares[i])}" for i in largest) or "nothing that is counted"


def _legend(strips: Sequence[Strip], card: Card) -> str:
    items = []
    for index, name in enumerate(card.classes):
        note = " (not tinted)" if index == card.background else ""
        items.append(f"<li>{_swatch(index, card)}{escape(name)}{note}</li>")
    if any((strip.truth == images.IGNORED).any() for strip in strips):
        items.append('<li><span class="swatch hatched"></span>not counted</li>')
    return f'<ul class="legend" aria-label="Colours of the classes">{"".join(items)}</ul>'


def _swatch(index: int, card: Card) -> str:
    colour = "none" if index == card.background else "rgb({},{},{})".format(*card.colours[index])
    return f'<span class="swatch" style="background:{colour}"></span>'


def _class_table(report: Report, card: Card) -> str:
    ious, dices = confusion.iou(report.matrix), confusion.dice(report.matrix)
    shares = report.matrix.sum(1) / max(1, report.matrix.sum())
    rows = []
    for index, name in enumerate(report.classes):
        label = f"{_swatch(index, card)}{escape(name)}"
        rows.append(_class_row(label, _percent(shares[index]), ious[index], dices[index]))
    means = [_class_row("mean", "", report.mean_iou, report.mean_dice)]
    if report.background is not None:
        label = f"mean without {escape(report.classes[report.background])}"
        means.append(_class_row(label, "", report.foreground_iou, report.foreground_dice))
    table = _CLASSES.format(rows="".join(rows), means="".join(means))
    dash = f"A dash ({DASH}): the class occurs neither in the truth nor in the predictions. The means leave it out."
    return table + (f'<p class="note">{dash}</p>' if np.isnan(ious).any() else "")


def _class_row(label: str, share: str, iou: float, dice: float) -> str:
    bar = "" if math.isnan(iou) else f'<span style="width:{100 * iou:.1f}%"></span>'
    return (
        f'<tr><th scope="row">{label}</th><td>{share}</td><td>{_score(iou)}</td>'
        f'<td class="bar" aria-hidden="true">{bar}</td><td>{_score(dice)}</td></tr>'
    )


def _confusion_table(report: Report) -> str:
    names = [escape(name) for name in report.classes]
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
    title = escape(f"{count:,} of {total:,} pixels of {report.classes[row]} taken for {report.classes[column]}")
    if not total:
        return f'<td title="{title}">{DASH}</td>'
    share = count / total
    # The root brings out small mistakes, which are what the table is read for.
    depth, kind = (share, "right") if row == column else (math.sqrt(share), "wrong")
    kind = "" if not count else f"{kind} deep" if depth > 0.7 else kind
    text = f"{100 * share:.{0 if len(report.classes) > FEW_CLASSES else 1}f}"
    return f'<td class="{kind}" style="--depth:{depth:.2f}" title="{title}">{text}</td>'


def _facts(facts: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items())
    return f"<dl>{items}</dl>" if items else ""


def _score(value: float) -> str:
    return DASH if math.isnan(value) else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>{style}</style>
</head>
<body><main>
<header><h1>{title}</h1>
<p class="headline">{headline}</p>
<p class="note">IoU, intersection over union: the area where prediction and truth agree, divided by the area that either
of them covers. 1 is a perfect mask, 0 misses it entirely.</p></header>
{sections}
</main><footer>{footer}</footer></body>
</html>
"""

_CLASSES = """<table class="classes"><thead><tr><th scope="col">class</th><th scope="col">pixels</th>
<th scope="col" colspan="2">IoU</th><th scope="col">Dice</th></tr></thead>
<tbody>{rows}</tbody><tfoot>{means}</tfoot></table>"""

_CONFUSION = """<p class="note">A row holds all pixels of one true class and shows, in per cent, what the model took
them for. The diagonal is right; everything beside it is a mistake.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion{many}">
<thead><tr><th scope="col">truth ↓ · taken for →</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"""

_STYLE = """
:root { --paper: #fcfbf9; --ink: #1d1e20; --soft: #64645f; --rule: #e2dfd8; --first: #0b5394; --second: #b3560b;
  --right: 12 70 135; --wrong: 165 70 0; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --paper: #151618; --ink: #e8e7e3; --soft: #a09f99; --rule: #303236;
  --first: #7db7f0; --second: #f0a35e; --right: 45 100 175; --wrong: 165 80 20 } }
* { box-sizing: border-box; margin: 0 }
body { background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; -webkit-text-size-adjust: 100% }
main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem }
header { max-width: 44rem; padding: clamp(2rem, 6vw, 3.5rem) 0 .25rem }
footer { padding-block: 3rem }
h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.2; letter-spacing: -.02em }
h2 { font-size: 1.3rem; line-height: 1.2; margin-bottom: 1rem }
h3 { font-size: 1rem; margin-top: 1.5rem }
section { margin-top: 2.5rem; padding-top: 1.75rem; border-top: 1px solid var(--rule) }
.headline { font-size: 1.25rem; line-height: 1.45; margin: .9rem 0 .6rem }
.note, .heads, figcaption, footer { color: var(--soft); font-size: .9rem }
.note { max-width: 44rem; margin: .75rem 0 }
.strip { display: grid; grid-template-columns: 9rem repeat(3, minmax(0, 1fr)); gap: .5rem; margin-top: .75rem }
.strip img { width: 100%; height: auto; max-height: 24rem; object-fit: contain; border-radius: 3px }
.strip span { display: block } .strip .score { color: var(--ink); font-weight: 600; white-space: nowrap }
.heads { margin: .25rem 0 -.5rem }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; margin: 1.5rem 0; padding: 0; list-style: none }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .5em; border-radius: 2px;
  border: 1px solid var(--soft) }
.hatched { background: repeating-linear-gradient(135deg, #e1e1e1 0 2px, #787878 2px 4px) }
table, .legend { font-size: .95rem; border-collapse: collapse }
th { text-align: left; font-weight: inherit }
thead th, dt { color: var(--soft); font-size: .85rem }
.classes { width: 100% } .classes :is(th, td) { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--rule) }
.classes :is(td, thead th + th) { text-align: right; white-space: nowrap }
.classes thead th[colspan] { text-align: left; padding-left: 1.5rem }
.classes :is(td, th):last-child { padding-right: 0 }
.classes tfoot { font-weight: 600 } .classes th:first-child { min-width: 7rem }
.bar { width: clamp(1.5rem, 60vw - 14rem, 24rem);
  background: linear-gradient(var(--rule) 0 0) center / 100% 4px no-repeat content-box }
.bar span { display: block; height: 4px; border-radius: 2px; background: var(--first) }
.scroll { overflow-x: auto; padding-bottom: .5rem }
.confusion { border-collapse: separate; border-spacing: 2px; font-size: .875rem }
.confusion th { padding: .35rem .6rem; max-width: min(12rem, 35vw); overflow-wrap: break-word }
.confusion tbody th { position: sticky; left: 0; background: var(--paper); text-align: right }
.confusion td { min-width: 4.5rem; padding: .5rem; text-align: center; border-radius: 3px; color: var(--soft) }
.confusion .right { background: rgb(var(--right) / var(--depth)); color: var(--ink) }
.confusion .wrong { background: rgb(var(--wrong) / var(--depth)); color: var(--ink) } .confusion .deep { color: #fff }
.many :is(td, thead th) { min-width: 2.1rem; padding: .35rem .2rem; font-size: .8rem; vertical-align: bottom }
.many thead th + th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .9rem 2rem }
@media (max-width: 40rem) {
  .strip { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .25rem }
  .strip figcaption { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 1rem }
  .heads p:first-child { display: none }
}
"""
