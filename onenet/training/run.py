"""A whole run: data, network, optimiser, epochs with validation, and what is kept of them."""

import dataclasses
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from onenet.card import Card
from onenet.checkpoint import save
from onenet.config import Config
from onenet.data import Dataset, open_dataset
from onenet.data.loader import training_batches
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError, DataError
from onenet.metrics.evaluation import score
from onenet.metrics.report import Report
from onenet.models.catalog import create_model
from onenet.models.eager import EagerRunner
from onenet.models.network import Network
from onenet.scoring import fingerprint
from onenet.training.folder import RunFolder
from onenet.training.loop import OnStep, TrainedEpoch, settle_norms, train_epochs
from onenet.training.losses import SegmentationLoss
from onenet.training.schedule import averaged, warmup_cosine

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its banners are not for our users


@dataclass(frozen=True)
class Epoch:
    """An epoch of a run: what was trained, and the validation scores where it was validated."""

    trained: TrainedEpoch
    report: Report | None
    is_best: bool


class Run:
    """A run that is ready to train: everything is read, built and checked, nothing is trained yet.

    Args:
        config: what to do.
        folder: where to keep it; begun by this constructor, unless `resume`, which continues after its last
            whole epoch as if it had never stopped.
        replace: remove the files of an earlier run on the same data first.

    Raises:
        OneNetError: the configuration, the data or the folder cannot be used.
    """

    def __init__(self, config: Config, folder: RunFolder, resume: bool = False, replace: bool = False) -> None:
        self.config, self.folder = config, folder
        self.dataset = open_dataset(config.data)
        for split in self.dataset.items:  # a wrong file should be named before the first step
            self.dataset.check_sizes(split)
        for split in ("train", "val"):
            self.dataset.read(self.dataset.split(split)[0])
        self.network = build_network(config, self.dataset)
        check_batch(config, self.network, len(self.dataset.split("train")))
        self.batches = training_batches(self.dataset, config)
        self.steps = len(self.batches) * config.train.epochs
        device = choose_device(config.train.device)
        self.precision = choose_precision(config.train.precision, device)
        self.fabric = Fabric(accelerator=device, devices=1, precision=self.precision)  # type: ignore[arg-type]
        optimizer = AdamW(
            self.network.parameters(), lr=config.train.learning_rate, weight_decay=config.train.weight_decay
        )
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        self.schedule = LambdaLR(optimizer, warmup_cosine(self.steps, config.train.warmup))
        self.average = averaged(self.network, config.train.ema)
        self.rows: list[dict[str, float]] = []
        self.best = (-1, 0.0)
        if replace:
            folder.clear_earlier(config)
        if not resume:
            folder.begin(config)
        elif (state := folder.read_state()) is not None:
            self._restore(state)

    @property
    def finished_epochs(self) -> int:
        return len(self.rows)

    def epochs(self, on_step: OnStep = lambda epoch, step, loss: None) -> Iterator[Epoch]:
        """Train the epochs that are left; what an epoch gave is on disk before it is yielded.

        Raises:
            TrainError: the loss is not a number.
            OneNetError: a training image cannot be read, or the folder cannot be written.
        """
        train = self.config.train
        loss = SegmentationLoss(
            self.dataset.num_classes,
            self.dataset.background,
            self.config.loss.background_weight,
            self.config.loss.cross_entropy,
            self.config.loss.dice,
        ).to(self.fabric.device)
        left = range(self.finished_epochs + 1, train.epochs + 1)
        for trained in train_epochs(
            self.fabric, self.model, self.optimizer, self.schedule, self.average, loss, self.batches, left, on_step
        ):
            due = trained.number % train.validate_every == 0 or trained.number == train.epochs
            if due:
                settle_norms(self.average, self.batches, self.fabric.device)
            report = self._validate() if due else None
            is_best = report is not None and _rank(report) > self.best
            if report is not None and is_best:
                self.best = _rank(report)
                self._save_best(report, trained.number)
            self.rows.append(_row(trained, report))
            self.folder.write_log(self.rows)
            self.folder.write_state(self._state())
            yield Epoch(trained, report, is_best)

    def _validate(self) -> Report:
        averaged_network = _inner(self.average)
        segmenter = Segmenter(EagerRunner(averaged_network), _card(averaged_network))
        return score(segmenter, self.dataset.samples("val"), _card(self.network), self.dataset.name, "val")

    def _save_best(self, report: Report, epoch: int) -> None:
        network = _inner(self.average)
        card = _card(self.network)
        card = card.replace(
            training={**card.training, "best_epoch": epoch},
            scores={"val": report.to_dict() | {"per_image": None, "confusion_matrix": None}},
        )
        save(network, self.folder.model, card)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best": list(self.best),
            "rows": self.rows,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.network.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.best = (state["best"][0], state["best"][1])
            self.rows = state["rows"]
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
            path = self.folder.path / "last.ckpt"
            raise DataError(f"{path}: belongs to another network than config.toml beside it describes") from None


