"""How long the networks of a comparison take, all in turns in one run, so that they meet one load."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

COUNTED_AT = (256, 256)  # size of the image that is timed, and whose multiply-adds are counted, as in Table 2
GMAC_HEAD = "GMAC at {}x{}".format(*COUNTED_AT)  # of a column

PRECISIONS = ("float", "int8")


def timing_of(
    cells: Sequence[dict[str, Any]], of_set: str, out: Path, say: Callable[[str], None], earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """The times of an earlier result where they have every network, or where its files are gone; else anew, of all.

    Times of two runs do not stand beside each other: the machine and its load differ.

    Returns:
        "timing", as `timed` gives it, and "untimed", where there are some: the networks without a time.
    """
    timing, files = earlier.get("timing"), _files(cells, of_set, out)
    models = dict.fromkeys(model for model, _ in files.values())
    if timing is None or (_untimed(models, timing) and all(map(Path.is_file, files))):
        timing = timed(cells, of_set, out, say)
    if not (untimed := _untimed(dict.fromkeys(cell["model"] for cell in cells), timing)):
        return {"timing": timing}
    say(f"not timed: {', '.join(untimed)}; all are timed together, which needs the files of all in {out / of_set}")
    return {"timing": timing, "untimed": untimed}


def _untimed(models: Iterable[str], timing: Mapping[str, Any]) -> list[str]:
    known = {row["model"] for row in timing["rows"]}
    return [model for model in models if model not in known]


def timed(cells: Sequence[dict[str, Any]], of_set: str, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Time each network's files of a set in every runtime; of each precision the quickest counts.

    Returns:
        "rows": model, precision, file, runtime and "ms" (median, min, max), and what they were made with.
    """
    from onenet.bench.latency import Wanted, measure_latency

    files = {str(file): key for file, key in _files(cells, of_set, out).items()}
    if not files:
        return {"rows": []}
    found = measure_latency(list(files), Wanted(sizes=(COUNTED_AT[0],), repeats=15, fresh=False), say)
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for row in found["rows"]:
        key = files[row["model"]]
        if key not in best or row["ms"]["median"] < best[key]["ms"]["median"]:
            best[key] = row
    rows = [
        {"model": model, "precision": precision, "file": Path(row["model"]).name, "runtime": row["runtime"],
         "ms": row["ms"]}
        for (model, precision), row in best.items()
    ]  # fmt: skip
    about = {key: found[key] for key in ("threads", "processor", "load_before", "load_after", "versions")}
    return {"size": COUNTED_AT[0], "of_set": of_set, "rows": rows, **about}


def _files(cells: Sequence[dict[str, Any]], of_set: str, out: Path) -> dict[Path, tuple[str, str]]:
    """Model and precision by file: of a set, of each network's first exported cell whose files are in `out`.

    Where there is none, of its first exported cell. Seeds differ in time only where INT8 leaves other operators in
    float.
    """
    files: dict[Path, tuple[str, str]] = {}
    exported = [cell for cell in cells if cell["set"] == of_set and "failed" not in cell["files"]]
    for model in dict.fromkeys(cell["model"] for cell in exported):
        candidates = [_files_of(cell, out) for cell in exported if cell["model"] == model]
        files |= next((found for found in candidates if all(map(Path.is_file, found))), candidates[0])
    return files


def _files_of(cell: dict[str, Any], out: Path) -> dict[Path, tuple[str, str]]:
    """Model and precision by file, of a cell."""
    return {
        out / cell["folder"] / name: (cell["model"], precision)
        for precision in PRECISIONS
        for name in cell["files"][precision]
    }
