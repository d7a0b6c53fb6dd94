"""Logits of some rows -> what is decided there, how surely, and how far from the truth in nats."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onenet.images import IGNORED


@runtime_checkable
class Prediction(Protocol):
    """What a segmenter says of an image: logits (k, h, w) at the image's own size, or of some of its rows."""

    def logits(self, rows: slice | None = None) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Decisions:
    """What logits say of the pixels of an image, or of some of its rows.

    Attributes:
        labels: (h, w) class indices, or bit codes of overlapping classes.
        probability: (h, w) of the class that was chosen; of overlapping classes (k, h, w), of each class.
        entropy: (k,) sums in nats over the counted pixels: of the cross-entropy at the pixels of each true class; of
            overlapping classes the binary cross-entropy of each class.
    """

    labels: NDArray[np.uint8]
    probability: NDArray[np.float32]
    entropy: NDArray[np.float64]


def decide(logits: NDArray[np.float32], mask: NDArray[np.uint8]) -> Decisions:
    """The most probable class of each pixel by softmax; the first of equal ones.

    Args:
        logits: (k, h, w), finite.
        mask: (h, w) the truth, class indices below k or 255.
    """
    best, labels = logits[0].copy(), np.zeros(mask.shape, dtype=np.uint8)
    for index in range(1, len(logits)):  # several times as fast as argmax over the first axis
        np.copyto(labels, index, where=logits[index] > best)
        np.maximum(best, logits[index], out=best)
    with np.errstate(over="ignore"):  # of a difference beyond float32 the exponential is 0 all the same
        total = np.exp(logits - best).sum(axis=0)  # 1 and more
    kept = mask != IGNORED
    true = mask[kept]
    chosen = np.take_along_axis(logits, np.where(kept, mask, 0)[None].astype(np.intp), axis=0)[0]
    nats = np.log(total[kept].astype(np.float64)) + (best[kept].astype(np.float64) - chosen[kept])
    entropy = np.bincount(true, nats, minlength=len(logits)).astype(np.float64)  # of nothing it is integers
    return Decisions(labels, 1 / total, entropy)


def decide_each(logits: NDArray[np.float32], mask: NDArray[np.uint8]) -> Decisions:
    """Every class by itself, by sigmoid: class i is where logit i is above 0; `mask` holds bit codes or 255."""
    kept = mask != IGNORED
    shifts = np.arange(len(logits), dtype=np.uint8)[:, None, None]
    labels = ((logits > 0).astype(np.uint8) << shifts).sum(axis=0, dtype=np.uint8)
    decay = np.exp(-np.abs(logits))  # at most 1
    probability = np.where(logits > 0, 1, decay) / (1 + decay)
    there = (mask[None] >> shifts & 1).astype(bool)
    nats = np.log1p(decay.astype(np.float64)) + np.maximum(np.where(there, -logits, logits), 0)
    return Decisions(labels, probability, nats[:, kept].sum(axis=1))
