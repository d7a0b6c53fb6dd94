"""What it brings to make the next batch beside the training step: images per second, with and without, in turns.

python docs/results/one_ahead.py DATA

DATA holds msd/Task02_Heart and oxford_pet. onenet-x-s on two threads that sleep while they wait, as `onenet train` has
them: on slices of volumes that are kept, and on photos whose files are read in every epoch. Prints JSON, for record.py.
"""

import json
import os
import statistics
import sys
import time
from unittest import mock

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes

import torch

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.loader import TrainingBatches
from onenet.models.catalog import create_model

SETS = {
    "slices": ("volumes", ["data.format=msd", "data.root={}/msd/Task02_Heart", "data.axis=2", "train.samples=160"]),
    "photos": ("default", ["data.format=pet-small", "data.root={}/oxford_pet", "data.size=128", "train.samples=160"]),
}
PAIRS = 6  # epochs of each kind


def main() -> None:
    """Train in turns and print what was measured."""
    torch.set_num_threads(2)
    print(json.dumps({name: speeds(recipe, changes) for name, (recipe, changes) in SETS.items()}))


def speeds(recipe: str, changes: list[str]) -> dict[str, dict[str, object]]:
    """Images per second, the shares of waiting and of reading beside the step, in the median epoch."""
    config = load_config(recipe, [change.format(sys.argv[1]) for change in changes])
    dataset = open_dataset(config.data)
    batches = TrainingBatches(dataset, config)
    network = create_model("onenet-x-s", in_channels=dataset.in_channels, num_classes=dataset.num_classes)
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    found: dict[str, list[tuple[float, float, float]]] = {"ahead": [], "in_turn": []}
    for number in range(2 * PAIRS + 1):
        kind = ("ahead", "in_turn")[number % 2]
        batches.set_epoch(number)
        with mock.patch("onenet.data.loader.threads_sleep", return_value=kind == "ahead"):
            seconds = epoch(network, optimizer, batches)
        if number:  # the first one opens files
            speed = len(batches) * config.train.batch / seconds
            found[kind].append((speed, batches.waited / seconds, batches.beside / seconds))
    return {
        kind: {
            "per_second": round(statistics.median(speed for speed, _, _ in epochs), 1),
            "waiting": round(statistics.median(share for _, share, _ in epochs), 3),
            "beside": round(statistics.median(share for _, _, share in epochs), 3),
            "all": [round(speed, 1) for speed, _, _ in epochs],
        }
        for kind, epochs in found.items()
    }


def epoch(network: torch.nn.Module, optimizer: torch.optim.Optimizer, batches: TrainingBatches) -> float:
    """Train on all batches; how long it took."""
    started = time.perf_counter()
    for images, masks in batches:
        loss = torch.nn.functional.cross_entropy(network(images), masks.long(), ignore_index=255)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
