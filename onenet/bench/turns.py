"""Timing several things on a machine that does other things too: in turns, so that all of them meet the same load."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

LEAST = 3  # rounds, however long they take
TURN = 0.1  # seconds that a turn lasts at least: what is quick is called often, and finds its weights in the cache
_MOST = 20  # calls in a turn

Timed = Callable[[], tuple[float, ...]]  # does something and gives the seconds it took, then those of parts of it


def timed(function: Callable[[], Any]) -> Timed:
    """A function that gives the seconds it took, and nothing else."""

    def call() -> tuple[float, ...]:
        started = time.perf_counter()
        function()
        return (time.perf_counter() - started,)

    return call


def in_turns(
    functions: Sequence[Timed],
    repeats: int,
    seconds: float = float("inf"),
    say: Callable[[str], None] = lambda line: None,
    turn: float = TURN,
) -> list[list[tuple[float, ...]]]:
    """Milliseconds that each function takes, round by round: the median of its calls in its turn.

    Args:
        functions: what is timed; the call that warms each one up is not counted.
        repeats: rounds, each with a turn for every function.
        seconds: when this time is over no further round is begun, if there were at least 3.
        say: is told of each round.
        turn: seconds that a turn lasts at least, in at most 20 calls.
    """
    for function in functions:
        function()
    times: list[list[tuple[float, ...]]] = [[] for _ in functions]
    began = time.perf_counter()
    for round_ in range(repeats):
        if round_ >= LEAST and time.perf_counter() - began > seconds:
            break
        say(f"round {round_ + 1} of {repeats}")
        for function, found in zip(functions, times, strict=True):
            found.append(_turn(function, turn))
    return times


def _turn(function: Timed, seconds: float) -> tuple[float, ...]:
    calls: list[tuple[float, ...]] = []
    while sum(call[0] for call in calls) < seconds and len(calls) < _MOST:
        calls.append(function())
    return tuple(1000 * statistics.median(figures) for figures in zip(*calls, strict=True))


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    values = {"median": statistics.median(times), "min": min(times), "max": max(times)}
    return {key: round(value, 3) for key, value in values.items()}


def times_as_fast(reference: Sequence[float], times: Sequence[float]) -> float:
    """The reference's time divided by this one's, the median over the rounds."""
    return statistics.median(a / b for a, b in zip(reference, times, strict=True))
