"""How long the networks of a comparison take, all in turns in one run, so that they meet one load."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

COUNTED_AT = (256, 256)  # size of the image that is timed, and whose multiply-adds are counted

PRECISIONS = ("float", "int8")


def timed(cells: Sequence[dict[str, Any]], of_set: str, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Time each network's files of a set in every runtime; of each precision the quickest counts.

    Returns:
        "rows": model, precision, file, runtime and "ms" (median, min, max), and what they were made with.
    """
    from onenet.bench.latency import Wanted, measure_latency

    files: dict[str, tuple[str, str]] = {}
    for model in dict.fromkeys(cell["model"] for cell in cells):
        own = (cell for cell in cells if (cell["model"], cell["set"]) == (model, of_set))
        first = next((cell for cell in own if "failed" not in cell["files"]), None)
        if first is None:
            continue
        for precision in PRECISIONS:
            for name in first["files"][precision]:
                files[str(out / first["folder"] / name)] = model, precision
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
