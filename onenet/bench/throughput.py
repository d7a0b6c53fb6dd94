"""How many images a second are read, and how many are trained on, for each way of reading them."""

import dataclasses
import statistics
import time
from typing import Any

from onenet.config import Config
from onenet.data import Dataset, open_dataset
from onenet.data.loader import TrainingBatches
from onenet.errors import ConfigError
from onenet.training.learner import Learner
from onenet.training.loop import train_epochs
from onenet.training.losses import SegmentationLoss
from onenet.training.machine import choose_precision, start
from onenet.training.network import build_network

WAYS = (("none", 0), ("none", 2), ("memory", 0), ("memory", 2), ("device", 0))  # data.cache, train.workers


def measure_throughput(config: Config, rounds: int = 3) -> dict[str, Any]:
    """Read the training images, and train on them, `rounds` epochs in each way, in turns; the first one warms up.

    Returns:
        A row per way with the medians over the rounds: images per second read and trained on, and the share of the
        training's time in which the network waited for images, 0 to 1.

    Raises:
        ConfigError: the configuration wants several devices.
    """
    if config.train.devices * config.train.nodes > 1:
        raise ConfigError("throughput is that of one device; leave train.devices and train.nodes out")
    config = dataclasses.replace(config.anchored(), train=dataclasses.replace(config.train, epochs=rounds + 1))
    dataset = open_dataset(config.data)
    ways = {way: _Way(config, dataset, *way) for way in WAYS}
    for number in range(1, rounds + 2):
        for way in ways.values():
            way.measure(number)
    for way in ways.values():
        way.batches.close()
    first = next(iter(ways.values()))
    return {
        "data": dataset.name,
        "images": len(dataset.split("train")),
        "size": list(config.data.size),
        "batch": config.train.batch,
        "model": config.model,
        "device": first.learner.fabric.device.type,
        "precision": choose_precision(config.train.precision, first.learner.fabric.device.type),
        "rounds": rounds,
        "rows": [{"cache": cache, "workers": workers, **way.result()} for (cache, workers), way in ways.items()],
    }


class _Way:
    def __init__(self, config: Config, dataset: Dataset, cache: str, workers: int) -> None:
        config = dataclasses.replace(
            config,
            data=dataclasses.replace(config.data, cache=cache),
            train=dataclasses.replace(config.train, workers=workers),
        )
        fabric = start(config.train)
        self.batches = TrainingBatches(dataset, config, fabric.device)
        network = build_network(config, dataset)
        self.learner = Learner(fabric, network, config, len(self.batches))
        loss = SegmentationLoss(dataset.num_classes, dataset.background, config.loss, dataset.overlapping)
        epochs = range(1, config.train.epochs + 1)
        self.epochs = train_epochs(self.learner, loss.to(fabric.device), self.batches, epochs, lambda *_: None)
        self.read: list[float] = []
        self.trained: list[float] = []
        self.waiting: list[float] = []

    def measure(self, number: int) -> None:
        """Read one epoch, then train on one; what the first time gave is not kept."""
        self.batches.set_epoch(number)
        started = time.perf_counter()
        images = sum(len(image) for image, _ in self.batches)
        seconds = time.perf_counter() - started
        epoch = next(self.epochs)
        if number > 1:
            self.read.append(images / seconds)
            self.trained.append(epoch.images_per_second)
            self.waiting.append(epoch.waiting)

    def result(self) -> dict[str, float]:
        return {
            "read_per_second": round(statistics.median(self.read), 1),
            "trained_per_second": round(statistics.median(self.trained), 1),
            "waiting": round(statistics.median(self.waiting), 3),
        }
