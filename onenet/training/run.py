"""A whole run: data, network, optimiser, epochs with validation, and what is kept of them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onenet.checkpoint import save
from onenet.config import Config
from onenet.data.loader import TrainingBatches
from onenet.errors import ConfigError, DataError
from onenet.metrics.report import Report
from onenet.training.changes import changed_data, changed_keys, data_of, expecting_mended
from onenet.training.distributed import (
    all_sum,
    gathered,
    lost_processes_named,
    of_the_first,
    rank,
    together,
    world,
)
from onenet.training.folder import RunFolder
from onenet.training.images import open_images
from onenet.training.learner import Learner
from onenet.training.loop import OnStep, TrainedEpoch, settle_norms, train_epochs
from onenet.training.losses import SegmentationLoss
from onenet.training.machine import choose_precision, start
from onenet.training.memory import advice, advice_for_validation, within_memory
from onenet.training.network import build_network, card_of, check_batch
from onenet.training.random_states import drawing_from, seeded
from onenet.training.starting import begin, freeze, with_seen
from onenet.training.tensorboard import Curves
from onenet.training.truth import AllSum, alone
from onenet.training.validation import one_class_only, rank_of, validate
from onenet.training.weights import balance_weights, class_frequencies


@dataclass(frozen=True)
class Epoch:
    """An epoch of a run: what was trained, and the validation scores where it was validated.

    Attributes:
        warning: a line where the validation found one class alone.
    """

    trained: TrainedEpoch
    report: Report | None
    is_best: bool
    warning: str | None = None


class Run:
    """A run that is ready to train: everything is read, built and checked, nothing is trained yet.

    With several devices each process has a Run; the first one alone validates and writes.

    Args:
        config: what to do.
        folder: where to keep it; begun by this constructor, unless `resume`, which continues after its last
            whole epoch as if it had never stopped.
        replace: remove the files of an earlier run on the same data first.

    Attributes:
        rows: the lines of the log.
        best: rank of the best validation so far: (1, mean IoU without background), or (0, -loss).
        stale: validations since then.
        class_pixels: of the training masks, where `loss.balance` asks for them.
        started_from: a line about the weights that `train.init` gave.
        starts_whole: whether it gave all of them.
        kept: a line about the weights that `train.freeze` keeps.
        skipped: images left out because they cannot be read (name -> reason).

    Raises:
        OneNetError: the configuration, the data or the folder cannot be used; for `resume`: they have changed.
    """

    def __init__(self, config: Config, folder: RunFolder, resume: bool = False, replace: bool = False) -> None:
        self.config = config = config.anchored()
        self.fabric = start(config.train)
        self.device = self.fabric.device
        self.precision = choose_precision(config.train.precision, self.device.type)
        self.is_first = rank() == 0
        self.folder = folder = RunFolder(of_the_first(folder.path))
        self.rows: list[dict[str, float]] = []
        self.best, self.stale = (-1, 0.0), 0
        self.class_pixels: tuple[int, ...] | None = None
        state: dict[str, Any] | None = None
        with together():
            state = folder.read_state() if resume and self.is_first else None
        state = of_the_first(state)
        with together():
            self._read_data(state)
            if config.loss.balance != "none" and self.is_first:
                counts = class_frequencies(self.dataset, self.dataset.split("train"))
                self.class_pixels = tuple(int(count) for count in counts)
        self.class_pixels = of_the_first(self.class_pixels)
        with together():
            self._build(state)
        self.learner = Learner(self.fabric, self.network, config, len(self.batches))
        self.chance = seeded(config.train.seed + rank(), self.device)
        with together():
            if state is not None:
                self._restore(state)
            elif self.is_first and not resume:
                folder.begin(config, replaced=replace and folder.clear_earlier(config))
            if self.is_first:
                folder.sweep()

    def _read_data(self, state: dict[str, Any] | None) -> None:
        config = self.config
        if state is not None and (keys := changed_keys(state.get("config", config.to_dict()), config)):
            raise ConfigError(
                f"{self.folder.path / 'config.toml'}: differs from what the run was begun with "
                f"({self.folder.path / 'last.ckpt'}): {', '.join(keys)}; put it back, or begin another run "
                "with another --out"
            )
        images = open_images(config)
        self.dataset, self.skipped = images.used, images.left_out
        self.data = data_of(images.found)
        if state is not None and (changes := changed_data(state, self.data)):
            raise DataError(
                f"{self.folder.path}: the data has changed since the run was begun: {'; '.join(changes)}; "
                "put it back, or begin another run with another --out"
            )

    def _build(self, state: dict[str, Any] | None) -> None:
        config, dataset = self.config, self.dataset
        self.network = build_network(config, dataset)
        start = begin(self.network, config.train) if state is None else None
        self.started_from = start.line if start else ""
        self.starts_whole = start is not None and not start.new
        self.seen_before = start.seen if start else (state or {}).get("seen_before", {})
        self.network.card = with_seen(card_of(self.network), self.seen_before)
        self.kept = freeze(self.network, config.train.freeze)
        check_batch(config, self.network, config.train.samples or len(dataset.split("train")))
        self.batches = TrainingBatches(dataset, config, self.device, rank(), world())
        loss = self._make_loss()
        card = card_of(self.network)
        self.network.card = card.replace(training={**card.training, "class_weights": list(loss.class_weights)})
        self.curves: Curves | None = None
        if config.train.tensorboard and self.is_first:
            self.curves = Curves(self.folder.path / "tensorboard")

    def _make_loss(self, sum_over: AllSum = all_sum) -> SegmentationLoss:
        dataset, config = self.dataset, self.config.loss
        weights = None if self.class_pixels is None else balance_weights(self.class_pixels, config.balance)
        return SegmentationLoss(
            dataset.num_classes, dataset.background, config, dataset.overlapping, weights, sum_over
        ).to(self.device)

    @property
    def steps(self) -> int:
        return len(self.batches) * self.config.train.epochs

    @property
    def finished_epochs(self) -> int:
        return len(self.rows)

    @property
    def stopped_early(self) -> bool:
        """Whether `train.patience` has ended the run."""
        return 0 < self.config.train.patience <= self.stale

    @property
    def is_finished(self) -> bool:
        return self.stopped_early or self.finished_epochs == self.config.train.epochs

    def epochs(self, on_step: OnStep = lambda epoch, step, loss: None) -> Iterator[Epoch]:
        """Train the epochs that are left; what an epoch gave is on disk before it is yielded.

        Raises:
            TrainError: the loss is not a number, or the memory does not suffice.
            OneNetError: an image cannot be read, or the folder cannot be written.
        """
        train = self.config.train
        left = range(self.finished_epochs + 1, train.epochs + 1)
        epochs = train_epochs(self.learner, self._make_loss(), self.batches, left, on_step)
        try:
            while not self.is_finished:
                with lost_processes_named(), drawing_from(self.chance, self.device):
                    trained = within_memory(lambda: next(epochs), self._advice)
                with lost_processes_named():
                    epoch = self._after(trained)
                yield epoch
        except DataError as error:
            self._expect_mended(str(error))
            raise
        finally:
            self.batches.close()
            if self.curves:
                self.curves.close()

    def _after(self, trained: TrainedEpoch) -> Epoch:
        """Validate where it is due, and write everything down."""
        train, started = self.config.train, time.perf_counter()
        due = trained.number % train.validate_every == 0 or trained.number == train.epochs
        if due:
            within_memory(lambda: settle_norms(self.learner.average, self.batches), self._advice)
        for skipped in gathered(self.batches.skipped):
            self.skipped |= skipped
        chances = gathered(self.chance)
        report, is_best = None, False
        with together():
            if due and self.is_first:
                report = self._validate(trained.number)
                is_best = rank_of(report) > self.best or self.config.data.train_with_val
                self.stale = 0 if is_best else self.stale + 1
                if is_best:
                    self.best = rank_of(report)
                    self._save_best(report, trained.number)
            self.rows.append(_row(trained, report, time.perf_counter() - started, len(self.skipped)))
            if self.is_first:
                self.folder.write_log(self.rows)
                if self.curves:
                    self.curves.write(self.rows[-1])
                self.folder.write_state(self._state(chances))
        self.best, self.stale = of_the_first((self.best, self.stale))
        return Epoch(trained, report, is_best, one_class_only(report) if report else None)

    def _validate(self, epoch: int) -> Report:
        network = self.learner.averaged_network
        network.card = card_of(self.network)
        picture = self.folder.path / "examples" / f"epoch-{epoch:04d}.jpg"
        report, left_out = within_memory(
            lambda: validate(network, self.dataset, self.config.train.examples, picture),
            lambda: self._advice(advice_for_validation),
        )
        self.skipped |= left_out
        return report

    def _advice(self, say: Any = advice) -> str:
        """What to do about too little memory: found by trying smaller batches on a copy that asks no other process."""
        config = self.config
        size, mask_size = config.data.size, config.data.mask_size
        attempt = self.learner.trial(self._make_loss(alone), size, mask_size if any(mask_size) else size)
        batch = min(config.train.batch, config.train.samples or len(self.dataset.split("train")))
        return say(config, self.device.type, -(-batch // world()), world(), attempt)

    def _save_best(self, report: Report, epoch: int) -> None:
        card = card_of(self.network)
        skipped = {"skipped": len(self.skipped)} if self.skipped else {}  # their names may be those of patients
        card = card.replace(
            training={**card.training, "best_epoch": epoch, "precision": self.precision, **skipped},
            scores={"val": report.to_dict() | {"per_image": None, "confusion_matrix": None}},
        )
        save(self.learner.averaged_network, self.folder.model, card)

    def _state(self, chances: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "config": self.config.to_dict(),
            **self.data,
            **self.learner.state(),
            "random": chances,
            "best": list(self.best),
            "stale": self.stale,
            "skipped": self.skipped,
            "seen_before": self.seen_before,
            "rows": self.rows,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.learner.restore(state)
            if rank() < len(state["random"]):  # there may be more processes now
                self.chance.update(state["random"][rank()])
            self.best, self.stale = (state["best"][0], state["best"][1]), state["stale"]
            self.skipped = {**state["skipped"], **self.skipped}
            self.rows = state["rows"]
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
            path = self.folder.path / "last.ckpt"
            raise DataError(f"{path}: belongs to another network than config.toml beside it and the classes of the "
                            "data describe") from None  # fmt: skip

    def _expect_mended(self, message: str) -> None:
        """Let the file that stopped the run have another content when it is resumed."""
        state = self.folder.read_state() if self.is_first else None
        if state is not None:
            self.folder.write_state(state | {"data": expecting_mended(state.get("data", {}), self.dataset, message)})


def _row(trained: TrainedEpoch, report: Report | None, validation: float, skipped: int) -> dict[str, float]:
    nan = float("nan")
    return {
        "epoch": float(trained.number),
        "train_loss": trained.loss,
        "learning_rate": trained.learning_rate,
        "val_mean_iou": report.mean_iou if report else nan,
        "val_foreground_iou": report.foreground_iou if report else nan,
        "val_cross_entropy": report.cross_entropy if report else nan,
        "seconds": trained.seconds,
        "validation_seconds": validation if report else 0.0,
        "images_per_second": trained.images_per_second,
        "waiting": trained.waiting,
        "skipped": float(skipped),
    }
