"""Where the time of an exported file goes: the runtime's own account of each operator it computes."""

from typing import Any

from numpy.typing import NDArray

from onenet.bench.bound import bound
from onenet.bench.candidates import Candidate
from onenet.deploy.exported import FlatRunner, ImageRunner
from onenet.deploy.runtime import RUNTIMES
from onenet.deploy.segmenter import Segmenter

TOP = 10  # operators that are named
_RUNS = 5


def where_time_goes(candidate: Candidate, segmenter: Segmenter, image: NDArray, threads: int) -> dict[str, Any] | None:
    """Milliseconds by kind of operator, and of the `TOP` slowest ones; None for runtimes that are not asked.

    Graphs of rows are profiled on one block of rows and one thread, as they run.

    Returns:
        "ms" of all operators, "operators" as {kind, count, ms, share} and "nodes" as {name, kind, ms, share}, the
        slowest first, and "of": what was computed.
    """
    runner = segmenter.runner
    if not isinstance(runner, (ImageRunner, FlatRunner)) or candidate.runtime not in RUNTIMES:
        return None
    array = _given(runner, image)
    rows = isinstance(runner, FlatRunner)
    path = candidate.file / "model.xml" if candidate.file.is_dir() else candidate.file
    steps = bound(path, array, candidate.runtime, 1 if rows else threads, profiled=True).steps(_RUNS)
    steps.sort(key=lambda step: -step.ms)
    total = sum(step.ms for step in steps)
    kinds = {step.kind: [other.ms for other in steps if other.kind == step.kind] for step in steps}
    operators = [
        {"kind": kind, "count": len(times), "ms": round(sum(times), 3), "share": round(sum(times) / total, 4)}
        for kind, times in sorted(kinds.items(), key=lambda pair: -sum(pair[1]))
    ]
    nodes = [
        {"name": step.name, "kind": step.kind, "ms": round(step.ms, 3), "share": round(step.ms / total, 4)}
        for step in steps[:TOP]
    ]
    of = f"a block of {len(array)} rows, one thread" if rows else "an image"
    return {"ms": round(total, 3), "of": of, "operators": operators, "nodes": nodes}


def _given(runner: ImageRunner | FlatRunner, image: NDArray) -> NDArray:
    """What a runner gives to its session for an image; the first block where there are several."""
    session, given = runner.session, list[NDArray]()

    def listening(array: NDArray) -> NDArray:
        given.append(array)
        return session(array)

    runner.session = listening
    try:
        runner.run(image)
    finally:
        runner.session = session
    return given[0]
