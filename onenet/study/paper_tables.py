"""Measure a table of the paper anew, cell by cell: true figures, the authors' own, and what is printed.

A cell that is done is kept, so the study can be stopped and continued at any time.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count
from onenet.config import VOLUMES
from onenet.errors import TrainError
from onenet.images import atomic_write
from onenet.metrics.evaluation import score
from onenet.models.catalog import arguments_of, create_model
from onenet.scoring import Evaluation, evaluate
from onenet.study.plan import PaperTable
from onenet.study.settings import (
    called,
    cells_of,
    configuration,
    folder_name,
    refuse_earlier,
    refuse_other,
    refuse_unready,
    with_overrides,
)
from onenet.study.timing import COUNTED_AT
from onenet.training.folder import RunFolder, environment
from onenet.training.network import card_of
from onenet.training.run import Run

Say = Callable[[str], None]


def run_table(
    plan: PaperTable,
    root: Path,
    overrides: Sequence[str],
    out: Path,
    on_run: Callable[[Run], None],
    say: Say = lambda line: None,
    train: bool = True,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Do every cell that is not done yet, and return the result, ready for JSON.

    Args:
        root: the folder that holds the folders of all sets.
        overrides: laid over the plan's own.
        out: holds SET/MODEL-seedS, a run with a `cell.json` when it is done.
        on_run: trains a run that is ready.
        say: is told which cell is next.
        train: False shows what is done, and trains nothing.
        earlier: a result of the same study whose folders may be gone: its cells are taken as they are.

    Raises:
        ConfigError: a change is wrong, a folder of `out` holds something else, or `earlier` is of another study or
            setting.
        DataError: folders of sets are missing.
        OneNetError: as training and scoring do; a run that diverges is a cell that failed instead.
    """
    refuse_unready(plan, earlier or {}, root, overrides)
    refuse_earlier(plan, earlier or {}, root, overrides)
    known = {(cell["set"], cell["model"], cell["seed"]): cell for cell in (earlier or {}).get("cells", ())}
    started, done, missing, failed = time.monotonic(), [], [], []
    for cell in cells_of(plan):
        one, model, seed = cell
        if found := known.get((one.name, model, seed)):
            done.append(found)
            continue
        folder = RunFolder(out / one.name / f"{folder_name(model)}-seed{seed}")
        file = folder.path / "cell.json"
        config = configuration(plan, cell, root, overrides)
        refuse_other(folder, config)
        if not file.is_file():
            if not train or (plan.minutes and time.monotonic() - started > 60 * plan.minutes):
                missing.append(called(cell))
                continue
            say(f"training {called(cell)}")
            try:
                on_run(run := Run(config, folder, resume=(folder.path / "config.toml").is_file()))
            except TrainError as error:
                failed.append({"cell": called(cell), "reason": str(error)})
                continue
            with atomic_write(file) as written:
                found = {"set": one.name, "model": model, "seed": seed, **_found(run, plan.split)}
                written.write(json.dumps(found, indent=1).encode())
        done.append(json.loads(file.read_text(encoding="utf-8")))
    return {
        "study": plan.name, "budget": plan.budget, "recipe": plan.recipe, "split": plan.split,
        "environment": environment(), **with_overrides(overrides), "missing": missing, "failed": failed, "cells": done,
    }  # fmt: skip


def _found(run: Run, split: str) -> dict[str, Any]:
    """What a finished run cost and scores, in our figures and in the authors'."""
    config, card = run.config, card_of(run.network)
    of_volumes = config.data.format in VOLUMES
    evaluation = evaluate(run.folder.model, config.data, split, authors=not of_volumes)
    cost = measure(lambda: create_model(card.architecture, **arguments_of(card)), COUNTED_AT)
    return {
        "epochs": config.train.epochs, "size": list(config.data.size), "precision": run.precision,
        "parameters": parameter_count(run.network), "gmacs": round(cost.flops / 2e9, 4),
        "train_minutes": round(sum(row["seconds"] for row in run.rows) / 60, 2),
        "images": {name: len(evaluation.dataset.sources(name)) for name in evaluation.dataset.items},
        "report": evaluation.to_dict() | {"per_image": None}
        | ({"slices": _of_slices(evaluation, split)} if of_volumes else {}),
    }  # fmt: skip


def _of_slices(evaluation: Evaluation, split: str) -> dict[str, Any]:
    """What volumes score as the paper does it: their slices, as training sees them, as so many images."""
    dataset, segmenter = evaluation.dataset, evaluation.segmenter
    samples, card = dataset.samples(split), segmenter.card
    report = score(segmenter, samples, card, dataset.name, split, details=True, authors=not card.overlapping).to_dict()
    return {key: report.get(key) for key in ("mean_iou", "mean_average_precision", "cross_entropy", "authors")}
