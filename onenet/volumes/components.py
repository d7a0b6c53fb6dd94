"""What can be put right in a mask without looking at the image: specks and holes, in three dimensions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = ("largest", "holes")


def postprocess(
    mask: NDArray[np.uint8], steps: Mapping[str, Sequence[int]], background: int | None, overlapping: bool = False
) -> NDArray[np.uint8]:
    """A mask (x, y, z) after the steps of a card.

    Args:
        mask: class indices, or bit codes where classes overlap.
        steps: "largest", the classes of which only the largest connected part (of 26 neighbours) is kept, and "holes",
            those whose holes are filled where there is background.
        background: the class that takes the place of what is removed; None: nothing is done, unless classes overlap.
        overlapping: whether the mask holds bit codes.
    """
    if background is None and not overlapping:
        return mask
    nothing = 0 if background is None else background
    found = mask.copy()
    for index in steps.get("largest", ()):
        there = _of_class(found, index, overlapping)
        _set(found, there & ~largest_part(there), index, nothing, overlapping, put=False)
    for index in steps.get("holes", ()):
        there = _of_class(found, index, overlapping)
        holes = filled(there) & ~there
        _set(found, holes if overlapping else holes & (found == nothing), index, nothing, overlapping, put=True)
    return found


def largest_part(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part, of 26 neighbours each; all of nothing where there is nothing."""
    from scipy import ndimage

    parts: Any
    parts, count = ndimage.label(there, structure=np.ones((3, 3, 3)))
    if count < 2:
        return there
    sizes = np.bincount(parts.ravel())
    return parts == 1 + int(sizes[1:].argmax())


def filled(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same without its holes: places from which no way through 6 neighbours leads out."""
    from scipy import ndimage

    found: NDArray[np.bool_] = ndimage.binary_fill_holes(there)
    return found


def _of_class(mask: NDArray[np.uint8], index: int, overlapping: bool) -> NDArray[np.bool_]:
    return (mask >> np.uint8(index)) & 1 == 1 if overlapping else mask == index


def _set(
    mask: NDArray[np.uint8], places: NDArray[np.bool_], index: int, nothing: int, overlapping: bool, put: bool
) -> None:
    if overlapping:
        mask[places] ^= np.uint8(1 << index)
    else:
        mask[places] = index if put else nothing
