"""Run a comparison: train, export to INT8 and score every network on every set, then time all of them together."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onenet
from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count
from onenet.config import Config, load_config
from onenet.errors import ConfigError, OneNetError
from onenet.images import atomic_write
from onenet.models.catalog import create_model
from onenet.scoring import evaluate
from onenet.study.plan import Comparison, ImageSet
from onenet.training.changes import changed_keys
from onenet.training.folder import RunFolder, environment
from onenet.training.results import write_results
from onenet.training.run import Run

COUNTED_AT = (256, 256)  # size of the image whose multiply-adds are counted, and that is timed

OnRun = Callable[[Run], None]
Say = Callable[[str], None]


def run_comparison(
    plan: Comparison, root: str, overrides: Sequence[str], out: Path, on_run: OnRun, say: Say = lambda line: None
) -> dict[str, Any]:
    """Do every cell that is not done yet, and return the result, ready for JSON.

    Args:
        root: the folder that holds the folders of all sets.
        overrides: laid over the plan's own.
        out: holds SET/MODEL-rateR-seedS, a run with a `cell.json` when it is done.
        on_run: trains a run that is ready.
        say: is told which cell is next.

    Raises:
        ConfigError: a folder of `out` holds something else.
        OneNetError: as training and scoring do.
    """
    started = time.monotonic()
    study = _Study(plan, Path(root), out, overrides, on_run)
    missing = []
    for one, model, seed in _cells(plan):
        late = plan.minutes and time.monotonic() - started > 60 * plan.minutes
        if late and not study.is_done(one, model, seed):
            missing.append(f"{one.name} {model} seed {seed}")
            continue
        say(f"{one.name}: {model}, seed {seed}")
        study.cell(one, model, seed)
    return {
        "study": plan.name, "budget": plan.budget, "recipe": plan.recipe, "split": plan.split,
        "rates": list(plan.rates), "environment": environment(), "missing": missing, "cells": study.done,
        "timing": _timed(study.done, out, say),
    }  # fmt: skip


def _timed(cells: Sequence[dict[str, Any]], out: Path, say: Say) -> dict[str, Any]:
    """How long each model's INT8 file takes, each in its fastest runtime; all in turns, so that they meet one load."""
    from onenet.bench.latency import Wanted, measure_latency

    files: dict[str, str] = {}
    for cell in cells:
        if "file" in cell["int8"]:
            files.setdefault(str(out / cell["folder"] / cell["int8"]["file"]), cell["model"])
    first = {model: file for file, model in reversed(files.items())}
    if not first:
        return {"rows": []}
    found = measure_latency(list(first.values()), Wanted(sizes=(COUNTED_AT[0],), repeats=20, fresh=False), say)
    rows = []
    for model, file in first.items():
        own = [row for row in found["rows"] if row["model"] == file]
        best = min(own, key=lambda row: row["ms"]["median"])
        rows.append({"model": model, "runtime": best["runtime"], "ms": best["ms"]})
    about = {key: found[key] for key in ("threads", "processor", "load_before", "load_after", "versions")}
    return {"size": COUNTED_AT[0], "rows": rows, **about}


def _cells(plan: Comparison) -> Iterator[tuple[ImageSet, str, int]]:
    """In the order of their worth: a first seed of everything before the second of anything."""
    return ((one, model, seed) for seed in plan.seeds for one in plan.sets for model in plan.models)


