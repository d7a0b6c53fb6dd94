"""Whatever the axes of a file, the patient stays where he is: voxel by voxel, there and back."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from nibabel import orientations

from onenet.volumes import Volume, canonical, from_canonical, from_slices, slices

TURNS = [(order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)]


def oblique(degrees=17.0):
    """A turn about an axis that is none of the three."""
    axis, angle = np.array([1.0, 2.0, -0.5]), np.radians(degrees)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def volume(order, signs, shape=(3, 4, 5), turn=0.0, channels=()):
    """An array whose axes point along `order` with `signs`, at spacings 1, 2 and 3 mm, turned by `turn` degrees."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (direction, sign) in enumerate(zip(order, signs, strict=True)):
        affine[direction, axis] = sign * (1.0, 2.0, 3.0)[axis]
    affine[:3, :3] = oblique(turn) @ affine[:3, :3]
    affine[:3, 3] = (10, -20, 30)
    array = np.arange(np.prod((*shape, *channels))).reshape(*shape, *channels)
    return Volume(array, affine, Path("scan.nii.gz"))


@pytest.mark.parametrize(("order", "signs"), TURNS)
def test_each_voxel_keeps_its_place_in_the_patient(order, signs):
    """The value at every index of the turned array is that of the voxel which stands at the same millimetres."""
    given = volume(order, signs)
    turned = canonical(given)
    assert orientations.aff2axcodes(turned.affine) == ("R", "A", "S")
    back = np.linalg.inv(given.affine)
    for place in np.ndindex(turned.array.shape):
        millimetres = turned.affine @ [*place, 1]
        there = np.rint((back @ millimetres)[:3]).astype(int)
        assert turned.array[place] == given.array[tuple(there)]


@pytest.mark.parametrize(("order", "signs"), TURNS[::5])
@pytest.mark.parametrize("turn", [0.0, 17.0, -30.0])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_the_way_back_is_exact_and_nothing_is_interpolated(order, signs, turn, channels):
    given = volume(order, signs, turn=turn, channels=channels)
    turned = canonical(given)
    assert np.array_equal(from_canonical(turned.array, given), given.array)
    assert sorted(turned.array.ravel()) == sorted(given.array.ravel())
    assert sorted(turned.spacing) == pytest.approx(sorted(given.spacing))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_slices_are_put_together_again(axis, channels):
    array = np.arange(np.prod((3, 4, 5, *channels))).reshape(3, 4, 5, *channels)
    images = slices(array, axis)
    assert images.shape == (array.shape[axis], *{0: (5, 4), 1: (5, 3), 2: (4, 3)}[axis], *channels)
    assert np.array_equal(from_slices(images, axis), array)


def test_slices_lie_as_they_are_looked_at():
    """Feet to head: front up, right on the left. Back to front: head up. Left to right: head up, front on the left."""
    to_the_right, to_the_front, to_the_head = np.indices((3, 4, 5))
    axial = slices(to_the_front, 2)[0], slices(to_the_right, 2)[0]
    assert axial[0][0, 0] > axial[0][-1, 0] and axial[1][0, 0] > axial[1][0, -1]
    coronal = slices(to_the_head, 1)[0], slices(to_the_right, 1)[0]
    assert coronal[0][0, 0] > coronal[0][-1, 0] and coronal[1][0, 0] > coronal[1][0, -1]
    sagittal = slices(to_the_head, 0)[0], slices(to_the_front, 0)[0]
    assert sagittal[0][0, 0] > sagittal[0][-1, 0] and sagittal[1][0, 0] > sagittal[1][0, -1]
