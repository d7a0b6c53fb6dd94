"""What a comparison found, as Markdown: a row per network, the quickest first."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def comparison_markdown(result: Mapping[str, Any]) -> str:
    """Cost, INT8 time, and for each set the mean IoU of the INT8 file, that in float behind it."""
    sets = list(dict.fromkeys(cell["set"] for cell in result["cells"]))
    head = ["network", "parameters, M", "GMAC", "INT8, MB", "INT8, ms", "rate", *sets]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for point in points(result):
        cells = [cell for cell in result["cells"] if cell["model"] == point["model"]]
        first = cells[0]
        scores = (_score([cell for cell in cells if cell["set"] == one]) for one in sets)
        row = [
            point["model"], f"{first['parameters'] / 1e6:.2f}", f"{first['gmacs']:.2f}",
            _number(point["megabytes"], 2), _number(point["ms"], 1), f"{first['learning_rate']:g}", *scores,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(row)} |")
    if result["missing"]:
        lines += ["", f"Not done yet: {len(result['missing'])} cells."]
    return "\n".join(lines)


def points(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each network's INT8 milliseconds and megabytes (None without an INT8 file) and scores by set, the quickest first.

    Returns:
        "model", "ms", "megabytes", and "scores": by set the INT8 mean IoU of every seed (float where there is no INT8).
    """
    times = {row["model"]: row["ms"]["median"] for row in result["timing"]["rows"]}
    found = []
    for model in dict.fromkeys(cell["model"] for cell in result["cells"]):
        cells = [cell for cell in result["cells"] if cell["model"] == model]
        scores: dict[str, list[float]] = {}
        for cell in cells:
            scores.setdefault(cell["set"], []).append(cell["int8"].get("mean_iou", cell["mean_iou"]))
        found.append(
            {"model": model, "ms": times.get(model), "megabytes": cells[0]["int8"].get("megabytes"), "scores": scores}
        )
    return sorted(found, key=lambda point: float("inf") if point["ms"] is None else point["ms"])


def _score(cells: Sequence[Mapping[str, Any]]) -> str:
    if not cells:
        return ""
    exact = [cell["mean_iou"] for cell in cells]
    if not all("mean_iou" in cell["int8"] for cell in cells):
        return f"{_spread(exact)} (float)"
    return f"{_spread([cell['int8']['mean_iou'] for cell in cells])} ({statistics.mean(exact):.3f})"


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
