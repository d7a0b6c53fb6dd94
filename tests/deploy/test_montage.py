"""A page of slices: as many as there is something on, in millimetres, with the mask's colour where the mask is."""

from pathlib import Path

import numpy as np
import pytest

from onenet.card import Card
from onenet.deploy.montage import montage
from onenet.volumes import Volume

RED = (200, 0, 0)


def card(axis=2, background=0, overlapping=False):
    return Card(
        architecture="none",
        arguments={"in_channels": 1, "num_classes": 2},
        classes=("background", "organ"),
        colours=((0, 0, 0), RED),
        background=background,
        overlapping=overlapping,
        volume={"axis": axis, "spacing": None, "intensity": {"kind": "percentiles"}, "neighbours": 0},
    )


def volume(shape=(40, 20, 30), spacing=(1.0, 2.0, 1.0)):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(np.int16)
    return Volume(array, np.diag([*spacing, 1.0]), Path("scan.nii.gz"))


def reddish(page):
    return (page[..., 0].astype(int) - page[..., 1] > 60).any()


@pytest.mark.parametrize(("slices", "tiles"), [(1, 1), (5, 5), (30, 12)])
def test_only_slices_with_something_on_them_are_shown_and_not_more_than_twelve(slices, tiles):
    mask = np.zeros((40, 20, 30), np.uint8)
    mask[5:30, 5:15, :slices] = 1
    page = montage(volume(), mask, card())
    assert page.dtype == np.uint8 and page.shape[0] % 224 == 0 and page.shape[1] % 224 == 0
    squares = (
        page.reshape(page.shape[0] // 224, 224, page.shape[1] // 224, 224, 3).swapaxes(1, 2).reshape(-1, 224, 224, 3)
    )
    assert sum(map(reddish, squares)) == tiles


@pytest.mark.parametrize(("axis", "tall"), [(0, 30 / 40), (1, 30 / 40), (2, 1.0)])
def test_millimetres_are_as_long_downwards_as_across(axis, tall):
    mask = np.zeros((40, 20, 30), np.uint8)
    mask[10, 10, 10] = 1
    height, width = montage(volume(), mask, card(axis)).shape[:2]
    assert (height, width) == (round(224 * tall), 224)


def test_the_head_is_up_and_the_right_of_the_patient_on_the_left():
    mask = np.zeros((40, 20, 30), np.uint8)
    mask[30:, 10, 22:] = 1  # to the right and up; on one slice from back to front
    page = montage(volume(), mask, card(1)).astype(int)
    rows, columns = np.nonzero(page[..., 0] - page[..., 1] > 60)
    assert columns.max() < 0.3 * page.shape[1] and rows.max() < 0.35 * page.shape[0]


def test_an_empty_mask_and_overlapping_classes_have_a_page_too():
    nothing = np.zeros((40, 20, 30), np.uint8)
    assert not reddish(montage(volume(), nothing, card()))
    code = nothing.copy()
    code[5:20, 5:15, 3:6] = 0b10
    assert reddish(montage(volume(), code, card(background=None, overlapping=True)))
