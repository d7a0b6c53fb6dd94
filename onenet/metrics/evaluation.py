"""Score a model on images with masks: one pass, one confusion matrix, at each image's own size."""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.images import IGNORED
from onenet.metrics.confusion import confusion_matrix, iou, mean_over_classes
from onenet.metrics.report import Report

_STRIP = 64  # rows counted at a time, so that logits of many classes never exist at full size


@runtime_checkable
class LabelledImage(Protocol):
    """A named image with its mask of class indices, 255 where nothing is counted."""

    @property
    def name(self) -> str: ...
    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def mask(self) -> NDArray[np.uint8]: ...


@runtime_checkable
class Prediction(Protocol):
    """What a segmenter says of an image: logits (k, h, w) at the image's own size, or of some of its rows."""

    def logits(self, rows: slice | None = None) -> NDArray[np.float32]: ...


def score(
    segment: Callable[[NDArray[np.uint8]], Prediction],
    samples: Iterable[LabelledImage],
    card: Card,
    data: str,
    split: str,
) -> Report:
    """Segment every sample and count.

    Args:
        segment: image (h, w, c) uint8 -> prediction, for example a `Segmenter`.
        samples: the images.
        card: of the model.
        data, split: how the report calls these images.
    """
    k = card.num_classes
    matrix = np.zeros((k, k), dtype=np.int64)
    entropy = 0.0
    per_image = []
    for sample in samples:
        prediction = segment(sample.image)
        here = np.zeros_like(matrix)
        for start in range(0, sample.mask.shape[0], _STRIP):
            rows = slice(start, start + _STRIP)
            logits, mask = prediction.logits(rows), sample.mask[rows]
            here += confusion_matrix(mask, logits.argmax(0), k, IGNORED)
            entropy += cross_entropy_sum(logits, mask)
        matrix += here
        per_image.append((sample.name, mean_over_classes(iou(here))))
    counted = int(matrix.sum())
    mean_entropy = entropy / counted if counted else float("nan")
    return Report(data, split, len(per_image), card.classes, card.background, matrix, mean_entropy, tuple(per_image))


def cross_entropy_sum(logits: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """Sum over the counted pixels of -log softmax(logits)[true class], in nats."""
    kept = mask != IGNORED
    chosen = logits[:, kept].astype(np.float64)  # k n
    top = chosen.max(axis=0, initial=-np.inf)
    log_sum = top + np.log(np.exp(chosen - top).sum(axis=0))
    true = np.take_along_axis(chosen, mask[kept][None].astype(np.intp), axis=0)[0]
    return float((log_sum - true).sum())
