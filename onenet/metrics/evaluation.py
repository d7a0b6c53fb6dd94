"""Score a model on images with masks: one pass, one confusion matrix, at each image's own size."""

import math
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.errors import ConfigError, OneNetError, TrainError
from onenet.images import IGNORED
from onenet.metrics import confusion
from onenet.metrics.authors import AuthorsFigures
from onenet.metrics.bootstrap import iou_intervals
from onenet.metrics.boundary import boundary_f
from onenet.metrics.calibration import CalibrationBins
from onenet.metrics.confusion import Matrix
from onenet.metrics.decisions import Decisions, Prediction, decide, decide_each
from onenet.metrics.objects import ObjectCounts
from onenet.metrics.report import Details, Report

_STRIP = 64  # rows counted at a time, so that logits of many classes never exist at full size

Image = NDArray[np.uint8] | NDArray[np.float32]


@runtime_checkable
class LabelledImage(Protocol):
    """A named image with its mask of class indices or bit codes, 255 where nothing is counted."""

    @property
    def name(self) -> str: ...
    @property
    def image(self) -> Image: ...
    @property
    def mask(self) -> NDArray[np.uint8]: ...


def score(
    segment: Callable[[Image], Prediction],
    samples: Iterable[LabelledImage],
    card: Card,
    data: str,
    split: str,
    details: bool = False,
    authors: bool = False,
    absent: tuple[int, ...] = (),
) -> Report:
    """Segment every sample and count.

    Args:
        segment: image (h, w, c), uint8 or float32 in [0, 1] -> prediction, for example a `Segmenter`.
        samples: the images.
        card: of the model: its classes, whether they overlap, and the class weights that it was trained with.
        data, split: how the report calls these images.
        details: also compute what takes longer (`Report.details`); needs scipy.
        authors: also compute the figures of the paper's authors (`Report.authors`).
        absent: classes of which the data has no image (`Report.absent`).

    Raises:
        ConfigError: the authors' figures are asked for, but classes overlap.
        DataError: a mask holds a label that is no class.
        TrainError: the model gives logits that are no numbers.
    """
    if authors and card.overlapping:
        raise ConfigError("the authors' figures are of one class per pixel, but this model's classes overlap")
    matrix = confusion.empty_matrix(card.num_classes, card.overlapping)
    entropy = np.zeros(card.num_classes)
    more = _Details(card, absent) if details else None
    theirs = AuthorsFigures(card.num_classes) if authors else None
    per_image = []
    for sample in samples:
        prediction = segment(sample.image)
        here, decisions = _count(prediction, sample, card, keep=details)
        matrix += here
        entropy += decisions.entropy
        per_image.append((sample.name, confusion.mean_over_classes(confusion.iou(here))))
        if more is not None:
            more.add(sample.mask, decisions, here)
        if theirs is not None:
            theirs.add(prediction, sample.mask)
    return Report(
        data,
        split,
        len(per_image),
        card.classes,
        card.background,
        matrix,
        _mean_entropy(entropy, matrix),
        tuple(per_image),
        weighted_cross_entropy=_weighted_entropy(entropy, matrix, card),
        details=more.result() if more is not None else None,
        authors=theirs.figures() if theirs is not None else {},
        absent=absent,
    )


def predicted_mask(prediction: Prediction, size: tuple[int, ...], overlapping: bool = False) -> NDArray[np.uint8]:
    """The mask (h, w) that is scored: class indices, or bit codes of overlapping classes."""
    nothing = np.full(size, IGNORED, dtype=np.uint8)
    decide_rows = decide_each if overlapping else decide
    strips = (slice(start, start + _STRIP) for start in range(0, size[0], _STRIP))
    return np.concatenate([decide_rows(prediction.logits(rows), nothing[rows]).labels for rows in strips])


