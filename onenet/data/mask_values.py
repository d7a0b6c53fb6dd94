"""Which values the masks of a data set hold, and whether they all mean the same by them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from onenet.config import DataConfig
from onenet.data.sample import Item
from onenet.errors import DataError
from onenet.images import read_mask


def mask_values(items: Sequence[Item], encoding: str) -> dict[int, Item]:
    """Every value that occurs in a mask, with one item that holds it.

    Raises:
        DataError: a mask is unreadable, or not in this encoding.
    """
    with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside the interpreter lock
        found = pool.map(lambda item: distinct(read_mask(item.mask, encoding)), items)
        return {int(value): item for item, values in zip(items, found, strict=True) for value in values}


def distinct(raw: NDArray[np.integer]) -> NDArray[np.integer]:
    """The values that occur, in ascending order; quicker than `np.unique` for bytes."""
    return np.flatnonzero(np.bincount(raw.ravel())) if raw.dtype == np.uint8 else np.unique(raw)


def values_of(items: Sequence[Item], encoding: str, config: DataConfig) -> tuple[dict[int, Item], tuple[str, ...]]:
    """`mask_values`, and a note on the masks that are left out where `data.skip_unreadable`."""
    if not config.skip_unreadable:
        return mask_values(items, encoding), ()
    found: dict[int, Item] = {}
    errors: list[DataError] = []
    for item in items:
        try:
            found |= {int(value): item for value in distinct(read_mask(item.mask, encoding))}
        except DataError as error:
            errors.append(error)
    if errors and len(errors) == len(items):
        raise errors[0]
    return found, (f"{len(errors)} masks cannot be read and are left out, the first: {errors[0]}",) if errors else ()


def refuse_mixture(values: Mapping[int, Item], items: Sequence[Item], encoding: str) -> None:
    """Refuse masks of which some hold 0 and 1 and others 0 and 255: the object of one kind would not be counted."""
    if set(values) != {0, 1, 255}:
        return
    for item in (values[1], values[255], *items):
        try:
            if {1, 255} <= set(distinct(read_mask(item.mask, encoding)).tolist()):
                return
        except DataError:
            continue  # left out
    raise DataError(f"{values[1].mask}: holds 0 and 1, but {values[255].mask.name} holds 0 and 255; save all masks "
                    "alike, or set data.class_values=[0,1] if 255 is not to be counted")  # fmt: skip
