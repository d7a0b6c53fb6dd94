"""Slices at another spacing, grey values in [0, 1], specks and holes: against their definitions."""

import numpy as np
import pytest
from scipy import ndimage

from onenet.volumes import normalise, resample_in_plane, resampled_size
from onenet.volumes.components import postprocess


def test_a_ramp_stays_where_it_is_at_any_spacing():
    """Pixel centres: a picture whose value is its place in millimetres keeps that, but at the edges."""
    rows, columns = 24, 30
    place = (np.arange(rows) + 0.5) * 2.0
    images = np.broadcast_to(place[:, None], (rows, columns))[None].astype(np.float32)
    for target in (1.0, 1.7, 3.0, 5.0):
        size = resampled_size((rows, columns), (2.0, 2.0), (target, target))
        assert size == (round(rows * 2 / target), round(columns * 2 / target))
        found = resample_in_plane(images, size)[0]
        step = rows * 2.0 / size[0]
        expected = (np.arange(size[0]) + 0.5) * step
        inner = slice(2, -2)
        assert np.allclose(found[inner], expected[inner, None], atol=0.03 * target)


def test_labels_are_those_of_the_nearest_pixel():
    labels = np.random.default_rng(0).integers(0, 9, (2, 7, 5)).astype(np.uint8)
    found = resample_in_plane(labels, (10, 3), labels=True)
    for n, row, column in np.ndindex(found.shape):
        assert found[n, row, column] == labels[n, int((row + 0.5) * 7 / 10), int((column + 0.5) * 5 / 3)]
    channels = np.random.default_rng(1).random((2, 7, 5, 3), dtype=np.float32)
    alone = np.stack([resample_in_plane(channels[..., c], (9, 9)) for c in range(3)], axis=-1)
    assert np.array_equal(resample_in_plane(channels, (9, 9)), alone)
    assert resample_in_plane(labels, (7, 5), labels=True) is labels


@pytest.mark.parametrize("shape", [(6, 7, 8), (6, 7, 8, 2)])
def test_each_rule_is_its_definition(shape):
    array = np.random.default_rng(0).normal(100, 50, shape)
    array[:2] = 0
    for index in range(shape[3] if len(shape) == 4 else 1):
        one = array[..., index] if len(shape) == 4 else array

        def found(rule, index=index):
            whole = normalise(array, rule)
            return whole[..., index] if len(shape) == 4 else whole

        low, high = np.percentile(one, [2, 90])
        cut = np.clip((one - low) / (high - low), 0, 1)
        assert np.allclose(found({"kind": "percentiles", "low": 2, "high": 90}), cut, atol=1e-6)
        body = one[one != 0]
        z = (one - body.mean()) / body.std()
        assert np.allclose(found({"kind": "zscore", "reach": 2}), np.clip((z + 2) / 4, 0, 1), atol=1e-5)
        window = np.clip((one - 40) / 160, 0, 1)
        assert np.allclose(found({"kind": "window", "low": 40, "high": 200}), window, atol=1e-6)
        assert np.allclose(found({"kind": "window", "centre": 120, "width": 160}), window, atol=1e-6)


def test_an_empty_volume_becomes_0():
    assert (normalise(np.full((3, 3, 3), 7, np.int16), {"kind": "percentiles"}) == 0).all()


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
