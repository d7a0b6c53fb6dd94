"""The network that a run trains, with the card that says what it is."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch

from onenet.card import Card
from onenet.config import Config
from onenet.data import Dataset, VolumeDataset
from onenet.data.remembered import to_remember
from onenet.errors import ConfigError
from onenet.models.catalog import create_model
from onenet.models.network import Network
from onenet.scoring import fingerprint

_SPLIT = ("val", "test", "split_seed", "folds", "fold", "train_with_val")
_OF_THE_MACHINE = ("workers", "device", "devices", "nodes", "examples", "tensorboard")  # keys that no card tells


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
    of_volumes: dict[str, Any] = {}
    if isinstance(dataset, VolumeDataset):
        of_volumes = {"cases": {split: len(dataset.cases_of(items)) for split, items in dataset.items.items()}}
    network.card = card_of(network).replace(
        classes=dataset.classes,
        colours=dataset.colours,
        background=dataset.background,
        size=config.data.size,
        fit=config.data.fit,
        value_range=dataset.value_range,
        overlapping=dataset.overlapping,
        training={
            "data": dataset.name,
            "format": config.data.format,
            "images": counts,
            **of_volumes,
            "split": {key: getattr(config.data, key) for key in _SPLIT},
            "labels": to_remember(config.data, dataset),
            "seen": sorted({fingerprint(item) for split in ("train", "val") for item in dataset.items[split]}),
            "recipe": config.name,
            **{key: v for key, v in dataclasses.asdict(config.train).items() if key not in _OF_THE_MACHINE},
            "init": Path(config.train.init).name,
        },
    )
    if isinstance(dataset, VolumeDataset):
        network.card = card_of(network).replace(volume=dataset.preparation.to_card())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def card_of(network: Network) -> Card:
    """The card of a network that `create_model` has made: it has one."""
    assert network.card is not None
    return network.card


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
