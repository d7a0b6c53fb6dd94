"""What a comparison found, as Markdown: a row per network, the quickest first."""

import math
import statistics
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onenet.study.scored_cell import MAX_DROP
from onenet.study.timing import GMAC_HEAD, PRECISIONS

_NAMED = 8  # cells that a line names
_FLOAT_BYTES = 4  # of a parameter


@dataclass(frozen=True)
class Point:
    """A network as one of its files, in INT8 or in float.

    Attributes:
        ms: its median; None where it was not timed.
        megabytes: of the file, in float where no size was kept that of the parameters; None where there is no file.
        scores: by set, the mean IoU of that file for every seed.
    """

    model: str
    precision: str
    ms: float | None
    megabytes: float | None
    scores: Mapping[str, tuple[float, ...]]


def comparison_markdown(result: Mapping[str, Any]) -> str:
    """Cost, times, and for each set the mean IoU in INT8 with that in float behind it."""
    sets = _sets(result)
    seeds = {one: {cell["seed"] for cell in result["cells"] if cell["set"] == one} for one in sets}
    head = ["network", "parameters, M", GMAC_HEAD, "INT8, MB", "INT8, ms", "float, ms", "in float", "rate", *sets]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    times = _times(result)
    for model in _quickest_first(result):
        cells = _cells_of(result, model)
        first = cells[0]
        scores = (_score([cell for cell in cells if cell["set"] == one], seeds[one]) for one in sets)
        row = [
            model, f"{first['parameters'] / 1e6:.2f}", f"{first['gmacs']:.2f}", _number(_megabytes(cells, "int8"), 2),
            *(_number(times.get((model, precision)), 1) for precision in ("int8", "float")),
            _islands(cells), f"{Decimal(str(first['learning_rate'])):f}", *scores,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(row)} |")
    if any("†" in line for line in lines):
        lines += ["", "† In INT8 it loses more than half a point on these images. `onenet export` holds that limit on "
                  "other images, and writes nothing where it fails; here the file counts all the same."]  # fmt: skip
    lines += ["", *(f"{one['cell']} failed: {one['reason']}" for one in result["failed"])]
    if untimed := result.get("untimed"):
        lines.append(f"Not timed beside the others: {', '.join(untimed)}.")
    if result["missing"]:
        named, more = result["missing"][:_NAMED], len(result["missing"]) - _NAMED
        lines.append(f"Not done yet: {'; '.join(named)}{f'; and {more} more' if more > 0 else ''}.")
    return "\n".join(lines).rstrip("\n")


def points(result: Mapping[str, Any]) -> list[Point]:
    """Both files of every network, INT8 and float, those of the quickest network first."""
    times, found = _times(result), []
    for model in _quickest_first(result):
        cells = _cells_of(result, model)
        for precision in PRECISIONS:
            scores: dict[str, tuple[float, ...]] = {}
            for cell in cells:
                score = cell["mean_iou"] if precision == "float" else cell["files"].get("mean_iou")
                if score is not None:
                    scores[cell["set"]] = (*scores.get(cell["set"], ()), score)
            found.append(Point(model, precision, times.get((model, precision)), _megabytes(cells, precision), scores))
    return found


def keeps_float_sizes(result: Mapping[str, Any]) -> bool:
    """Whether the size of every float file is of the file; results of earlier versions know that of INT8 files only."""
    return all("float_megabytes" in cell["files"] for cell in result["cells"] if "megabytes" in cell["files"])


def _sets(result: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(cell["set"] for cell in result["cells"]))


def _cells_of(result: Mapping[str, Any], model: str) -> list[dict[str, Any]]:
    """A network's cells, those of the first set before the others, so that all networks' costs are of one set."""
    sets = _sets(result)
    cells = [cell for cell in result["cells"] if cell["model"] == model]
    return sorted(cells, key=lambda cell: sets.index(cell["set"]))


def _quickest_first(result: Mapping[str, Any]) -> list[str]:
    """The networks by the time of the quicker one of their files; those that were not timed are last."""
    quickest: dict[str, float] = {}
    for (model, _), ms in _times(result).items():
        quickest[model] = min(ms, quickest.get(model, math.inf))
    models = dict.fromkeys(cell["model"] for cell in result["cells"])
    return sorted(models, key=lambda model: quickest.get(model, math.inf))


def _megabytes(cells: Sequence[Mapping[str, Any]], precision: str) -> float | None:
    first = next((cell for cell in cells if "megabytes" in cell["files"]), None)
    if first is None:
        return None
    files: Mapping[str, Any] = first["files"]
    if precision == "int8":
        return files["megabytes"]
    return files.get("float_megabytes", _FLOAT_BYTES * first["parameters"] / 1e6)


def _times(result: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    return {(row["model"], row["precision"]): row["ms"]["median"] for row in result["timing"]["rows"]}


def _islands(cells: Sequence[Mapping[str, Any]]) -> str:
    """How many operators between those in integers are in float: in the files of one set or another."""
    counts = [cell["files"]["islands"] for cell in cells if "islands" in cell["files"]]
    if not counts:
        return ""
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _score(cells: Sequence[Mapping[str, Any]], seeds: Set[int]) -> str:
    """Of a network on a set, with its seeds where it has not all that others have there."""
    if not cells:
        return ""
    own = sorted(cell["seed"] for cell in cells)
    named = "" if set(own) == seeds else f", seed{'s' * (len(own) > 1)} {', '.join(map(str, own))}"
    exported = [cell for cell in cells if "mean_iou" in cell["files"]]
    if not exported:
        return f"({_spread([cell['mean_iou'] for cell in cells])}){named}"
    integers = [cell["files"]["mean_iou"] for cell in exported]
    exact = statistics.mean(cell["mean_iou"] for cell in exported)
    mark = "†" if exact - statistics.mean(integers) > MAX_DROP / 100 else ""
    return f"{_spread(integers)}{mark} ({exact:.3f}){named}"


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
