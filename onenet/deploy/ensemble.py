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
_ALIKE = ("in_channels", "classes", "background", "size", "fit", "value_range", "overlapping", "volume")


def files_of_folds(folder: str | Path) -> list[Path]:
    """The models in the folder of `onenet study folds`, in the order of the folds; [] where it is none."""
    folder = Path(folder)
    if (folder / "model.safetensors").exists():
        return []
    return sorted(folder.glob("fold-*/model.safetensors"), key=lambda file: (len(file.parent.name), file.parent.name))


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
        DataError: folds are missing.
        ConfigError: two of them take other images or give other classes.
    """
    plain = [card.replace(volume={key: card.volume[key] for key in card.volume if key != "postprocess"})
             for card in cards]  # fmt: skip
    first = plain[0]
    wanted = first.training.get("split", {}).get("folds", 0)
    if wanted and wanted != len(cards):
        raise DataError(f"{files[0].parent.parent}: holds {len(cards)} of {wanted} folds; start the same onenet study "
                        "folds again, which goes on with the others")  # fmt: skip
    for card, file in zip(plain, files, strict=True):
        for key in _ALIKE:
            if getattr(card, key) != getattr(first, key):
                raise ConfigError(f"{file}: its {key} is not that of {files[0]}, so that they cannot be used together; "
                                  "train all folds by one onenet study folds")  # fmt: skip
    together = {
        key: sorted({mark for card in cards for mark in card.training.get(key, ())}) for key in ("seen", "seen_in")
    }
    return first.replace(training={**first.training, **together, "networks": len(cards)}, scores={})
