"""A table of the paper measured anew, as Markdown and as a page: ours, the authors' figures, and what is printed."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from onenet.study.printed import Printed, printed
from onenet.study.timing import GMAC_HEAD

_DASH = "-"
_OURS = ("mean_iou", "mean_dice", "mean_average_precision", "cross_entropy")
_OF_CASES = {"mean_iou": "iou", "mean_dice": "dice"}
_AUTHORS = ("authors' mIOU", "authors' mAP (data set)", "authors' DSC")
_HEADS = (
    "network", "parameters, M", GMAC_HEAD, "seeds", "mean IoU", "mean Dice", "AP at 0.5", "cross-entropy",
    "authors' mIOU", "authors' mAP", "authors' DSC", "paper: mIOU", "paper: mAP", "paper: DSC", "paper: L_CE",
)  # fmt: skip
_NOTE = (
    "Mean IoU, Dice and AP are true ones over the whole test set (docs/scores.md); of volumes IoU and Dice are means "
    "over cases without background, all else is of their slices as training sees them. Mean and standard deviation "
    "over seeds, or of a single one the 95 % interval over images or cases. "
    "The authors' figures are computed as their evaluator does, and are none of these; only they can stand beside the "
    "paper's, which are of full-width networks on all data after 300 epochs."
)


def table_markdown(result: Mapping[str, Any]) -> str:
    """A table per data set, a row per network."""
    parts = []
    for name, rows in _tables(result).items():
        parts += [f"**{name}** ({_images(result, name)})", ""]
        parts += [_line(_HEADS), "|---|" + "---:|" * (len(_HEADS) - 1), *map(_line, rows), ""]
    return "\n".join([*parts, _NOTE, *_rest(result)])


def table_page(result: Mapping[str, Any]) -> str:
    """The same as one HTML file."""
    parts = []
    for name, rows in _tables(result).items():
        head = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADS)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
        parts.append(f"<h2>{escape(name)}</h2>\n<p>{escape(_images(result, name))}</p>\n"
                     f"<table>\n<tr>{head}</tr>\n{body}</table>\n")  # fmt: skip
    said = "".join(f"<p>{escape(line)}</p>\n" for line in (_NOTE, *_rest(result)) if line)
    title = f"{result['study']}, budget {result['budget']}"
    return _PAGE.format(title=escape(title), body="".join(parts) + said)


def _tables(result: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    tables: dict[str, list[list[str]]] = {}
    for cell in result["cells"]:
        tables.setdefault(cell["set"], [])
    for name, rows in tables.items():
        cells = [cell for cell in result["cells"] if cell["set"] == name]
        for model in dict.fromkeys(cell["model"] for cell in cells):
            rows.append(_row(result["study"], name, model, [cell for cell in cells if cell["model"] == model]))
    return tables


def _row(table: str, name: str, model: str, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    first, reports = cells[0], [cell["report"] for cell in cells]
    ours = [_spread(reports, _reader(key), _interval(reports[0], key)) for key in _OURS]
    authors = [_spread(reports, _authors_reader(key)) for key in _AUTHORS]
    paper = printed(table, name, paper_row(model))
    return [
        model, f"{first['parameters'] / 1e6:.2f}", f"{first['gmacs']:.2f}", str(len(cells)), *ours, *authors,
        *_printed(paper),
    ]  # fmt: skip


def paper_row(model: str) -> str:
    """The network of the paper that NAME[,key=value...] is, at any width; other variants keep their names."""
    name, *sizes = model.split(",")
    kept = [size for size in sizes if not size.startswith("width=")]
    name = name.replace("-half", "")
    if kept == ["spatial_kernel=9"]:
        name, kept = f"{name}-spatial", []
    return ",".join([name, *kept])


def _reader(key: str) -> Callable[[Mapping[str, Any]], float | None]:
    """IoU and Dice of volumes are means over cases, without background; all else is of all images or slices."""
    if key not in _OF_CASES:
        return lambda report: report.get("slices", report).get(key)
    return lambda report: report.get(key) if "cases" not in report else _of_cases(report, key).get("mean")


def _of_cases(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return report["cases"]["mean"].get(_OF_CASES.get(key), {})


def _interval(report: Mapping[str, Any], key: str) -> Sequence[float] | None:
    if "cases" in report:
        return _of_cases(report, key).get("interval")
    return report.get("confidence_intervals", {}).get(key)


def _authors_reader(key: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda report: (report.get("slices", report).get("authors") or {}).get(key)


def _spread(
    reports: Sequence[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], float | None],
    bounds: Sequence[float] | None = None,
) -> str:
    values = [value for value in map(read, reports) if value is not None]
    if not values:
        return _DASH
    text = f"{statistics.mean(values):.3f}"
    if len(values) > 1:
        return f"{text} ± {statistics.stdev(values):.3f}"
    return f"{text} ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else text


def _printed(paper: Printed | None) -> list[str]:
    if paper is None:
        return [_DASH] * 4
    dice = _DASH if paper.dice is None else f"{paper.dice:.3f}"
    return [f"{paper.iou:.3f}", f"{paper.average_precision:.4f}", dice, f"{paper.cross_entropy:g}"]


def _images(result: Mapping[str, Any], name: str) -> str:
    first = next(cell for cell in result["cells"] if cell["set"] == name)
    count, (h, w) = first["images"], first["size"]
    what = "volumes" if "cases" in first["report"] else "images"
    return (f"{count['train']} {what} to train, {count['val']} to validate, {count['test']} to test; "
            f"{first['epochs']} epochs at {h}x{w}")  # fmt: skip


def _rest(result: Mapping[str, Any]) -> list[str]:
    lines = [f"{one['cell']} failed: {one['reason']}" for one in result["failed"]]
    return [*lines, f"Not done yet: {len(result['missing'])} cells."] if result["missing"] else lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-variant-numeric: tabular-nums }}
th, td {{ border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }}
</style>
<h1>{title}</h1>
{body}</html>
"""