def build_network(config: Config, dataset: Dataset) -> Network:
    """The network that a run trains, with a card that says for which classes; weights drawn from `train.seed`.

    Raises:
        ConfigError: the [model] table contradicts the network or the data.
    """
    sizes = dict(config.model)
    name = sizes.pop("name")
    for key, value in (("num_classes", dataset.num_classes), ("in_channels", dataset.in_channels)):
        if sizes.setdefault(key, value) != value:
            raise ConfigError(f"model.{key}={sizes[key]}, but the data has {value}; leave it out, or set data.{key}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        network = create_model(name, **sizes)
    counts = {split: len(items) for split, items in dataset.items.items()}
    network.card = _card(network).replace(
        classes=dataset.classes,
        colours=dataset.colours,
        background=dataset.background,
        size=config.data.size,
        fit=config.data.fit,
        training={
            "data": dataset.name,
            "format": config.data.format,
            "images": counts,
            "split": {key: getattr(config.data, key) for key in ("val", "test", "split_seed")},
            "seen": sorted(fingerprint(item) for split in ("train", "val") for item in dataset.items[split]),
            "recipe": config.name,
            **{k: v for k, v in dataclasses.asdict(config.train).items() if k not in ("workers", "device")},
        },
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def check_batch(config: Config, network: Network, images: int) -> None:
    """Batch norm needs more than one value per channel, at the coarsest level too."""
    batch = min(config.train.batch, images)
    h, w = (math.ceil(length / network.stride) for length in config.data.size)
    if batch * h * w == 1:
        cause = "train.batch=1" if config.train.batch == 1 else "one training image"
        raise ConfigError(
            f"{cause} with data.size={list(config.data.size)} leaves batch norm one value at the coarsest level; "
            f"use a batch of at least 2, or a size above {network.stride}"
        )


def choose_device(device: str) -> str:
    """The accelerator that `train.device` means on this machine.

    Raises:
        ConfigError: it is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise ConfigError(f"train.device={device}: torch finds no such device here; use auto or cpu")
    return device


def choose_precision(precision: str, device: str) -> str:
    """The precision that `train.precision` means on `device`.

    Raises:
        ConfigError: the device does not compute in it.
    """
    if precision == "auto":
        return "bf16-mixed" if computes_bf16(device) else "32-true"
    if precision == "16-mixed" and device == "cpu":
        raise ConfigError("train.precision=16-mixed: a CPU does not compute in it; use bf16-mixed, 32-true or auto")
    return precision


def computes_bf16(device: str) -> bool:
    """Whether the device has bf16 arithmetic of its own, rather than emulating it."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    if device == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16") or has.get("bf16"))
    return False


def _inner(average: AveragedModel) -> Network:
    module = average.module
    assert isinstance(module, Network)
    return module


def _card(network: Network) -> Card:
    assert network.card is not None
    return network.card


def _rank(report: Report) -> tuple[int, float]:
    """Higher is better: mean IoU without the background; where that is undefined, the lowest loss."""
    score = report.foreground_iou
    if not math.isnan(score):
        return 1, score
    return 0, -math.inf if math.isnan(report.cross_entropy) else -report.cross_entropy


def _row(trained: TrainedEpoch, report: Report | None) -> dict[str, float]:
    nan = float("nan")
    return {
        "epoch": float(trained.number),
        "train_loss": trained.loss,
        "learning_rate": trained.learning_rate,
        "val_mean_iou": report.mean_iou if report else nan,
        "val_foreground_iou": report.foreground_iou if report else nan,
        "val_cross_entropy": report.cross_entropy if report else nan,
        "seconds": trained.seconds,
    }


def train(config: Config, out: str | Path) -> Path:
    """Do a whole run silently and return the folder that it filled."""
    folder = RunFolder(out)
    for _ in Run(config, folder).epochs():
        pass
    return folder.path
