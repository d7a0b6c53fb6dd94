"""Which of two graphs is faster, on this machine and now."""

import time

from numpy.typing import NDArray

from onenet.deploy.runtime import Session


def times_as_fast(session: Session, reference: Session, example: NDArray, rounds: int = 5) -> float:
    """The reference's time divided by the session's, each the shortest of `rounds` in turns."""
    best = [float("inf"), float("inf")]
    for turn in range(rounds + 1):
        for place, one in enumerate((session, reference)):
            started = time.perf_counter()
            one(example)
            if turn:  # the first one warms up
                best[place] = min(best[place], time.perf_counter() - started)
    return best[1] / best[0]
