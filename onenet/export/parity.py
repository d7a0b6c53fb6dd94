"""Does an exported file compute what the trained network computes? Compared number by number on real images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.deploy.runner import Runner
from onenet.deploy.segmenter import chosen, coded
from onenet.errors import FailedCheckError
from onenet.export.trial import Image

LOGITS = 1e-3  # largest difference of a float file's logits ...
RELATIVE = 1e-5  # ... or this share of the largest logit, where that is more: float32 rounds by shares
EQUAL = 0.999  # smallest share of equal mask pixels
CLOSE = 1e-4  # margin between two classes below which rounding may decide


@dataclass(frozen=True)
class Parity:
    """What comparing found.

    Attributes:
        images, pixels: how many were compared.
        sizes: smallest and largest (height, width).
        largest, mean: absolute difference of the logits; NaN for files that give classes only.
        scale: the network's largest logit, its sign left out.
        equal: share of pixels whose class is the same.
        close: pixels at which the network itself all but tosses a coin (margin below 1e-4).
    """

    images: int
    pixels: int
    sizes: tuple[tuple[int, int], tuple[int, int]]
    largest: float
    mean: float
    equal: float
    close: int
    scale: float = 0.0

    def failure(self) -> str | None:
        """Why this is not the same network; None where it is."""
        allowed = max(LOGITS, RELATIVE * self.scale)
        if self.largest > allowed:
            return f"its logits differ by up to {self.largest:.3g} from the network's (allowed: {allowed:.3g})"
        if not self.equal >= EQUAL:
            return f"only {100 * self.equal:.2f} % of its mask pixels are the network's (wanted: {100 * EQUAL:g} %)"
        return None


def compare(reference: Runner, exported: Runner, images: Sequence[Image], card: Card, decided: bool = False) -> Parity:
    """Run both on every image, and once on two images together.

    Args:
        decided: the exported file gives classes only; then only these are compared.
    """
    largest, total, count, equal, pixels, close, scale = 0.0, 0.0, 0, 0, 0, 0, 0.0
    decide = coded if card.overlapping else chosen
    first = images[0]
    for image in (*images, np.concatenate([first, first[..., ::-1]])):
        image = np.ascontiguousarray(image)
        for ours, theirs in zip(reference.run(image), exported.run(image), strict=True):
            if ours.shape != theirs.shape:
                raise FailedCheckError(f"the file gives logits of shape {theirs.shape}, the network {ours.shape}")
            difference = np.abs(ours.astype(np.float64) - theirs)
            largest, total, count = (
                max(largest, _worst(difference)),
                total + float(difference.sum()),
                count + difference.size,
            )
            equal += int((decide(ours) == decide(theirs)).sum())
            pixels += ours[0].size
            scale = max(scale, float(np.abs(ours).max()))
            close += int((_margin(ours, card.overlapping) < CLOSE).sum())
    sizes = sorted(((image.shape[2], image.shape[3]) for image in images), key=lambda size: size[0] * size[1])
    unknown = float("nan")
    return Parity(
        len(images), pixels, (sizes[0], sizes[-1]), unknown if decided else largest,
        unknown if decided else total / count, equal / pixels, close, scale,
    )  # fmt: skip


def _worst(difference: NDArray[np.float64]) -> float:
    """The largest difference; infinite where something is no number."""
    worst = float(difference.max())
    return float("inf") if np.isnan(worst) else worst


def _margin(logits: NDArray[np.float32], overlapping: bool) -> NDArray[np.float32]:
    """How surely each pixel was decided."""
    if overlapping:
        return np.abs(logits).min(0)
    if len(logits) == 1:
        return np.full(logits.shape[1:], np.inf, dtype=np.float32)
    best = np.partition(logits, -2, axis=0)
    return best[-1] - best[-2]
