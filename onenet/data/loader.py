"""Samples -> batches for training. The one file of `data` that needs torch.

Which images make a batch and how each is varied depends on (seed, epoch, index) alone: not on the number of
worker processes, nor on where a run was interrupted.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from onenet.config import Config
from onenet.data.sample import Dataset
from onenet.data.transforms import augmented
from onenet.errors import DataError

Key = tuple[int, int]  # (epoch, index of the item)


class AugmentedItems(TorchDataset):
    """Reads and varies the item of a key (epoch, index)."""

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self.dataset, self.config = dataset, config
        self.items = dataset.split("train")

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        epoch, index = key
        generator = np.random.default_rng([self.config.train.seed, epoch, index])
        sample = self.dataset.read(self.items[index])
        image, mask = augmented(sample, self.config.data.size, self.config.data.fit, self.config.augment, generator)
        return torch.from_numpy(image), torch.from_numpy(mask)


class EpochBatches(Sampler[list[Key]]):
    """The batches of one epoch, in an order drawn from (seed, epoch); set `epoch` before each pass.

    A last batch of one image is left out where there are others: batch norm may have nothing to average over.
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch)
        return max(1, whole + (rest > 1))

    def __iter__(self) -> Iterator[list[Key]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        for step in range(len(self)):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            yield [(self.epoch, int(index)) for index in chosen]


def training_batches(dataset: Dataset, config: Config) -> DataLoader:
    """A loader of (images (b, h, w, c) uint8, masks (b, h, w) uint8); its `batch_sampler` is an `EpochBatches`."""
    items = AugmentedItems(dataset, config)
    batches = EpochBatches(len(items.items), config.train.batch, config.train.seed)
    workers = config.train.workers
    return DataLoader(items, batch_sampler=batches, num_workers=workers, persistent_workers=workers > 0)


def read_batches(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over a loader.

    Raises:
        DataError: a file cannot be read, in one line also where a worker process met it.
    """
    try:
        yield from loader
    except DataError as error:
        last = str(error).strip().splitlines()[-1]  # a worker's message is a whole traceback
        raise DataError(last.rpartition("DataError: ")[2]) from None
