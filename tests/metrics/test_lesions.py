"""Lesions against a flood fill written with loops."""

import math
from itertools import product

import numpy as np
import pytest

from onenet.metrics.lesions import LesionCounts, count_lesions


def components(mask):
    left, found = {tuple(place) for place in np.argwhere(mask)}, []
    while left:
        waiting, here = [left.pop()], set()
        while waiting:
            place = waiting.pop()
            here.add(place)
            for step in product((-1, 0, 1), repeat=3):
                other = tuple(a + b for a, b in zip(place, step, strict=True))
                if other in left:
                    left.remove(other)
                    waiting.append(other)
        found.append(here)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_a_flood_fill(seed):
    random = np.random.default_rng(seed)
    truth, prediction = random.random((2, 9, 9, 9)) < 0.03
    true, drawn = components(truth), components(prediction)
    found = sum(any(prediction[place] for place in lesion) for lesion in true)
    false = sum(not any(truth[place] for place in lesion) for lesion in drawn)
    assert count_lesions(truth, prediction) == LesionCounts(len(true), found, false)


def test_corners_touch():
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert count_lesions(mask, mask) == LesionCounts(1, 1, 0)


def test_without_lesions_there_is_no_share_of_them():
    assert math.isnan(LesionCounts(0, 0, 2).sensitivity)
    assert LesionCounts(4, 1, 0).sensitivity == 0.25
