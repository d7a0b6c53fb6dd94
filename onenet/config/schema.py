"""The tables of a recipe, typed and frozen, and what their values may be; the keys are explained in default.toml."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

VOLUMES = ("msd", "nnunet", "volumes")  # formats whose images are slices of volumes
FORMATS = ("folder", "camvid", "voc", "pet-small", "pet-binary", "pet-full", *VOLUMES)
SAMPLES = "samples:"  # data.root = "samples:nuclei" is the folder of that name inside the package


@dataclass(frozen=True)
class DataConfig:
    """Which images, how their masks are read, and how they are brought to the network."""

    format: str
    root: str
    size: tuple[int, int]
    mask_size: tuple[int, int]
    fit: str
    val: float
    test: float
    split_seed: int
    folds: int
    fold: int
    train_with_val: bool
    num_classes: int
    in_channels: int
    value_range: tuple[float, float]
    class_names: tuple[str, ...]
    class_values: tuple[str, ...]
    class_table: str
    mask_encoding: str
    background: int
    ignore_index: int
    overlapping: bool
    border: str
    axis: str
    spacing: tuple[str, ...]
    intensity: str
    neighbours: int
    skip_unreadable: bool
    cache: str


@dataclass(frozen=True)
class AugmentConfig:
    """How training samples are varied."""

    strength: float
    scale: tuple[float, float]
    ratio: tuple[float, float]
    rotate: float
    flip: bool
    vertical_flip: bool
    colour: float
    hue: float
    blur: float
    noise: float


@dataclass(frozen=True)
class LossConfig:
    """What is minimised: a weighted sum of losses."""

    cross_entropy: float
    dice: float
    focal: float
    focal_gamma: float
    lovasz: float
    boundary: float
    auxiliary: float
    background_weight: float
    class_weights: tuple[float, ...]
    balance: str


@dataclass(frozen=True)
class TrainConfig:
    """Where it starts, optimiser, schedule, and the machine it runs on."""

    init: str
    freeze: str
    epochs: int
    samples: int
    batch: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    warmup: float
    step_from: int
    step_every: int
    step_factor: float
    accumulate: int
    clip: float
    ema: float
    validate_every: int
    patience: int
    foreground: float
    overfit: int
    examples: int
    tensorboard: bool
    seed: int
    workers: int
    device: str
    devices: int
    nodes: int
    precision: str


@dataclass(frozen=True)
class Config:
    """A whole run. `model` goes to `onenet.create_model` as it is."""

    data: DataConfig
    model: dict[str, Any]
    augment: AugmentConfig
    loss: LossConfig
    train: TrainConfig
    name: str = "default"

    def anchored(self) -> "Config":
        """The same with absolute paths, so that a run can be resumed from any folder."""
        root, init = self.data.root, self.train.init
        root = root if not root or root.startswith(SAMPLES) else _absolute(root)
        init = (
            _absolute(init) if init and Path(init).expanduser().exists() else init
        )  # else the name of shipped weights
        return dataclasses.replace(
            self,
            data=dataclasses.replace(self.data, root=root),
            train=dataclasses.replace(self.train, init=init),
        )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Every table with every key, as TOML has them."""
        values = dataclasses.asdict(self)
        return {
            table: {k: list(v) if isinstance(v, tuple) else v for k, v in values[table].items()} for table in TABLES
        }

    def to_toml(self) -> str:
        """All keys with their values, as a recipe that gives this very run again."""
        return tomli_w.dumps({"recipe": self.name, **self.to_dict()})


def _absolute(path: str) -> str:
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 (links are not followed)


SECTIONS = {"data": DataConfig, "augment": AugmentConfig, "loss": LossConfig, "train": TrainConfig}
TABLES = ("data", "model", "augment", "loss", "train")
CHOICES = {
    "data.format": FORMATS,
    "data.fit": ("cover", "none"),
    "data.mask_encoding": ("auto", "index", "colour", "alpha"),
    "data.border": ("ignore", "pet"),
    "data.axis": ("auto", "0", "1", "2"),
    "data.cache": ("none", "memory", "device"),
    "loss.balance": ("none", "inverse", "enet"),
    "train.freeze": ("none", "encoder"),
    "train.optimizer": ("adamw", "adam", "sgd"),
    "train.schedule": ("cosine", "poly", "step", "constant"),
    "train.device": ("auto", "cpu", "cuda", "mps"),
    "train.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
}
RANGES = {  # inclusive
    "data.size": (1, 65536), "data.mask_size": (0, 65536), "data.split_seed": (0, 2**32),
    "data.val": (0.001, 0.9), "data.test": (0, 0.9), "data.num_classes": (0, 254), "data.in_channels": (0, 4096),
    "data.value_range": (-1e9, 1e9), "data.background": (-1, 253), "data.ignore_index": (0, 65535),
    "data.folds": (0, 1000), "data.fold": (0, 999), "data.neighbours": (0, 16),
    "augment.strength": (0, 3), "augment.scale": (0.05, 20), "augment.ratio": (0.1, 10), "augment.rotate": (0, 180),
    "augment.colour": (0, 1), "augment.hue": (0, 180), "augment.blur": (0, 20), "augment.noise": (0, 1),
    "loss.cross_entropy": (0, 1e6), "loss.dice": (0, 1e6), "loss.focal": (0, 1e6), "loss.focal_gamma": (0, 10),
    "loss.lovasz": (0, 1e6), "loss.boundary": (0, 1e6), "loss.auxiliary": (0, 1e6),
    "loss.background_weight": (0, 1e6), "loss.class_weights": (0, 1e6),
    "train.epochs": (1, 10**6), "train.samples": (0, 10**8), "train.batch": (1, 10**5), "train.learning_rate": (0, 100),
    "train.weight_decay": (0, 10), "train.warmup": (0, 1), "train.step_from": (1, 10**6),
    "train.step_every": (1, 10**6), "train.step_factor": (0, 1), "train.accumulate": (1, 10**4),
    "train.clip": (0, 1e6), "train.ema": (0, 0.99999), "train.validate_every": (1, 10**6),
    "train.patience": (0, 10**6), "train.foreground": (0, 1), "train.overfit": (0, 10**6), "train.examples": (0, 64),
    "train.seed": (0, 2**32), "train.workers": (0, 256), "train.devices": (1, 4096), "train.nodes": (1, 4096),
}  # fmt: skip
EXAMPLES = {
    "data.size": "[256, 256]", "data.mask_size": "[256, 256]", "data.class_names": '["cat", "dog"]',
    "data.class_values": '[0, 128, 255] or ["#000000", "#ff0000"]', "data.value_range": "[0, 4095]",
    "data.spacing": "[1.0, 1.0]",
    "augment.scale": "[0.5, 2.0]", "augment.ratio": "[0.8, 1.25]", "loss.class_weights": "[0.25, 1.0]",
}  # fmt: skip
