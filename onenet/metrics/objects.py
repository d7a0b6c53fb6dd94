"""Average precision of objects, which are the connected components of a class.

An object is a region of one class whose pixels touch, diagonally too (8-connected). A predicted object finds a true one
of its class where their IoU is at least 0.5; each true object can be found once. The predicted objects of all images,
from the surest to the least sure, give a curve of precision over recall; the average precision (AP) is the area under
it, with the precision at a recall taken as the highest at that recall or beyond ("all points", as PASCAL VOC has it
since 2010). The confidence of a predicted object is the mean probability of its class over its counted pixels.

What is not counted: pixels of 255 belong to no object of the truth; they are left out of the areas of the predicted
ones, and a predicted object that lies mostly in them is left out altogether.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onenet.images import IGNORED

LEAST_IOU = 0.5
_TOUCHING = np.ones((3, 3), dtype=bool)

Plane = NDArray[np.bool_]


class ObjectCounts:
    """Gathers, image by image, which predicted objects find a true one.

    Args:
        num_classes: how many classes there are.
        background: a class whose regions are no objects, or None.
        overlapping: masks are bit codes.
    """

    def __init__(self, num_classes: int, background: int | None = None, overlapping: bool = False) -> None:
        self._overlapping = overlapping
        self._classes = [index for index in range(num_classes) if index != background]
        self._confidence: list[list[NDArray[np.float64]]] = [[] for _ in range(num_classes)]
        self._found: list[list[Plane]] = [[] for _ in range(num_classes)]
        self._objects = np.zeros(num_classes, dtype=np.int64)

    def add(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], probability: NDArray[np.floating]) -> None:
        """Count the objects of an image.

        Args:
            truth, prediction: (h, w) class indices or bit codes; 255 in `truth` is not counted.
            probability: (h, w) of the predicted class, or (k, h, w) of each class where they overlap.
        """
        counted = truth != IGNORED
        for index, true, drawn in self._planes(truth, prediction, counted):
            sure = probability[index] if self._overlapping else probability
            objects, confidence, found = match_objects(true, drawn, sure, counted)
            self._objects[index] += objects
            self._confidence[index].append(confidence)
            self._found[index].append(found)

    def _planes(self, truth: NDArray, prediction: NDArray, counted: Plane) -> Iterator[tuple[int, Plane, Plane]]:
        """The classes that occur, with where they are in truth and prediction."""
        if self._overlapping:
            for index in self._classes:
                yield index, (truth >> index & 1).astype(bool) & counted, (prediction >> index & 1).astype(bool)
            return
        there = np.bincount(truth.ravel(), minlength=256) + np.bincount(prediction.ravel(), minlength=256)
        for index in self._classes:
            if there[index]:
                yield index, truth == index, prediction == index

    def average_precision(self) -> NDArray[np.float64]:
        """Per class (k,); NaN for the background and for a class without an object in the truth."""
        values = np.full(len(self._objects), np.nan)
        for index in self._classes:
            confidence = np.concatenate([np.empty(0), *self._confidence[index]])
            found = np.concatenate([np.empty(0, dtype=bool), *self._found[index]])
            values[index] = average_precision(confidence, found, int(self._objects[index]))
        return values


def match_objects(
    true: Plane, drawn: Plane, probability: NDArray[np.floating], counted: Plane
) -> tuple[int, NDArray[np.float64], Plane]:
    """The objects of one class in one image.

    Who chooses first does not matter: two predicted objects with an IoU of 0.5 with the same true one would each cover
    half of it and nothing else, so they would touch and be one.

    Returns:
        how many the truth has; the confidence of each predicted object; whether each finds a true one.
    """
    from scipy.ndimage import label

    true_ids, objects = label(true, _TOUCHING)
    drawn_ids, predicted = label(drawn, _TOUCHING)
    places = np.flatnonzero(drawn)
    whole = np.bincount(drawn_ids.ravel()[places], minlength=predicted + 1)
    places = places[counted.ravel()[places]]
    owner, meets = drawn_ids.ravel()[places], true_ids.ravel()[places]
    area = np.bincount(owner, minlength=predicted + 1)
    sums = np.bincount(owner, probability.ravel()[places], minlength=predicted + 1)
    judged = np.flatnonzero(2 * area >= whole)[1:]  # 0 is what is no object
    confidence = np.divide(sums, area, out=np.zeros(predicted + 1), where=area > 0)
    pairs, shared = np.unique(owner[meets > 0].astype(np.int64) * (objects + 1) + meets[meets > 0], return_counts=True)
    by, of = np.divmod(pairs, objects + 1)
    overlap = shared / (area[by] + np.bincount(true_ids.ravel(), minlength=objects + 1)[of] - shared)
    found = np.zeros(predicted + 1, dtype=bool)
    found[by[overlap >= LEAST_IOU]] = True
    return objects, confidence[judged], found[judged]


def average_precision(confidence: NDArray[np.floating], found: Plane, objects: int) -> float:
    """Area under the interpolated curve of precision over recall.

    Args:
        confidence: (n,) of the predicted objects.
        found: (n,) whether each finds a true one; among equally sure ones the order stays.
        objects: how many there are to be found; with none the result is NaN.
    """
    if not objects:
        return float("nan")
    hits = np.cumsum(found[np.argsort(-confidence, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((highest * np.diff(hits / objects, prepend=0)).sum())
