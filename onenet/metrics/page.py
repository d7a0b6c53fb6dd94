"""The page: one training run told in one HTML file, with its masks, tables and curves.

Everything is inside the file (pictures as data, curves as SVG, no script), so it can be mailed and opened anywhere.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from onenet import images
from onenet.card import Card
from onenet.metrics import curves, tables
from onenet.metrics.case_tables import draw_cases
from onenet.metrics.cases import CaseReport
from onenet.metrics.hints import hints
from onenet.metrics.pictures import Strip, draw_gallery
from onenet.metrics.report import Report

__all__ = ["Strip", "write_page"]


def write_page(
    path: str | Path,
    *,
    title: str,
    report: Report,
    card: Card,
    log: Sequence[Mapping[str, float]],
    strips: Sequence[Strip],
    facts: Mapping[str, str] = {},
    cases: CaseReport | None = None,
) -> None:
    """Write the page of a run, completely or not at all.

    Args:
        card: gives the colours, the background and the version.
        log: one row per epoch, as in the run's `log.csv`; without rows there are no curves.
        strips: sorted from best to worst.
        facts: label -> value, shown as they are ("trained in": "3 min 10 s").
        cases: of volumes, the scores of every case.
    """
    background = None if report.background is None else report.classes[report.background]
    sections = {
        "Image, truth and prediction": draw_gallery(strips, card),
        "Case by case": draw_cases(cases, card) if cases is not None else "",
        "Class by class": tables.draw_classes(report, card),
        "In single figures": tables.draw_figures(report),
        "What is taken for what": tables.draw_confusion(report),
        "How it learned": curves.draw_log(log, background),
        "Authors' figures": tables.draw_authors(report),
        "Facts": _facts(facts),
    }
    page = _PAGE.format(
        title=escape(title),
        style=_STYLE + curves.STYLE,
        headline=_headline(report, "image" if cases is None else "case"),
        hints=_hints(report),
        sections="".join(f"<section>\n<h2>{h}</h2>\n{body}\n</section>\n" for h, body in sections.items() if body),
        footer=escape(f"made by onenet {card.version}".strip()),
    )
    with images.atomic_write(path) as file:
        file.write(page.encode("utf-8", errors="replace"))  # file names that are not Unicode hold lone surrogates


def _headline(report: Report, unit: str) -> str:
    count = f"1 {unit}" if report.images == 1 else f"{report.images} {unit}s"
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


def _hints(report: Report) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in hints(report))
    return f'<div class="hints"><p>Worth a look</p><ul>{lines}</ul></div>' if lines else ""


def _facts(facts: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items())
    return f"<dl>{items}</dl>" if items else ""


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
of them covers. 1 is a perfect mask, 0 misses it entirely.</p>{hints}</header>
{sections}
</main><footer>{footer}</footer></body>
</html>
"""

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
table, .legend { font-size: .95rem }
th { text-align: left; font-weight: inherit }
thead th, dt { color: var(--soft); font-size: .85rem }
.hints { border-left: 3px solid var(--second); padding: .1rem 0 .1rem 1rem; margin-top: 1.25rem }
.hints p { font-weight: 600 } .hints ul { padding-left: 1.1rem } .hints li { margin-top: .2rem }
.classes { width: 100%; border-collapse: separate; border-spacing: 0 }
.classes :is(th, td) { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--rule) }
.classes :is(td, thead th + th) { text-align: right; white-space: nowrap }
.classes thead th[colspan] { text-align: left; padding-left: 1.5rem }
.classes :is(td, th):last-child { padding-right: 0 }
.classes tfoot { font-weight: 600 } .classes th:first-child { min-width: 8.5rem; overflow-wrap: break-word }
.classes tbody th, .classes tfoot th { position: sticky; left: 0; background: var(--paper) }
.bar { width: clamp(1.5rem, 60vw - 14rem, 18rem);
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
.figures dd { font-size: 1.25rem; line-height: 1.35 }
.figures span { display: block; color: var(--soft); font-size: .9rem; max-width: 17rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .9rem 2rem }
@media (max-width: 40rem) {
  .strip { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .25rem }
  .strip figcaption { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 1rem }
  .heads p:first-child { display: none }
}
"""
