"""Parts of tensors, and what becomes of them when a tensor is reshaped.

An axis that was merged from several remembers them: rows and columns of a flattened image stay rows and columns, so
that taking it apart again loses nothing.

    h [4, 8) of 16, w [0, 2) of 4   --merge-->   (4..8 of 16)(0..2 of 4)   --split-->   h [4, 8), w [0, 2)
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

Interval = tuple[int, int]  # first, one past last


class Factor(NamedTuple):
    """The places low <= place < high of a length; of a merged axis the first factor is the slowest."""

    size: int
    low: int
    high: int


Axis = tuple[Factor, ...]
Region = tuple[Axis, ...]


def part(size: int, low: int, high: int) -> Axis:
    """An axis between two places, which are moved into it; never empty."""
    low = min(max(low, 0), size - 1)
    return (Factor(size, low, min(max(high, low + 1), size)),)


def whole(size: int) -> Axis:
    """All of an axis."""
    return (Factor(size, 0, size),)


def interval(axis: Axis) -> Interval:
    """The shortest interval that holds the places of an axis."""
    low = high = 0
    for factor in axis:
        low, high = low * factor.size + factor.low, high * factor.size + factor.high - 1
    return low, high + 1


def length(axis: Axis) -> int:
    """How many places an axis has."""
    return prod(factor.size for factor in axis)


def is_whole(axis: Axis) -> bool:
    """Whether nothing of an axis is left out."""
    return all(factor.high - factor.low == factor.size for factor in axis)


def union(first: Region, second: Region) -> Region:
    """The smallest region that holds both, axis by axis."""
    return tuple(_joined(*axes) for axes in zip(first, second, strict=True))


def reshaped(region: Region, shape: Sequence[int]) -> Region:
    """The same elements in a tensor of another shape, in the order of reading; where the axes do not meet, more."""
    factors = [factor for axis in region for factor in axis if factor.size > 1]
    axes = []
    for size in shape:
        axis, left = [], size
        while left > 1:
            factor = factors.pop(0)
            if left % factor.size == 0:
                axis.append(factor)
                left //= factor.size
            elif factor.size % left == 0:
                outer, inner = _split(factor, left)
                axis.append(outer)
                factors.insert(0, inner)
                left = 1
            else:
                factors.insert(0, _merged((factor, factors.pop(0))))
        axes.append(tuple(axis) or whole(1))
    return tuple(axes)


def _merged(axis: Axis) -> Factor:
    return Factor(length(axis), *interval(axis))


def _split(factor: Factor, outer: int) -> tuple[Factor, Factor]:
    inner = factor.size // outer
    first, last = factor.low // inner, (factor.high - 1) // inner
    if first == last:
        return Factor(outer, first, first + 1), Factor(inner, factor.low % inner, (factor.high - 1) % inner + 1)
    return Factor(outer, first, last + 1), Factor(inner, 0, inner)


def _joined(first: Axis, second: Axis) -> Axis:
    finer, other = (first, second) if len(first) >= len(second) else (second, first)
    sizes = [factor.size for factor in finer]
    fitted = tuple(_merged(axis) for axis in reshaped((other,), sizes))
    if interval(fitted) != interval(other) and _is_run(
        finer
    ):  # it was rounded outwards: a run of places needs no parts
        finer, fitted = (_merged(finer),), (_merged(other),)
    pairs = zip(finer, fitted, strict=True)
    return tuple(Factor(a.size, min(a.low, b.low), max(a.high, b.high)) for a, b in pairs)


def _is_run(axis: Axis) -> bool:
    """Whether the places of an axis follow one another without a gap: all of its inner factors are whole."""
    return is_whole(axis[1:])
