"""Which post-processing of masks is worth doing: tried on validation cases, a class at a time."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from onenet.images import IGNORED
from onenet.metrics.case_scoring import SegmentedCase
from onenet.metrics.volume import where_class
from onenet.volumes.components import STEPS, postprocess

_GAIN = 1e-4  # of Dice, below which nothing is done: what is not needed is not to be explained
_TRIED = ((), *((step,) for step in STEPS), STEPS)


def choose_steps(
    cases: Iterable[SegmentedCase], classes: int, background: int | None, overlapping: bool = False
) -> tuple[dict[str, list[int]], NDArray[np.float64]]:
    """The steps with the highest mean Dice over cases, and that Dice.

    Each class is tried by itself, with none of the steps of `onenet.volumes.components`, each of them, and all.

    Args:
        cases: of validation, segmented without post-processing.
        classes: how many there are.
        background: is not tried; None where there is none.
        overlapping: the masks are bit codes.

    Returns:
        The steps, as a card has them, and Dice (ways, classes): a row for each of none, every step, and all of them.
    """
    sums, counts = np.zeros((len(_TRIED), classes)), np.zeros(classes)
    for case in cases:
        counted = case.truth != IGNORED
        for index in range(classes):
            true = where_class(case.truth, index, overlapping) & counted
            if index == background or not true.any():
                continue
            counts[index] += 1
            for way, steps in enumerate(_TRIED):
                mask = postprocess(case.prediction, {step: [index] for step in steps}, background, overlapping)
                drawn = where_class(mask, index, overlapping) & counted
                sums[way, index] += 2 * (true & drawn).sum() / (true.sum() + drawn.sum())
    dice = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    found: dict[str, list[int]] = {step: [] for step in STEPS}
    for index in range(classes):
        if counts[index] and dice[:, index].max() > dice[0, index] + _GAIN:
            for step in _TRIED[int(dice[:, index].argmax())]:
                found[step].append(index)
    return {step: indices for step, indices in found.items() if indices}, dice
