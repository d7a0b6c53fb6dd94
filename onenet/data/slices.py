"""Volumes as a data set: every slice of a case is an image, and the cases are split, never their slices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.config import DataConfig
from onenet.data.cases import Case, FoundCases, Slice
from onenet.data.folder import stop
from onenet.data.msd import find_msd
from onenet.data.nnunet import find_nnunet
from onenet.data.preparation import Preparation, overruled, plan_preparation
from onenet.data.prepared import prepare
from onenet.data.sample import SPLITS, Dataset, Item, Sample
from onenet.data.volume_folder import find_volumes
from onenet.data.volume_reading import faults_of_grids, grid_of
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED

FINDERS = {"msd": find_msd, "nnunet": find_nnunet, "volumes": find_volumes}


@dataclass(frozen=True, kw_only=True)
class VolumeDataset(Dataset):
    """Slices of volumes with masks.

    Attributes:
        preparation: what is done to every volume.
        channels: of the files; the network has as many for each slice that it sees.
    """

    preparation: Preparation
    channels: int = field(default=1)

    @property
    def in_colour(self) -> bool:
        return False  # three channels are neighbouring slices, or modalities

    def read(self, item: Item) -> Sample:
        """Read a slice.

        Raises:
            DataError: the files of its case are unreadable, or do not fit each other.
        """
        assert isinstance(item, Slice)
        case = prepare(item.case, self.preparation, self.labels, self.channels)
        image = case.image(item.index, self.preparation.neighbours)
        return Sample(item.name, image, np.array(case.masks[item.index]))

    def read_mask(self, item: Item) -> NDArray[np.uint8]:
        """Read the mask of a slice alone."""
        assert isinstance(item, Slice)
        return np.array(prepare(item.case, self.preparation, self.labels, self.channels).masks[item.index])

    def check_sizes(self, split: str) -> None:
        """Compare the grids of the volumes and masks of a split, from their headers alone.

        Raises:
            DataError: a file cannot be opened, or its grid is not that of the other files of its case.
        """
        for case in self.cases_of(self.items[split]):
            for _, fault in faults_of_grids(case, self.channels):
                raise DataError(fault)

    def sources(self, split: str) -> tuple[Case, ...]:
        """The cases of a split."""
        return self.cases_of(self.split(split))

    def cases_of(self, items: Sequence[Item]) -> tuple[Case, ...]:
        """The cases of slices, each once, in their order."""
        return tuple(dict.fromkeys(item.case for item in items if isinstance(item, Slice)))

    def with_foreground(self, items: Sequence[Item]) -> tuple[int, ...]:
        """Which of the slices hold a class that is not background; slices of unreadable cases do not, where these are
        left out.

        Raises:
            DataError: a case cannot be read.
        """
        background = 0 if self.overlapping else self.background
        places = {case: self._foreground(case, background) for case in self.cases_of(items)}
        return tuple(n for n, item in enumerate(items) if isinstance(item, Slice) and item.index in places[item.case])

    def telling(self, split: str, count: int) -> tuple[Item, ...]:
        """So many slices of a split: of each case in turn the middle ones of those that hold a class.

        Raises:
            DataError: a case cannot be read.
        """
        cases, found = self.sources(split), list[Item]()
        for place, case in enumerate(cases):
            wanted = -(-(count - len(found)) // (len(cases) - place))
            here = [item for item in self.split(split) if isinstance(item, Slice) and item.case == case]
            there = [here[index] for index in self.with_foreground(here)]
            start = max(0, (len(there) - wanted) // 2)
            found += there[start : start + wanted]
            if len(found) >= count:
                break
        return tuple(found) or self.split(split)[:count]

    def _foreground(self, case: Case, background: int | None) -> frozenset[int]:
        try:
            masks = prepare(case, self.preparation, self.labels, self.channels).masks
        except DataError:
            if not self.skip_unreadable:
                raise
            return frozenset()
        there = masks != IGNORED
        if background is not None:
            there &= masks != background
        return frozenset(np.flatnonzero(there.any(axis=(1, 2))).tolist())


def open_volumes(config: DataConfig, preparation: Preparation | None = None) -> VolumeDataset:
    """Find the cases that `config` names and split them; reads headers, and for CT the values of the training cases.

    Args:
        config: of the data.
        preparation: that of a trained model, where there is one, instead of what the data suggest.

    Raises:
        DataError: the folder has another layout, too few cases, or (unless `data.skip_unreadable`) a case that lacks a
            file or whose header cannot be read.
        ConfigError: keys contradict each other or the data.
    """
    refused: list[DataError] = []
    found = FINDERS[config.format](config, refused.append if config.skip_unreadable else stop)
    channels, notes = len(found.channels), [*found.notes, *(f"left out: {error}" for error in refused)]
    everything = [case for split in SPLITS for case in found.cases[split]]
    if not channels:
        channels = usual_channels(everything) or sum(grid_of(path).channels for path in everything[0].images)
    labels = found.labels
    told = overruled(config, preparation) if preparation else ""
    if preparation is None:
        known = found.cases["train"]
        if config.folds:  # all folds see volumes alike, so that their networks can be used together
            known = tuple(sorted([*known, *found.cases["val"]], key=lambda case: case.name))
        preparation = plan_preparation(config, known, found.channels, labels.mapping, found.nothing)
    in_channels = channels * (2 * preparation.neighbours + 1)
    if config.in_channels not in (0, in_channels):
        raise ConfigError(f"data.in_channels={config.in_channels}, but the volumes have {channels} channel(s), "
                          f"{in_channels} with data.neighbours={preparation.neighbours}; leave it out")  # fmt: skip
    items = {split: _slices(found, split, preparation.axis, config.skip_unreadable, notes) for split in SPLITS}
    return VolumeDataset(
        name=Path(config.root).resolve().name,
        items=items,
        in_channels=in_channels,
        labels=labels.mapping,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=(*notes, describe(preparation), *((told,) if told else ())),
        overlapping=found.overlapping,
        skip_unreadable=config.skip_unreadable,
        table=labels.table,
        preparation=preparation,
        channels=channels,
    )


def usual_channels(cases: Sequence[Case]) -> int:
    """The number of channels that most cases have; 0 where none can be read."""
    counts: dict[int, int] = {}
    for case in cases:
        try:
            number = sum(grid_of(path).channels for path in case.images)
        except DataError:
            continue
        counts[number] = counts.get(number, 0) + 1
    return max(counts, key=lambda number: counts[number], default=0)


def _slices(found: FoundCases, split: str, axis: int, skip: bool, notes: list[str]) -> tuple[Slice, ...]:
    items: list[Slice] = []
    for case in found.cases[split]:
        try:
            count = grid_of(case.image).shape[axis]
        except DataError as error:
            if not skip:
                raise
            notes.append(f"left out: {error}")
            continue
        items += (
            Slice(f"{case.name}/{index:03d}", case.image, case.mask, case=case, index=index) for index in range(count)
        )
    return tuple(items)


def describe(preparation: Preparation) -> str:
    """One line: how volumes become images."""
    along = ("left to right", "back to front", "feet to head")[preparation.axis]
    size = "of any size" if preparation.spacing is None else "of {:g} by {:g} mm".format(*preparation.spacing)
    rule = dict(preparation.intensity)
    kind = rule.pop("kind", "")
    numbers = f" {', '.join(f'{value:g}' for value in rule.values())}" if rule else ""
    aside = f", with {preparation.neighbours} slices on either side" if preparation.neighbours else ""
    return f"slices along axis {preparation.axis} ({along}), pixels {size}, grey values by {kind}{numbers}{aside}"
