"""Channels of one case are joined where they lie at one place."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from onenet.errors import DataError
from onenet.volumes import Volume, join_channels

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def volume(name, affine=AFFINE, shape=(3, 4, 5), value=0.0):
    return Volume(np.full(shape, value, np.float32), affine, Path(name))


def test_channels_stand_behind_one_another():
    three = join_channels([volume("a.nii", value=1), volume("b.nii", shape=(3, 4, 5, 2), value=2)])
    assert three.array.shape == (3, 4, 5, 3) and three.file == Path("a.nii")
    assert three.array[0, 0, 0].tolist() == [1, 2, 2]
    one = volume("a.nii")
    assert join_channels([one]) is one


def test_rounding_does_not_turn_one_channel_otherwise_than_another():
    volumes = []
    for name, degrees in (("a.nii", 45 + 1e-5), ("b.nii", 45 - 1e-5)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        affine = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
        volumes.append(Volume(array, affine, Path(name)))
    joined = join_channels(volumes)
    assert np.array_equal(joined.array[..., 0], joined.array[..., 1])


def test_affines_may_differ_by_rounding_but_not_by_a_part_of_a_voxel():
    near, far = AFFINE.copy(), AFFINE.copy()
    near[0, 3], far[0, 3] = 0.1, 0.3
    assert join_channels([volume("a.nii"), volume("b.nii", near)]).array.shape[3] == 2
    turned = AFFINE.copy()
    turned[1, 0] = 0.15  # the far corner is two voxels away
    for affine in (far, turned):
        with pytest.raises(DataError, match=r"^b\.nii: lies elsewhere than a\.nii; channels of a case share one grid$"):
            join_channels([volume("a.nii"), volume("b.nii", affine)])
    with pytest.raises(DataError, match=r"^b\.nii: lies elsewhere"):
        join_channels([volume("a.nii"), volume("b.nii", shape=(3, 4, 6))])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_told_with_its_file(value):
    bad = volume("b.nii")
    bad.array[1, 2, 3] = value
    with pytest.raises(DataError, match=r"^b\.nii: has 1 voxel\(s\) that are no numbers \(NaN or infinite\); set them"):
        join_channels([volume("a.nii"), bad])


def test_channels_may_point_along_other_axes_if_they_lie_in_one_place():
    """A second channel written left to right where the first one is right to left, and its axes in another order."""
    first = volume("a")
    values = np.random.default_rng(0).random(first.array.shape)
    plain = dataclasses.replace(first, array=values)
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = values.shape[0] - 1
    mirrored = dataclasses.replace(first, array=values[::-1], affine=first.affine @ mirror)
    swap = np.eye(4)[[0, 2, 1, 3]]
    swapped = dataclasses.replace(first, array=values.transpose(0, 2, 1), affine=first.affine @ swap)
    for other in (mirrored, swapped):
        joined = join_channels([plain, other])
        assert np.array_equal(joined.array[..., 0], joined.array[..., 1])
        assert np.allclose(joined.affine, first.affine)
