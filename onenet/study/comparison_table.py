"""What a comparison found, as Markdown: a row per network, the quickest first."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    """A network as the quicker one of its files, INT8 or float.

    Attributes:
        precision: of that file.
        ms: its median; None where nothing was timed.
        megabytes: of the INT8 file; None where there is none.
        scores: by set, the mean IoU of that file for every seed.
    """

    model: str
    precision: str
    ms: float | None
    megabytes: float | None
    scores: Mapping[str, tuple[float, ...]]


def comparison_markdown(result: Mapping[str, Any]) -> str:
    """Cost, times, and for each set the mean IoU in INT8 with that in float behind it."""
    sets = list(dict.fromkeys(cell["set"] for cell in result["cells"]))
    head = ["network", "parameters, M", "GMAC", "INT8, MB", "INT8, ms", "float, ms", "in float", "rate", *sets]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    times = _times(result)
    for point in points(result):
        cells = [cell for cell in result["cells"] if cell["model"] == point.model]
        first = cells[0]
        scores = (_score([cell for cell in cells if cell["set"] == one]) for one in sets)
        row = [
            point.model, f"{first['parameters'] / 1e6:.2f}", f"{first['gmacs']:.2f}", _number(point.megabytes, 2),
            *(_number(times.get((point.model, precision)), 1) for precision in ("int8", "float")),
            str(first["files"].get("islands", "")), f"{first['learning_rate']:g}", *scores,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(row)} |")
    lines += ["", *(f"{one['cell']} failed: {one['reason']}" for one in result["failed"])]
    if result["missing"]:
        lines.append(f"Not done yet: {len(result['missing'])} cells.")
    return "\n".join(lines).rstrip("\n")


def points(result: Mapping[str, Any]) -> list[Point]:
    """Every network as the quicker one of its files, the quickest first."""
    times, found = _times(result), []
    for model in dict.fromkeys(cell["model"] for cell in result["cells"]):
        cells = [cell for cell in result["cells"] if cell["model"] == model]
        known = {precision: ms for (name, precision), ms in times.items() if name == model}
        precision = min(known, key=lambda key: known[key]) if known else "int8"
        scores: dict[str, tuple[float, ...]] = {}
        for cell in cells:
            score = cell["mean_iou"] if precision == "float" else cell["files"].get("mean_iou")
            if score is not None:
                scores[cell["set"]] = (*scores.get(cell["set"], ()), score)
        megabytes = next((c["files"]["megabytes"] for c in cells if "megabytes" in c["files"]), None)
        found.append(Point(model, precision, known.get(precision), megabytes, scores))
    return sorted(found, key=lambda point: float("inf") if point.ms is None else point.ms)


def _times(result: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    return {(row["model"], row["precision"]): row["ms"]["median"] for row in result["timing"]["rows"]}


def _score(cells: Sequence[Mapping[str, Any]]) -> str:
    if not cells:
        return ""
    exact = [cell["mean_iou"] for cell in cells]
    integers = [cell["files"]["mean_iou"] for cell in cells if "mean_iou" in cell["files"]]
    return f"{_spread(integers)} ({statistics.mean(exact):.3f})" if integers else f"({_spread(exact)})"


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
