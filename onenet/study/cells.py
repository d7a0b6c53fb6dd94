"""The cells of a comparison: what is trained for each, in which folder, at which learning rate."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onenet.checkpoint import read_card
from onenet.config import Config
from onenet.errors import TrainError
from onenet.images import atomic_write
from onenet.study.claims import TakenError, claim
from onenet.study.plan import Comparison
from onenet.study.scored_cell import scored
from onenet.study.settings import Cell, called, configuration, folder_name, refuse_other
from onenet.training.folder import RunFolder
from onenet.training.run import Run

_FAILED = "failed.txt"  # why a run gave no model

OnRun = Callable[[Run], None]


class Cells:
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
        self._failed = {one["cell"]: one for one in earlier.get("failed", ())}
        self._earlier_rates = earlier.get("rates", ())

    def known(self, cell: Cell) -> dict[str, Any] | None:
        """What is known of a cell by an earlier result.

        Where that one tried fewer rates: None until all are tried, and where another rate is now the best one. None,
        too, where the plan knows another rate.
        """
        one, model, seed = cell
        found = self._earlier.get((one.name, model, seed))
        if found and self.plan.known_rates.get(model, found["learning_rate"]) != found["learning_rate"]:
            return None
        if not found or not self._has_new_rates(model):
            return found
        if not self._is_searched(model):
            return None
        tried = self._tried(model)
        return found | _by_rate(tried) if self._rate(model, tried) == found["learning_rate"] else None

    def failed_before(self, cell: Cell) -> dict[str, str] | None:
        """What an earlier result says of a cell that gave no model, where no other rate could have come to it since."""
        return None if self._has_new_rates(cell[1]) or self._was_otherwise(cell[1]) else self._failed.get(called(cell))

    def is_trained(self, cell: Cell) -> bool:
        """Whether nothing of a cell, its learning rate included, is left to be trained."""
        model = cell[1]
        if not self._is_searched(model):
            return False
        if self.known(cell):
            return True
        tried = self._tried(model)
        rate = self._rate(model, tried)
        return not rate or _is_finished(self._folder(cell, rate))

    def train(self, cell: Cell) -> None:
        """Search a network's learning rate and train the cell at it, as far as no earlier result has done so.

        Raises:
            TrainError: it diverges, or does so at every rate.
            TakenError: another process is at it.
        """
        rate = self._rate(cell[1], self._tried(cell[1]))
        if not rate:
            raise TrainError(f"{cell[1]} diverges at every rate: {', '.join(f'{rate:g}' for rate in self.plan.rates)}")
        if not self.known(cell):
            self._trained(cell, rate)

    def score(self, cell: Cell) -> dict[str, Any]:
        """What a trained cell costs and scores; kept in its folder."""
        one, model, seed = cell
        tried = self._tried(model)
        rate = self._rate(model, tried)
        folder = self._trained(cell, rate)
        file = folder.path / "cell.json"
        if not file.is_file():
            found = {
                "set": one.name, "folder": f"{one.name}/{folder.path.name}", "model": model, "seed": seed,
                "learning_rate": rate, **_by_rate(tried),
                **scored(folder, self._configuration(cell, rate), self.plan.split),
            }  # fmt: skip
            with atomic_write(file) as written:
                written.write(json.dumps(found, indent=1).encode())
        return json.loads(file.read_text(encoding="utf-8"))

    def _tuning_cell(self, model: str) -> Cell:
        """Where a model's learning rate is searched, unless the plan knows it."""
        return next(one for one in self.plan.sets if one.name == self.plan.tuning_set), model, self.plan.tuning_seed

    def _searched_before(self, model: str) -> dict[str, Any] | None:
        """The cell of an earlier result by which its learning rate was found."""
        one, _, seed = self._tuning_cell(model)
        return self._earlier.get((one.name, model, seed))

    def _left_rates(self, model: str) -> list[float]:
        """The rates of the plan that no earlier result tried."""
        before = self._earlier_rates if self._searched_before(model) else ()
        return [rate for rate in self.plan.rates if rate not in before]

    def _has_new_rates(self, model: str) -> bool:
        return model not in self.plan.known_rates and any(rate not in self._earlier_rates for rate in self.plan.rates)

    def _was_otherwise(self, model: str) -> bool:
        """Whether an earlier result has a network at another rate than the plan knows now."""
        rates = {cell["learning_rate"] for (_, name, _), cell in self._earlier.items() if name == model}
        return model in self.plan.known_rates and bool(rates - {self.plan.known_rates[model]})

    def _is_searched(self, model: str) -> bool:
        tuning, epochs = self._tuning_cell(model), self.plan.tuning_epochs
        return model in self.plan.known_rates or all(
            _is_finished(self._folder(tuning, rate, epochs)) for rate in self._left_rates(model)
        )

    def _tried(self, model: str) -> dict[float, float]:
        """Validation score by learning rate, where it is searched; without the rates at which the network diverges."""
        if model in self.plan.known_rates:
            return {}
        before = self._searched_before(model) or {"validation_by_rate": {}}
        found, taken = {float(rate): score for rate, score in before["validation_by_rate"].items()}, None
        for rate in self._left_rates(model):
            try:
                folder = self._trained(self._tuning_cell(model), rate, self.plan.tuning_epochs)
            except TrainError:
                continue
            except TakenError as error:  # the next rate may be free
                taken = error
                continue
            scores = [row["val_foreground_iou"] for row in folder.read_log()]
            found[rate] = max((score for score in scores if not math.isnan(score)), default=0.0)  # of the epoch kept
        if taken:
            raise taken
        return found

    def _rate(self, model: str, tried: Mapping[float, float]) -> float:
        """A model's own learning rate; 0 where it diverges at every one."""
        return self.plan.known_rates.get(model) or max(tried, key=lambda rate: tried[rate], default=0.0)

    def _folder(self, cell: Cell, rate: float, trial: int = 0) -> RunFolder:
        one, model, seed = cell
        name = f"{folder_name(model)}-rate{rate:g}-seed{seed}{f'-trial{trial}' if trial else ''}"
        return RunFolder(self.out / one.name / name)

    def _configuration(self, cell: Cell, rate: float, trial: int = 0) -> Config:
        own = [f"train.learning_rate={rate:g}", *([f"train.epochs={trial}"] if trial else [])]
        return configuration(self.plan, cell, self.root, self.overrides, own)

    def _trained(self, cell: Cell, rate: float, trial: int = 0) -> RunFolder:
        """The folder of a run that is finished; a `trial` takes so many epochs only."""
        folder, config = self._folder(cell, rate, trial), self._configuration(cell, rate, trial)
        refuse_other(folder, config)
        if not _is_finished(folder):
            with claim(folder.path):
                self._finish(folder, config)
        if (folder.path / _FAILED).is_file():
            raise TrainError((folder.path / _FAILED).read_text(encoding="utf-8"))
        return folder

    def _finish(self, folder: RunFolder, config: Config) -> None:
        if _is_finished(folder):  # by another process, a moment ago
            return
        run = Run(config, folder, resume=(folder.path / "config.toml").is_file())
        try:
            self.on_run(run)
        except TrainError as error:
            with atomic_write(folder.path / _FAILED) as file:
                file.write(str(error).encode())


def _by_rate(tried: Mapping[float, float]) -> dict[str, Any]:
    """What a cell says of the search for its rate."""
    return {"validation_by_rate": {f"{rate:g}": round(score, 5) for rate, score in sorted(tried.items())}}


def _is_finished(folder: RunFolder) -> bool:
    if (folder.path / _FAILED).is_file():
        return True
    if not (folder.path / "config.toml").is_file():
        return False
    rows, train = folder.read_log(), folder.config().train
    if not rows or not train.patience or not folder.model.is_file():
        return bool(rows) and int(rows[-1]["epoch"]) == train.epochs
    return int(rows[-1]["epoch"]) >= read_card(folder.model).last_epoch
