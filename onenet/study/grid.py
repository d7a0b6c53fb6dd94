"""Run a plan cell by cell. A cell that is done is kept, so a study can be stopped and continued at any time."""

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count
from onenet.config import Config, load_config
from onenet.images import atomic_write
from onenet.models.catalog import create_model
from onenet.scoring import evaluate
from onenet.study.plan import Plan
from onenet.study.settings import refuse_other
from onenet.training.folder import RunFolder, environment
from onenet.training.run import Run

MOST_COLUMNS = 4  # of classes in a table


def run_plan(
    plan: Plan, out: Path, overrides: Sequence[str], on_cell: Callable[[Run], None], rescore: bool = False
) -> dict[str, Any]:
    """Train and score every cell that is not done yet, and return the study's result, ready for JSON.

    Args:
        out: holds one run folder per cell; a cell with a `cell.json` is done.
        overrides: laid over the plan's own, for example where the data is.
        on_cell: trains a run that is ready, for example under a progress bar.
        rescore: score the models of the done cells again, without training them.
    """
    cells = []
    for model, seed in _cells(plan):
        folder = RunFolder(out / f"{model}-seed{seed}")
        done = folder.path / "cell.json"
        config = load_config(plan.recipe, [*plan.overrides, *overrides, f"model.name={model}", f"train.seed={seed}"])
        refuse_other(folder, config)
        if not done.is_file():
            _run_cell(config, folder, plan, on_cell)
        elif rescore:
            cell = json.loads(done.read_text(encoding="utf-8"))
            _write_cell(folder, cell | _score(config, folder, plan))
        cells.append(json.loads(done.read_text(encoding="utf-8")))
    return {
        "study": plan.name,
        "recipe": plan.recipe,
        "split": plan.split,
        "environment": environment(),
        "cells": cells,
    }


def _cells(plan: Plan) -> Iterator[tuple[str, int]]:
    return ((model, seed) for seed in plan.seeds for model in plan.models)


def _run_cell(config: Config, folder: RunFolder, plan: Plan, on_cell: Callable[[Run], None]) -> None:
    run = Run(config, folder, resume=(folder.path / "config.toml").is_file())
    on_cell(run)
    scored = _score(config, folder, plan)
    sizes = {key: value for key, value in config.model.items() if key != "name"}
    shape = {"num_classes": len(scored["report"]["classes"]), "in_channels": run.dataset.in_channels}
    cost = measure(lambda: create_model(config.model["name"], **{**shape, **sizes}), config.data.size)
    cell = {
        "model": config.model["name"],
        "sizes": sizes,
        "seed": config.train.seed,
        "epochs": config.train.epochs,
        "size": list(config.data.size),
        "parameters": parameter_count(run.network),
        "gmacs": round(cost.flops / 2e9, 4),
        "train_minutes": round(sum(row["seconds"] for row in run.rows) / 60, 2),
        "precision": run.precision,
        **scored,
    }
    _write_cell(folder, cell)


def _score(config: Config, folder: RunFolder, plan: Plan) -> dict[str, Any]:
    """How many images there are in each split, and the scores on one of them."""
    evaluation = evaluate(folder.model, config.data, plan.split)
    return {
        "images": {split: len(items) for split, items in evaluation.dataset.items.items()},
        "report": evaluation.report.to_dict() | {"per_image": None},
    }


def _write_cell(folder: RunFolder, cell: dict[str, Any]) -> None:
    with atomic_write(folder.path / "cell.json") as file:
        file.write(json.dumps(cell, indent=1).encode())


def to_markdown(result: dict[str, Any]) -> str:
    """A row per model: mean and spread (standard deviation) over the seeds; each class's IoU where they are few."""
    cells: list[dict[str, Any]] = result["cells"]
    classes = [row["name"] for row in cells[0]["report"]["classes"]]
    classes = classes if len(classes) <= MOST_COLUMNS else []
    sizes = {"x".join(map(str, cell["size"])) for cell in cells}  # at which each was trained, and is counted
    gmac = f"GMAC at {sizes.pop()}" if len(sizes) == 1 else "GMAC at the size of training"
    head = ["model", "width", "parameters, M", gmac, "seeds", "mean IoU", *(f"IoU {name}" for name in classes),
            "mean Dice", "pixel accuracy", "cross-entropy"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for model in dict.fromkeys(cell["model"] for cell in cells):
        same = [cell for cell in cells if cell["model"] == model]
        reports = [cell["report"] for cell in same]
        first = same[0]
        row = [model, str(first["sizes"].get("width", "")), f"{first['parameters'] / 1e6:.2f}", f"{first['gmacs']:.2f}",
               str(len(same)), f"**{mean_iou(reports)}**"]  # fmt: skip
        row += [_spread([r["classes"][i]["iou"] for r in reports]) for i in range(len(classes))]
        row += [_spread([r[key] for r in reports]) for key in ("mean_dice", "pixel_accuracy", "cross_entropy")]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def mean_iou(reports: list[dict[str, Any]]) -> str:
    """Mean IoU over the seeds; of a single one with the 95 % interval over the images."""
    interval = reports[0].get("confidence_intervals", {}).get("mean_iou")
    if len(reports) > 1 or not interval:
        return _spread([report["mean_iou"] for report in reports])
    return f"{reports[0]['mean_iou']:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.3f}{spread}"
