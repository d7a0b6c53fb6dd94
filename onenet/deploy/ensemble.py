"""Several networks as one: the mean of their probabilities, as the folds of a cross-validation are used together."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.deploy.runner import Halo, Runner
from onenet.deploy.segmenter import sigmoid, softmax
from onenet.errors import ConfigError, DataError

_LEAST = 1e-7  # probabilities are kept as far from 0 and 1, whose logits are not finite
_ALIKE = ("architecture", "arguments", "classes", "background", "size", "fit", "value_range", "overlapping", "volume")


def files_of_folds(folder: str | Path) -> list[Path]:
    """The models in the folder of `onenet study folds`, in the order of the folds; [] where it is none."""
    folder = Path(folder)
    if (folder / "model.safetensors").exists():
        return []
    found = {int(place.name[5:]): place for place in folder.glob("fold-*") if place.name[5:].isdecimal()}
    files = [found[number] / "model.safetensors" for number in sorted(found)]
    return [file for file in files if file.is_file()]


def refuse_folds(folder: str | Path) -> None:
    """For what is done with one network at a time.

    Raises:
        ConfigError: it is the folder of a study of folds.
    """
    if files := files_of_folds(folder):
        raise ConfigError(f"{folder}: holds the networks of {len(files)} folds; name one of them, for example "
                          f"{files[0].parent}")  # fmt: skip


class EnsembleRunner:
    """Networks that take the same images, computed one after the other.

    The logits that it gives are those of the mean probability: their softmax, or where classes overlap their sigmoid,
    is that mean.
    """

    def __init__(self, runners: Sequence[Runner], overlapping: bool = False) -> None:
        self.runners, self.overlapping = tuple(runners), overlapping
        self.stride = math.lcm(*(runner.stride for runner in self.runners))

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (b, k, h, w) of images (b, c, h, w) in [0, 1]."""
        total = sum(self._probability(runner.run(images)) for runner in self.runners)
        mean = np.clip(np.asarray(total) / len(self.runners), _LEAST, 1 - _LEAST)
        return np.log(mean / (1 - mean) if self.overlapping else mean).astype(np.float32)

    def halo(self) -> Halo:
        """How far the farthest of them looks.

        Raises:
            ExportError: one looks at the whole image.
        """
        halos = [runner.halo() for runner in self.runners]
        sides = {side: max(getattr(halo, side) for halo in halos) for side in ("top", "bottom", "left", "right")}
        return Halo(**sides, whole_rows=any(halo.whole_rows for halo in halos))

    def _probability(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return sigmoid(logits) if self.overlapping else np.stack([softmax(each) for each in logits])


def joined_card(cards: Sequence[Card], files: Sequence[Path]) -> Card:
    """The card of the folds' networks together: the first one's, with the images that any of them was trained on.

    Steps of post-processing, each chosen for one network, are not in it.

    Raises:
        DataError: folds are missing, or their training has not ended.
        ConfigError: they are not those of one study.
    """
    _check_whole(cards, files)
    plain = [_without_fold(card) for card in cards]
    first = plain[0]
    for card, file in zip(plain, files, strict=True):
        differs = next((key for key in _ALIKE if getattr(card, key) != getattr(first, key)), None)
        if differs or card.training["split"] != first.training["split"]:
            what = f"{differs or 'split'} of {file} and of {files[0]}"
            raise ConfigError(f"the {what} differ, so that they are not used together; train all folds by one onenet "
                              "study folds, in a folder of its own")  # fmt: skip
    together = {
        key: sorted({mark for card in cards for mark in card.training.get(key, ())}) for key in ("seen", "seen_in")
    }
    return first.replace(training={**cards[0].training, **together, "networks": len(cards)}, scores={})


def _check_whole(cards: Sequence[Card], files: Sequence[Path]) -> None:
    folder, splits = files[0].parent.parent, [card.training.get("split", {}) for card in cards]
    wanted = splits[0].get("folds", 0)
    if not wanted:
        raise ConfigError(f"{folder}: {files[0].parent.name} is no fold; name the folder of the run itself")
    if len(cards) > wanted:
        more = f"{len(cards)} folders of folds, but {files[0].parent} is one of {wanted}"
        raise ConfigError(f"{folder}: holds {more}; move away what does not belong to the study")
    if {split.get("fold") for split in splits} != set(range(wanted)):
        raise DataError(f"{folder}: holds {len(cards)} of {wanted} folds; start the same onenet study folds again, "
                        "which goes on with the others")  # fmt: skip
    for card, file in zip(cards, files, strict=True):
        if not _has_ended(card, file.with_name("log.csv")):
            raise DataError(f"{file.parent}: its training has not ended; start the same onenet study folds again")


def _has_ended(card: Card, log: Path) -> bool:
    """Whether the run that a model is of had all its epochs, or ended early; True where its log is not here."""
    try:
        epoch = int(log.read_text(encoding="utf-8").splitlines()[-1].split(",")[0])
    except (OSError, ValueError, IndexError):
        return True
    return epoch >= card.last_epoch


def _without_fold(card: Card) -> Card:
    """A card without what each fold has of its own."""
    split = {key: value for key, value in card.training.get("split", {}).items() if key != "fold"}
    volume = {key: value for key, value in card.volume.items() if key != "postprocess"}
    return card.replace(volume=volume, training={**card.training, "split": split})
