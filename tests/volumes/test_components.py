"""Specks and holes in three dimensions."""

import numpy as np
from scipy import ndimage

from onenet.volumes.components import filled, largest_part, postprocess


def test_the_largest_part_is_kept_and_holes_are_filled():
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[1:6, 1:6, 1:6] = 1
    mask[3, 3, 3] = 0  # a hole
    mask[2, 2, 2] = 2  # another class inside
    mask[8, 8, 8] = 1  # a speck
    found = postprocess(mask, {"largest": [1], "holes": [1]}, background=0)
    expected = mask.copy()
    expected[3, 3, 3], expected[8, 8, 8] = 1, 0
    assert np.array_equal(found, expected) and mask[8, 8, 8] == 1
    assert np.array_equal(postprocess(mask, {}, 0), mask)
    assert postprocess(mask, {"largest": [1]}, None) is mask


def test_bit_codes_are_put_right_one_by_one():
    code = np.zeros((7, 7, 7), np.uint8)
    code[2:6, 2:6, 2:6] = 0b01
    code[3, 3, 3] = 0b10
    code[0, 0, 0] = 0b11
    found = postprocess(code, {"largest": [0], "holes": [0]}, None, overlapping=True)
    assert found[3, 3, 3] == 0b11 and found[0, 0, 0] == 0b10
    assert ndimage.label(found & 1)[1] == 1


def test_parts_meet_at_corners_and_holes_do_not_leak_there():
    there = np.zeros((6, 6, 6), bool)
    there[1, 1, 1] = there[2, 2, 2] = there[5, 5, 0] = True
    assert np.argwhere(largest_part(there)).tolist() == [[1, 1, 1], [2, 2, 2]]
    shell = np.zeros((5, 5, 5), bool)
    shell[1:4, 1:4, 1:4] = True
    shell[2, 2, 2] = shell[1, 1, 1] = False  # the hole touches the outside at a corner alone, through a voxel
    assert filled(shell)[2, 2, 2] and not filled(shell)[1, 1, 1]
    assert not largest_part(np.zeros((3, 3, 3), bool)).any()
