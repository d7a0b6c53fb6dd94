"""Parts of tensors through reshapes, against numbers that are moved for real."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onenet.deploy.regions import Factor, interval, is_whole, length, part, reshaped, union, whole

SHAPES = [
    ((4, 6), (24,)), ((24,), (4, 6)), ((2, 3, 8), (2, 3, 4, 2)), ((8, 8), (4, 2, 4, 2)), ((6, 4), (4, 6)),
    ((3, 4), (2, 6)), ((1, 5, 1, 4), (5, 4)), ((12, 1), (2, 2, 3)), ((4, 9), (6, 6)),
]  # fmt: skip


@pytest.mark.parametrize("shape, other", SHAPES)
@given(data=st.data())
def test_a_reshape_keeps_every_element_of_a_region(shape, other, data):
    spans = []
    for size in shape:
        low = data.draw(st.integers(0, size - 1))
        spans.append((low, data.draw(st.integers(low + 1, size))))
    marked = np.zeros(shape, dtype=bool)
    marked[tuple(slice(*span) for span in spans)] = True
    found = reshaped(tuple(part(size, *span) for size, span in zip(shape, spans, strict=True)), other)
    assert tuple(map(length, found)) == other
    box = np.zeros(other, dtype=bool)
    box[tuple(slice(*interval(axis)) for axis in found)] = True
    assert not (marked.reshape(other) & ~box).any()


def test_a_merged_axis_taken_apart_again_is_what_it_was():
    region = part(16, 4, 8), part(8, 0, 2), part(3, 1, 2)
    assert reshaped(reshaped(region, (384,)), (16, 8, 3)) == region
    rows_of_four = reshaped(reshaped(region, (384,)), (8, 2, 8, 3))
    assert [interval(axis) for axis in rows_of_four] == [(2, 4), (0, 2), (0, 2), (1, 2)]


def test_a_merged_axis_is_the_interval_around_its_places():
    (axis,) = reshaped((part(4, 1, 3), part(10, 2, 5)), (40,))
    places = [10 * row + column for row in (1, 2) for column in (2, 3, 4)]
    assert interval(axis) == (min(places), max(places) + 1)


def test_the_union_holds_both_and_keeps_the_finer_parts():
    merged = (Factor(4, 1, 2), Factor(6, 0, 2))
    assert union((merged,), (part(24, 12, 18),)) == ((Factor(4, 1, 3), Factor(6, 0, 6)),)
    assert union((part(9, 2, 3),), (part(9, 5, 7),)) == (part(9, 2, 7),)


def test_a_part_lies_in_its_axis_and_is_never_empty():
    assert interval(part(10, -3, 4)) == (0, 4) and interval(part(10, 8, 99)) == (8, 10)
    assert interval(part(10, 12, 15)) == (9, 10) and interval(part(10, 4, 4)) == (4, 5)
    assert is_whole(whole(7)) and not is_whole(part(7, 0, 6))


def test_the_union_of_runs_is_not_rounded_to_the_parts_of_one_of_them():
    """A feature that is unshuffled, and that a kernel looks at: rows [16, 24) in pairs, and rows [15, 25)."""
    (pairs,) = reshaped((part(20, 8, 12), whole(2)), (40,))
    (joined,) = union((pairs,), (part(40, 15, 25),))
    assert interval(joined) == (15, 25)
    (odd,) = reshaped((part(20, 8, 12), part(2, 0, 1)), (40,))  # even rows only: no run
    (joined,) = union((odd,), (part(40, 15, 25),))
    assert interval(joined) == (14, 26)
