"""Items -> batches for training, read by this process or by workers, or made on the device.

Which images make a batch and how each is varied depends on (seed, epoch, draw) alone: not on the number of
worker processes or ranks, nor on the cache, nor on where a run was interrupted.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, thread_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data._utils.signal_handling import _remove_worker_pids

from onenet.config import Config
from onenet.data.cache import Files, as_picture, decode_all, describe_memory, pack
from onenet.data.device import DevicePictures
from onenet.data.order import EpochBatches, Key, sample_generator
from onenet.data.sample import Dataset
from onenet.data.transforms import Picture, varied
from onenet.data.variation import Augmentation, plan_augmentation
from onenet.errors import DataError, OneNetError, TrainError

Batch = tuple[Tensor, Tensor]
Read = tuple[Tensor, Tensor, dict[int, str]] | str  # images, masks and what was unreadable; or why there is no batch

_OF_WORKERS = ("dataloader worker", "shared memory", "ancdata", "too many open files", "shm")


class KeptPictures:
    """Pictures in one block of memory, which worker processes share."""

    def __init__(self, files: Files, augmentation: Augmentation, shared: bool) -> None:
        pictures = decode_all(files, augmentation)
        self.shared = shared
        self.unreadable = files.unreadable
        _, self.places = pack(pictures, self._allocate)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Picture:
        return as_picture(self.places[index], self.block.numpy())

    def _allocate(self, amount: int) -> NDArray[np.uint8]:
        try:
            self.block = torch.empty(amount, dtype=torch.uint8)
            if self.shared:
                self.block.share_memory_()
        except (RuntimeError, MemoryError, OSError):
            what = "shared memory" if self.shared else "memory"
            raise DataError(f"data.cache=memory: {amount / 2**20:,.0f} MiB of {what} are not to be had; "
                            f"use data.cache=none{' or train.workers=0' if self.shared else ''}") from None  # fmt: skip
        return self.block.numpy()


class VariedItems(TorchDataset):
    """Reads and varies the items of the keys (epoch, index) of a batch; what is unreadable is told, not raised.

    Attributes:
        stopped: nobody wants the batch that is being made any more.
    """

    stopped = False

    def __init__(self, pictures: Files | KeptPictures, augmentation: Augmentation, seed: int) -> None:
        self.pictures, self.augmentation, self.seed = pictures, augmentation, seed

    def __getitem__(self, keys: Sequence[Key]) -> Read:
        count = len(self.pictures)
        try:
            pairs = []
            for epoch, draw in keys:
                if self.stopped:
                    return "stopped"
                chance = sample_generator(self.seed, epoch, draw)
                pairs.append(varied(self.pictures[draw % count], self.augmentation, chance))
        except OneNetError as error:
            return str(error)
        images, masks = zip(*pairs, strict=True)
        if len({image.dtype for image in images}) > 1:
            images = tuple(i.astype(np.float32) / 255 if i.dtype == np.uint8 else i for i in images)
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)), dict(self.pictures.unreadable)


class TrainingBatches:
    """The training images as batches, varied anew in each epoch.

    Iterating is one pass: images (b, c, h, w) float32 in [0, 1], channels last in memory, and masks (b, h, w) uint8,
    both on `device`.

    Args:
        dataset: whose training images they are.
        config: what makes a batch.
        device: where the batches are wanted.
        rank, world: this process, and how many of them share each batch.
        start_method: of worker processes: "fork", "spawn", "forkserver"; None is the system's own.

    Attributes:
        waited: seconds of the last pass in which the caller waited for a batch.
        beside: seconds of a core that making them took in the meantime, in the last pass; 0 where that is not known.
        notes: what a user should be told, a line each.

    Raises:
        ConfigError: the batch cannot be shared by so many processes.
        DataError: the images do not fit into the memory that `data.cache` names, or one cannot be read. While
            iterating: an image cannot be read.
        TrainError: while iterating: a worker process died.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: Config,
        device: torch.device = torch.device("cpu"),  # noqa: B008 (immutable)
        rank: int = 0,
        world: int = 1,
        start_method: str | None = None,
    ) -> None:
        items = dataset.split("train")[: config.train.overfit or None]
        self.device, self.seed, self.waited, self.beside = device, config.train.seed, 0.0, 0.0
        self.notes: tuple[str, ...] = ()
        share, samples = 0.0 if config.train.overfit else config.train.foreground, config.train.samples
        foreground = dataset.with_foreground(items) if share else ()
        self._order = EpochBatches(len(items), config.train.batch, self.seed, rank, world, samples, foreground, share)
        self._files = Files(dataset, items, config.data.skip_unreadable)
        self._on_device: DevicePictures | None = None
        augmentation, workers = plan_augmentation(config, dataset), config.train.workers
        pictures: Files | KeptPictures = self._files
        if config.data.cache == "device":
            self._on_device = DevicePictures(decode_all(self._files, augmentation), augmentation, device)
            self.notes = (describe_memory(len(items), self._on_device.memory, "device"),)
            workers = 0
        elif config.data.cache == "memory":
            pictures = KeptPictures(self._files, augmentation, shared=workers > 0)
            self.notes = (describe_memory(len(items), len(pictures.block), "memory"),)
        self._items = VariedItems(pictures, augmentation, self.seed)
        self._loader = DataLoader(
            self._items,
            sampler=self._order,
            batch_size=None,
            collate_fn=as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda" and self._on_device is None,
            multiprocessing_context=start_method if workers else None,
            generator=torch.Generator(),  # its own, so that what training draws does not depend on passes over data
        )

    def __len__(self) -> int:
        return len(self._order)

    def set_epoch(self, number: int) -> None:
        """Choose which epoch the next pass is."""
        self._order.epoch = number

    @property
    def skipped(self) -> dict[str, str]:
        """Names of the images left out so far, with the reason; empty unless `data.skip_unreadable`."""
        return {self._files.items[index].name: why for index, why in sorted(self._files.unreadable.items())}

    def __iter__(self) -> Iterator[Batch]:
        self.waited = self.beside = 0.0
        batches = self._read() if self._on_device is None else self._make(self._on_device)
        while True:
            began = perf_counter()
            batch = next(batches, None)
            self.waited += perf_counter() - began
            if batch is None:
                return
            yield batch

    def close(self) -> None:
        """End the worker processes; another pass would start new ones."""
        iterator, self._loader._iterator = self._loader._iterator, None
        if iterator is not None and hasattr(iterator, "_shutdown_workers"):
            iterator._shutdown_workers()

    def _read(self) -> Iterator[Batch]:
        try:
            iterator = iter(self._loader)
            find_deaths_when_waiting(iterator)
            ahead = self._loader.num_workers == 0 and self.device.type == "cpu" and threads_sleep()
            for read in self._one_ahead(iterator) if ahead else iterator:
                if isinstance(read, str):
                    raise DataError(read)
                pixels, masks, unreadable = read
                self._files.unreadable.update(unreadable)
                yield as_images(pixels.to(self.device, non_blocking=True)), masks.to(self.device, non_blocking=True)
        except (RuntimeError, OSError) as error:
            if isinstance(error, OneNetError) or not any(word in str(error).lower() for word in _OF_WORKERS):
                raise
            self.close()
            raise TrainError(
                "a process that reads images has ended or ran out of (shared) memory or files; "
                f"use train.workers=0, fewer workers or a smaller batch ({str(error).splitlines()[0]})"
            ) from None

    def _one_ahead(self, reads: Iterator[Read]) -> Iterator[Read]:
        """Make the next one beside the caller's work with the last: decoding, scaling and turning leave Python free."""

        def make() -> Read | None:
            began = thread_time()
            try:
                return next(reads, None)
            finally:
                self.beside += thread_time() - began

        try:
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="images") as thread:
                try:
                    coming = thread.submit(make)
                    while (read := coming.result()) is not None:
                        coming = thread.submit(make)
                        yield read
                finally:
                    self._items.stopped = True  # an interruption must not wait for a whole batch
        finally:
            self._items.stopped = False

    def _make(self, pictures: DevicePictures) -> Iterator[Batch]:
        for keys in self._order:
            indices = [draw % self._order.count for _, draw in keys]
            generators = [sample_generator(self.seed, *key) for key in keys]
            variations = [pictures.draw(*pair) for pair in zip(indices, generators, strict=True)]
            images, masks = pictures.batch(indices, variations)
            yield images.permute(0, 3, 1, 2), masks


def as_images(pixels: Tensor) -> Tensor:
    """Pixels (b, h, w, c) as images (b, c, h, w) float32 in [0, 1], the memory's order left as it is: channels last."""
    images = pixels.permute(0, 3, 1, 2)
    return images.float().div_(255) if pixels.dtype == torch.uint8 else images


def threads_sleep() -> bool:
    """Whether torch's threads sleep while they wait for each other, as `onenet train` has it; else they spin.

    Where they spin, a further thread takes the core that one of them needs while the other looks busy.
    """
    return os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive"


def find_deaths_when_waiting(iterator: Any) -> None:
    """Let the death of a worker be an error of the next batch.

    Torch would raise it from a signal handler, in the middle of whatever the process does just then.
    """
    if getattr(iterator, "_worker_pids_set", False):
        _remove_worker_pids(id(iterator))
        iterator._worker_pids_set = False


def as_it_is(read: Any) -> Any:
    """What a worker hands over is a batch already."""
    return read
