"""Run a comparison: train every network on every set, export and score all of them, then time them together.

Training comes first, so that on a machine that is lent with a GPU nothing else takes its time.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onenet
from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count
from onenet.config import Config, load_config
from onenet.errors import ConfigError, FailedCheckError, OneNetError, TrainError
from onenet.images import atomic_write
from onenet.models.catalog import create_model
from onenet.scoring import evaluate
from onenet.study.plan import Comparison, ImageSet
from onenet.study.timing import COUNTED_AT, timed
from onenet.training.changes import changed_keys
from onenet.training.folder import RunFolder, environment
from onenet.training.results import write_results
from onenet.training.run import Run

_FAILED = "failed.txt"  # why a run gave no model
_MAX_DROP = 0.5  # points of mean IoU that INT8 may lose, as in `onenet export`

OnRun = Callable[[Run], None]
Say = Callable[[str], None]
Cell = tuple[ImageSet, str, int]


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
        earlier: a result of the same study whose folders may be gone: its cells, rates and times are taken as they are.

    Raises:
        ConfigError: a folder of `out` holds something else, or `earlier` is of another study.
        OneNetError: as training and scoring do; a run that diverges is a cell that failed instead.
    """
    _refuse_another(plan, earlier or {})
    study, started = _Study(plan, Path(root), out, overrides, on_run, earlier or {}), time.monotonic()
    missing, failed, cells = [], [], []
    for cell in _cells(plan):
        if study.known(cell):
            cells.append(cell)
            continue
        late = not train or (plan.minutes and time.monotonic() - started > 60 * plan.minutes)
        if late and not study.is_trained(cell):
            missing.append(_called(cell))
            continue
        say(f"training {_called(cell)}")
        try:
            study.train(cell)
        except TrainError as error:
            failed.append({"cell": _called(cell), "reason": str(error)})
            continue
        cells.append(cell)
    done = []
    for cell in cells:
        if not (found := study.known(cell)):
            say(f"scoring {_called(cell)}")
            found = study.score(cell)
        done.append(found)
    return {
        "study": plan.name, "budget": plan.budget, "recipe": plan.recipe, "split": plan.split,
        "rates": list(plan.rates), "environment": environment(), "missing": missing, "failed": failed, "cells": done,
        "timing": earlier["timing"] if earlier else timed(done, plan.sets[0].name, out, say),
    }  # fmt: skip


def _refuse_another(plan: Comparison, earlier: Mapping[str, Any]) -> None:
    for key in ("study", "budget", "recipe", "split", "rates"):
        ours = {"study": plan.name, "rates": list(plan.rates)}.get(key) or getattr(plan, key)
        if earlier and earlier.get(key) != ours:
            raise ConfigError(f"the earlier result has {key} {earlier.get(key)!r}, this study has {ours!r}; "
                              "only a result of the same study can be continued")  # fmt: skip


def _cells(plan: Comparison) -> Iterator[Cell]:
    """In the order of their worth: a first seed of everything before the second of anything."""
    return ((one, model, seed) for seed in plan.seeds for one in plan.sets for model in plan.models)


def _called(cell: Cell) -> str:
    one, model, seed = cell
    return f"{one.name}: {model}, seed {seed}"


