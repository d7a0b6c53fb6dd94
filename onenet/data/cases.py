"""Cases: volumes with their masks, and the slices of them that training reads as images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onenet.data.labels import Labels
from onenet.data.sample import Item
from onenet.errors import DataError
from onenet.volumes import SUFFIXES, case_name, is_volume

Refuse = Callable[[DataError], None]


@dataclass(frozen=True, kw_only=True)
class Case(Item):
    """A volume and its mask: files of three axes, or four where the channels are the last one.

    Attributes:
        channels: further files, a channel each, behind that of `image`.
    """

    channels: tuple[Path, ...] = ()

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of all channels."""
        return (self.image, *self.channels)


@dataclass(frozen=True, kw_only=True)
class Slice(Item):
    """A slice of a case, named "CASE/017"; `image` and `mask` are the files of the case."""

    case: Case = field(repr=False)
    index: int


@dataclass(frozen=True)
class FoundCases:
    """What a format makes of a folder.

    Attributes:
        cases: per split.
        labels: mask value -> class index, or bit code where classes overlap, with names and colours.
        channels: names of the channels; () where nothing says them.
        overlapping: classes may overlap.
        notes: what a user should be told, a line each.
    """

    cases: Mapping[str, tuple[Case, ...]]
    labels: Labels
    channels: tuple[str, ...] = ()
    overlapping: bool = False
    notes: tuple[str, ...] = ()

    @property
    def nothing(self) -> int | None:
        """The class index, or the bit code where classes overlap, of voxels that are of no class."""
        return 0 if self.overlapping else self.labels.background


def volume_files(folder: Path, refuse: Refuse, layout: str) -> dict[str, Path]:
    """The volumes of a folder by their names without endings.

    Raises:
        DataError: there is no such folder; `layout` says what it should be.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {layout}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_volume(path) or path.name.startswith(".") or path.is_dir():
            continue
        stem = case_name(path)
        if stem in found:
            refuse(DataError(f"{path}: has the same name as {found[stem].name}; rename or remove one of them"))
            continue
        found[stem] = path
    return found


def match_cases(
    images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path, refuse: Refuse
) -> tuple[Case, ...]:
    """Pair volumes and masks by their names.

    Raises:
        DataError: there is no pair in `folder` at all.
    """
    if not set(images) & set(masks):
        raise DataError(f"{folder}: no volume has a mask of its name ({', '.join(SUFFIXES)}); do these folders belong "
                        "together?")  # fmt: skip
    for name in sorted(set(images) ^ set(masks)):
        path = images.get(name) or masks[name]
        other = "mask" if name in images else "volume"
        refuse(DataError(f"{path}: has no {other} of the same name; add it, or remove this one"))
    return tuple(Case(name, images[name], masks[name]) for name in sorted(images) if name in masks)