def _count(prediction: Prediction, sample: LabelledImage, card: Card, keep: bool) -> tuple[Matrix, Decisions]:
    """The matrix of one image, and what was decided in it; pixel by pixel only where this is to be kept."""
    k, mask = card.num_classes, sample.mask
    matrix, entropy, kept = confusion.empty_matrix(k, card.overlapping), np.zeros(k), []
    decide_rows, count = (
        (decide_each, confusion.overlapping_matrix) if card.overlapping else (decide, confusion.confusion_matrix)
    )
    for start in range(0, mask.shape[0], _STRIP):
        rows = slice(start, start + _STRIP)
        logits = prediction.logits(rows)
        if not np.isfinite(logits).all():
            raise TrainError(f"{sample.name}: the network's outputs are no numbers, so its training has diverged; "
                             "lower train.learning_rate or use train.precision=32-true")  # fmt: skip
        strip = decide_rows(logits, mask[rows])
        matrix += count(mask[rows], strip.labels, k, IGNORED)
        entropy += strip.entropy
        if keep:
            kept.append(strip)
    labels = np.concatenate([strip.labels for strip in kept]) if keep else np.empty((0, 0), np.uint8)
    sure = np.concatenate([strip.probability for strip in kept], axis=-2) if keep else np.empty((0, 0), np.float32)
    return matrix, Decisions(labels, sure, entropy)


def _mean_entropy(entropy: NDArray[np.float64], matrix: Matrix) -> float:
    """Over the counted pixels; of overlapping classes over pixels and classes."""
    decisions = confusion.counted_pixels(matrix) * (len(entropy) if matrix.ndim == 3 else 1)
    return float(entropy.sum() / decisions) if decisions else float("nan")


def _weighted_entropy(entropy: NDArray[np.float64], matrix: Matrix, card: Card) -> float:
    """The mean over the counted pixels, each with the weight of its true class in training; NaN without weights."""
    weights = np.asarray(card.training.get("class_weights") or (), dtype=np.float64)
    if card.overlapping or weights.shape != (card.num_classes,) or (weights == 1).all():
        return math.nan
    total = weights @ matrix.sum(1)
    return float(weights @ entropy / total) if total else math.nan


class _Details:
    """Gathers what `Details` needs, image by image."""

    def __init__(self, card: Card, absent: tuple[int, ...]) -> None:
        try:
            import scipy  # noqa: F401
        except ModuleNotFoundError:
            raise OneNetError("scores need scipy, which is not installed: pip install 'onenet-seg[scores]'") from None
        self._card, self._absent = card, list(absent)
        self._calibration = CalibrationBins()
        self._objects = ObjectCounts(card.num_classes, card.background, card.overlapping)
        self._boundary: list[NDArray[np.float64]] = []
        self._areas: list[NDArray[np.int64]] = []

    def add(self, mask: NDArray[np.uint8], decisions: Decisions, matrix: Matrix) -> None:
        card, kept = self._card, mask != IGNORED
        sure, right = decisions.probability, decisions.labels == mask
        if card.overlapping:
            shifts = np.arange(card.num_classes, dtype=np.uint8)[:, None, None]
            right = (decisions.labels ^ mask) >> shifts & 1 == 0
            sure = np.maximum(sure, 1 - sure)  # of the decision, whichever way it went
        self._calibration.add(sure[..., kept].ravel(), right[..., kept].ravel())
        self._objects.add(mask, decisions.labels, decisions.probability)
        self._boundary.append(boundary_f(mask, decisions.labels, card.num_classes, card.overlapping))
        self._areas.append(confusion.areas(matrix))

    def result(self) -> Details:
        k = self._card.num_classes
        areas = np.array(self._areas, dtype=np.int64).reshape(-1, 3, k)
        areas[..., self._absent] = 0
        outlines = np.stack(self._boundary) if self._boundary else np.empty((0, k))
        return Details(
            calibration_error=self._calibration.error,
            boundary_f=np.array([confusion.mean_over_classes(values) for values in outlines.T]),
            average_precision=self._objects.average_precision(),
            intervals=iou_intervals(areas, self._card.background),
        )