class _Study:
    """The cells of a comparison and what they need of each other: the learning rates."""

    def __init__(self, plan: Comparison, root: Path, out: Path, overrides: Sequence[str], on_run: OnRun) -> None:
        self.plan, self.root, self.out, self.overrides, self.on_run = plan, root, out, overrides, on_run
        self.done: list[dict[str, Any]] = []

    def is_done(self, one: ImageSet, model: str, seed: int) -> bool:
        folders = (self._folder(one, model, rate, seed) for rate in self.plan.rates)
        return any((folder.path / "cell.json").is_file() for folder in folders)

    def cell(self, one: ImageSet, model: str, seed: int) -> None:
        """Train, export and score a cell, unless that is done."""
        tried = self._tried(model)
        rate = max(tried, key=lambda known: tried[known])
        folder = self._trained(one, model, rate, seed)
        file = folder.path / "cell.json"
        if not file.is_file():
            cell = {
                "set": one.name, "folder": f"{one.name}/{folder.path.name}", "model": model, "seed": seed,
                "learning_rate": rate,
                "validation_by_rate": {f"{known:g}": round(value, 5) for known, value in tried.items()},
            }  # fmt: skip
            with atomic_write(file) as written:
                written.write(json.dumps(cell | self._found(folder), indent=1).encode())
        self.done.append(json.loads(file.read_text(encoding="utf-8")))

    def _tried(self, model: str) -> dict[float, float]:
        """Validation score by learning rate, on the first set with the first seed."""
        first, seed = self.plan.sets[0], self.plan.seeds[0]
        folders = {rate: self._trained(first, model, rate, seed) for rate in self.plan.rates}
        reports = {rate: json.loads((folder.path / "report.json").read_text()) for rate, folder in folders.items()}
        return {rate: report["mean_iou"] or 0.0 for rate, report in reports.items()}

    def _folder(self, one: ImageSet, model: str, rate: float, seed: int) -> RunFolder:
        name = model.replace(",", "-").replace("=", "")
        return RunFolder(self.out / one.name / f"{name}-rate{rate:g}-seed{seed}")

    def _trained(self, one: ImageSet, model: str, rate: float, seed: int) -> RunFolder:
        """The folder of a run that is finished."""
        folder = self._folder(one, model, rate, seed)
        name, *sizes = model.split(",")
        config = load_config(
            self.plan.recipe,
            [
                *self.plan.overrides, *one.overrides, *self.overrides, f"data.root={self.root / one.folder}",
                f"model.name={name}", *(f"model.{size}" for size in sizes), f"train.learning_rate={rate:g}",
                f"train.seed={seed}",
            ],
        )  # fmt: skip
        begun = (folder.path / "config.toml").is_file()
        if begun and (keys := changed_keys(folder.config().to_dict(), config)):
            raise ConfigError(f"{folder.path}: holds a cell with {', '.join(keys)}; choose another --out")
        if not (folder.path / "report.json").is_file():
            run = Run(config, folder, resume=begun)
            self.on_run(run)
            write_results(run)
        return folder

    def _found(self, folder: RunFolder) -> dict[str, Any]:
        """What a finished run costs and scores, in float and in INT8."""
        config = folder.config()
        network = onenet.load(folder.path)
        card = network.card
        assert card is not None
        cost = measure(lambda: create_model(card.architecture, **card.arguments), COUNTED_AT)
        evaluation = evaluate(folder.model, config.data, self.plan.split)
        report = evaluation.report.to_dict()
        return {
            "epochs": config.train.epochs, "size": list(config.data.size), "parameters": parameter_count(network),
            "gmacs": round(cost.flops / 2e9, 4),
            "train_minutes": round(sum(row["seconds"] for row in folder.read_log()) / 60, 2),
            "images": {split: len(items) for split, items in evaluation.dataset.items.items()},
            "mean_iou": report["mean_iou"], "interval": report["confidence_intervals"].get("mean_iou"),
            "mean_boundary_f": report["mean_boundary_f"], "int8": self._int8(folder, config),
        }  # fmt: skip

    def _int8(self, folder: RunFolder, config: Config) -> dict[str, Any]:
        """The INT8 file of a run, whatever it loses, and its score on the same images; or why there is none."""
        from onenet.export.exporting import Wanted, make_graphs
        from onenet.export.files import write_onnx
        from onenet.scoring import open_for

        network = onenet.load(folder.path)
        assert network.card is not None
        try:
            graphs = make_graphs(network, Wanted(int8=True, max_drop=100.0), open_for(network.card, config.data))
        except OneNetError as error:
            return {"failed": str(error)}
        files = write_onnx(graphs, folder.path, "model")
        file = next(file for file in reversed(files) if file.name.endswith(".int8.onnx"))
        scored = evaluate(file, config.data, self.plan.split, details=False).report
        return {"file": file.name, "megabytes": round(file.stat().st_size / 1e6, 3), "mean_iou": scored.mean_iou}
