"""Run a comparison: train every network on every set, export and score all of them, then time them together.

Training comes first, so that on a machine that is lent with a GPU nothing else takes its time; several processes may
train the cells of one study together.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onenet.errors import TrainError
from onenet.study.cells import Cells, OnRun
from onenet.study.claims import TakenError
from onenet.study.plan import Comparison
from onenet.study.settings import called, cells_of, refuse_earlier, refuse_unready, with_overrides
from onenet.study.timing import timing_of
from onenet.training.folder import environment

_PAUSE = 2.0  # seconds between two looks at what other processes are doing

Say = Callable[[str], None]


def run_comparison(
    plan: Comparison,
    root: str,
    overrides: Sequence[str],
    out: Path,
    on_run: OnRun,
    say: Say = lambda line: None,
    train: bool = True,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Do every cell that is not done yet, and return the result, ready for JSON.

    Args:
        root: the folder that holds the folders of all sets.
        overrides: laid over the plan's own.
        out: holds SET/MODEL-rateR-seedS, a run with a `cell.json` when it is done.
        on_run: trains a run that is ready.
        say: is told which cell is next.
        train: False scores what is trained, and trains nothing.
        earlier: a result of the same study whose folders may be gone: its cells, those that failed among them, and
            rates are taken as they are, and its times unless there are new networks and the files of all are in `out`.

    Raises:
        ConfigError: a change is wrong, a folder of `out` holds something else, or `earlier` is of another study or
            setting.
        DataError: folders of sets are missing.
        OneNetError: as training and scoring do; a run that diverges is a cell that failed instead.
    """
    refuse_unready(plan, earlier or {}, Path(root), overrides)
    refuse_earlier(plan, earlier or {}, Path(root), overrides)
    study = Cells(plan, Path(root), out, overrides, on_run, earlier or {})
    missing, failed = _train(study, plan, say, train)
    left_out = {*missing, *(one["cell"] for one in failed)}
    done = []
    for cell in cells_of(plan):
        if called(cell) in left_out:
            continue
        if not (found := study.known(cell)):
            say(f"scoring {called(cell)}")
            found = study.score(cell)
        done.append(found)
    return {
        "study": plan.name, "budget": plan.budget, "recipe": plan.recipe, "split": plan.split,
        "rates": list(plan.rates), "environment": environment(), **with_overrides(overrides),
        "missing": missing, "failed": failed, "cells": done,
        **timing_of(done, plan.sets[0].name, out, say, earlier or {}),
    }  # fmt: skip


def train_comparison(
    plan: Comparison,
    root: str,
    overrides: Sequence[str],
    out: Path,
    on_run: OnRun,
    say: Say = lambda line: None,
    earlier: Mapping[str, Any] | None = None,
) -> list[str]:
    """Train what `run_comparison` would, beside other processes that do the same, and score nothing.

    Args:
        earlier: a result of the same study: its cells are not trained again, nor those that failed, and its learning
            rates are taken.

    Returns:
        The cells that are not trained.

    Raises:
        ConfigError, DataError, OneNetError: as `run_comparison`.
    """
    refuse_unready(plan, earlier or {}, Path(root), overrides)
    refuse_earlier(plan, earlier or {}, Path(root), overrides)
    missing, failed = _train(Cells(plan, Path(root), out, overrides, on_run, earlier or {}), plan, say, True)
    return missing + [one["cell"] for one in failed]


def _train(study: Cells, plan: Comparison, say: Say, train: bool) -> tuple[list[str], list[dict[str, str]]]:
    """Train every cell, whatever another process works on later; which are missing, and which failed and why."""
    started, missing = time.monotonic(), []
    failed = [one for cell in cells_of(plan) if (one := study.failed_before(cell))]
    left = [cell for cell in cells_of(plan) if not study.known(cell) and not study.failed_before(cell)]
    told: set[str] = set()
    while left:
        taken = []
        for cell in left:
            late = not train or (plan.minutes and time.monotonic() - started > 60 * plan.minutes)
            if late and not study.is_trained(cell):
                missing.append(called(cell))
                continue
            if called(cell) not in told and not study.is_trained(cell):
                say(f"training {called(cell)}")
            told.add(called(cell))
            try:
                study.train(cell)
            except TakenError:
                taken.append(cell)
            except TrainError as error:
                failed.append({"cell": called(cell), "reason": str(error)})
        if len(taken) == len(left):
            time.sleep(_PAUSE)
        left = taken
    return missing, failed
