"""Slices at another spacing: outer edges stay where they are, and each pixel is what its definition says."""

import numpy as np
import pytest

from onenet.volumes import resample_in_plane, resampled_size


def line(values, wanted):
    """Linear interpolation between pixel centres, edges repeated; where it shrinks, the triangle about each centre is
    as wide as a new pixel, so that all pixels count."""
    step = len(values) / wanted
    reach = max(1.0, step)
    found = np.empty(wanted)
    for place in range(wanted):
        centre = (place + 0.5) * step
        weights = [max(0.0, 1 - abs(index + 0.5 - centre) / reach) for index in range(len(values))]
        found[place] = np.dot(weights, values) / sum(weights)
    return found


@pytest.mark.parametrize("size", [(13, 20), (5, 7), (30, 3), (1, 1), (9, 11)])
def test_a_slice_is_interpolated_along_rows_and_columns(size):
    image = np.random.default_rng(0).random((9, 11), dtype=np.float32)
    rows = np.stack([line(row, size[1]) for row in image])
    expected = np.stack([line(column, size[0]) for column in rows.T]).T
    found = resample_in_plane(image[None], size)
    assert found.shape == (1, *size) and found.dtype == np.float32
    assert np.allclose(found[0], expected, atol=2e-6)


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


def test_negative_numbers_and_large_ones_keep_their_precision():
    images = np.array([[[-1024.0, 3071.0]]], dtype=np.float32)
    assert np.allclose(resample_in_plane(images, (1, 4))[0, 0], [-1024, -0.25, 2047.25, 3071], atol=1e-3)