class _Study:
    """The cells of a comparison and what they need of each other: the learning rates."""

    def __init__(
        self,
        plan: Comparison,
        root: Path,
        out: Path,
        overrides: Sequence[str],
        on_run: OnRun,
        earlier: Mapping[str, Any],
    ) -> None:
        self.plan, self.root, self.out, self.overrides, self.on_run = plan, root, out, overrides, on_run
        self._earlier = {(cell["set"], cell["model"], cell["seed"]): cell for cell in earlier.get("cells", ())}

    def known(self, cell: Cell) -> dict[str, Any] | None:
        """The cell in an earlier result."""
        one, model, seed = cell
        return self._earlier.get((one.name, model, seed))

    def is_trained(self, cell: Cell) -> bool:
        """Whether nothing of a cell, its learning rate included, is left to be trained."""
        model, tuning = cell[1], (self.plan.sets[0], cell[1], self.plan.tuning_seed)
        searched = [self._folder(tuning, rate) for rate in self.plan.rates]
        if not self.known(tuning) and not all(_is_finished(folder) for folder in searched):
            return False
        tried = self._tried(model)
        return not tried or _is_finished(self._folder(cell, _best(tried)))

    def train(self, cell: Cell) -> RunFolder:
        """The finished run of a cell, at the network's own learning rate.

        Raises:
            TrainError: it diverges, or does so at every rate.
        """
        tried = self._tried(cell[1])
        if not tried:
            raise TrainError(f"{cell[1]} diverges at every rate: {', '.join(f'{rate:g}' for rate in self.plan.rates)}")
        return self._trained(cell, _best(tried))

    def score(self, cell: Cell) -> dict[str, Any]:
        """What a trained cell costs and scores; kept in its folder."""
        one, model, seed = cell
        tried = self._tried(model)
        rate = _best(tried)
        folder = self._trained(cell, rate)
        file = folder.path / "cell.json"
        if not file.is_file():
            found = {
                "set": one.name, "folder": f"{one.name}/{folder.path.name}", "model": model, "seed": seed,
                "learning_rate": rate,
                "validation_by_rate": {f"{known:g}": round(value, 5) for known, value in tried.items()},
                **_found(folder, self.plan.split),
            }  # fmt: skip
            with atomic_write(file) as written:
                written.write(json.dumps(found, indent=1).encode())
        return json.loads(file.read_text(encoding="utf-8"))

    def _tried(self, model: str) -> dict[float, float]:
        """Validation score by learning rate, on the first set; without the rates at which the network diverges."""
        if known := self.known((self.plan.sets[0], model, self.plan.tuning_seed)):
            return {float(rate): score for rate, score in known["validation_by_rate"].items()}
        found = {}
        for rate in self.plan.rates:
            try:
                folder = self._trained((self.plan.sets[0], model, self.plan.tuning_seed), rate)
            except TrainError:
                continue
            report = json.loads((folder.path / "report.json").read_text(encoding="utf-8"))
            found[rate] = report["foreground_iou"] or 0.0  # by which the best epoch is chosen, too
        return found

    def _folder(self, cell: Cell, rate: float) -> RunFolder:
        one, model, seed = cell
        name = model.replace(",", "-").replace("=", "")
        return RunFolder(self.out / one.name / f"{name}-rate{rate:g}-seed{seed}")

    def _trained(self, cell: Cell, rate: float) -> RunFolder:
        """The folder of a run that is finished."""
        folder, (one, model, seed) = self._folder(cell, rate), cell
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
        if (folder.path / _FAILED).is_file():
            raise TrainError((folder.path / _FAILED).read_text(encoding="utf-8"))
        if not _is_finished(folder):
            run = Run(config, folder, resume=begun)
            try:
                self.on_run(run)
                write_results(run)
            except TrainError as error:
                with atomic_write(folder.path / _FAILED) as file:
                    file.write(str(error).encode())
                raise
        return folder


def _is_finished(folder: RunFolder) -> bool:
    return (folder.path / "report.json").is_file() or (folder.path / _FAILED).is_file()


def _best(tried: dict[float, float]) -> float:
    return max(tried, key=lambda rate: tried[rate])


def _found(folder: RunFolder, split: str) -> dict[str, Any]:
    """What a finished run costs and scores, in float and in INT8."""
    config = folder.config()
    network = onenet.load(folder.path)
    card = network.card
    assert card is not None
    cost = measure(lambda: create_model(card.architecture, **card.arguments), COUNTED_AT)
    evaluation = evaluate(folder.model, config.data, split)
    report = evaluation.report.to_dict()
    return {
        "epochs": config.train.epochs, "size": list(config.data.size), "parameters": parameter_count(network),
        "gmacs": round(cost.flops / 2e9, 4),
        "train_minutes": round(sum(row["seconds"] for row in folder.read_log()) / 60, 2),
        "images": {split: len(items) for split, items in evaluation.dataset.items.items()},
        "mean_iou": report["mean_iou"], "interval": report["confidence_intervals"].get("mean_iou"),
        "mean_boundary_f": report["mean_boundary_f"], "files": _exported(folder, config, split),
    }  # fmt: skip


def _exported(folder: RunFolder, config: Config, split: str) -> dict[str, Any]:
    """The ONNX files of a run by precision, with the score of the INT8 one on the same images; or why there are none.

    INT8 as `onenet export` makes it, with layers left in float where it would lose more than half a point; where even
    that does not hold, as it is.
    """
    from onenet.export.exporting import Wanted, make_graphs
    from onenet.export.files import write_onnx
    from onenet.scoring import open_for

    network = onenet.load(folder.path)
    assert network.card is not None
    data = open_for(network.card, config.data)
    try:
        try:
            graphs = make_graphs(network, Wanted(int8=True, max_drop=_MAX_DROP), data)
        except FailedCheckError:
            graphs = make_graphs(network, Wanted(int8=True, max_drop=100.0), data)
    except OneNetError as error:
        return {"failed": str(error)}
    names = {
        made.suffix: path.name for made, path in zip(graphs, write_onnx(graphs, folder.path, "model"), strict=True)
    }
    integers = next(made for made in reversed(graphs) if made.description.precision == "int8")
    file = folder.path / names[integers.suffix]
    scored = evaluate(file, config.data, split, details=False).report
    return {
        "float": [name for suffix, name in names.items() if "int8" not in suffix],
        "int8": [name for suffix, name in names.items() if "int8" in suffix],
        "megabytes": round(file.stat().st_size / 1e6, 3), "mean_iou": scored.mean_iou,
        "islands": len(integers.islands), "kept_float": list(integers.description.kept_float),
    }  # fmt: skip
