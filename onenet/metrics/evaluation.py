"""Score a model on images with masks: one pass, one confusion matrix, at each image's own size."""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.images import IGNORED
from onenet.metrics.confusion import confusion_matrix, iou, mean_over_classes
from onenet.metrics.report import Report


@runtime_checkable
class Labelled(Protocol):
    """A named image with its mask of class indices, 255 where nothing is counted."""

    @property
    def name(self) -> str: ...
    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def mask(self) -> NDArray[np.uint8]: ...


@runtime_checkable
class Answer(Protocol):
    """What a segmenter says of an image: a mask (h, w) and logits (k, h, w) at the image's own size."""

    @property
    def mask(self) -> NDArray[np.uint8]: ...
    def logits(self) -> NDArray[np.float32]: ...


def score(
    segment: Callable[[NDArray[np.uint8]], Answer], samples: Iterable[Labelled], card: Card, data: str, split: str
) -> Report:
    """Segment every sample and count.

    Args:
        segment: image (h, w, c) uint8 -> answer, for example a `Segmenter`.
        data, split: how the report calls these images.
    """
    k = card.num_classes
    matrix = np.zeros((k, k), dtype=np.int64)
    entropy, counted = 0.0, 0
    per_image = []
    for sample in samples:
        answer = segment(sample.image)
        here = confusion_matrix(sample.mask, answer.mask, k, IGNORED)
        entropy += cross_entropy_sum(answer.logits(), sample.mask)
        counted += int(here.sum())
        matrix += here
        per_image.append((sample.name, mean_over_classes(iou(here))))
    mean_entropy = entropy / counted if counted else float("nan")
    return Report(data, split, len(per_image), card.classes, card.background, matrix, mean_entropy, tuple(per_image))


def cross_entropy_sum(logits: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """Sum over the counted pixels of -log softmax(logits)[true class], in nats."""
    kept = mask != IGNORED
    chosen = logits[:, kept].astype(np.float64)  # k n
    top = chosen.max(axis=0, initial=-np.inf)
    log_sum = top + np.log(np.exp(chosen - top).sum(axis=0))
    return float((log_sum - np.take_along_axis(chosen, mask[kept][None].astype(np.intp), axis=0)[0]).sum())
