"""The images of a run: which are trained and validated on, and which had to be left out."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from onenet.config import Config
from onenet.data import Dataset, Item, Sample, open_dataset
from onenet.errors import DataError


@dataclass(frozen=True)
class RunImages:
    """The images of a run.

    Attributes:
        found: all there are.
        used: those of them that are trained and validated on.
        left_out: name -> reason of those that cannot be read.
    """

    found: Dataset
    used: Dataset
    left_out: dict[str, str]


def open_images(config: Config) -> RunImages:
    """The data set of a run, checked as far as the files' headers go.

    With `train.overfit` = n the first n training images, or slices that hold a class, are those to validate on, too.

    Raises:
        DataError: a file cannot be opened, or its mask has another size; with `data.skip_unreadable`: nothing is left.
    """
    found = dataset = open_dataset(config.data)
    left_out: dict[str, str] = {}
    if config.data.skip_unreadable:
        dataset, left_out = _readable(dataset)
    else:
        for split in dataset.items:  # a wrong file should be named before the first step
            dataset.check_sizes(split)
    for split in ("train", "val"):
        next(dataset.samples(split), None)  # the first one, whole
    if config.train.overfit:
        few = dataset.telling("train", config.train.overfit)
        dataset = dataclasses.replace(dataset, items={**dataset.items, "train": few, "val": few})
    return RunImages(found, dataset, left_out)


def _readable(dataset: Dataset) -> tuple[Dataset, dict[str, str]]:
    items: dict[str, tuple[Item, ...]] = {}
    left_out: dict[str, str] = {}
    for split, found in dataset.items.items():
        kept = []
        for item in found:
            try:
                dataclasses.replace(dataset, items={split: (item,)}).check_sizes(split)
            except DataError as error:
                left_out[item.name] = str(error)
            else:
                kept.append(item)
        if found and not kept:
            raise DataError(f"{dataset.name}: no image of the split {split} can be read; {left_out[found[0].name]}")
        items[split] = tuple(kept)
    return dataclasses.replace(dataset, items=items), left_out


class Watched:
    """The samples of a split as they are read, with those to be drawn kept and those left out noted.

    Attributes:
        kept: the samples whose names are in `wanted`, as far as they have been read.
    """

    def __init__(self, dataset: Dataset, split: str, wanted: set[str]) -> None:
        self.dataset, self.split, self.wanted = dataset, split, wanted
        self.kept: list[Sample] = []
        self._read: set[str] = set()

    def __iter__(self) -> Iterator[Sample]:
        for sample in self.dataset.samples(self.split):
            self._read.add(sample.name)
            if sample.name in self.wanted:
                self.kept.append(sample)
            yield sample

    def left_out(self) -> dict[str, str]:
        """The images that could not be read, after a whole pass."""
        names = (item.name for item in self.dataset.split(self.split))
        return {name: "cannot be read" for name in names if self._read and name not in self._read}
