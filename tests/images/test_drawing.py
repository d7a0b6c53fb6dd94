"""Masks are drawn in the colours of their classes, over their photo and as cut-outs."""

import numpy as np
import pytest

from onenet.images import (
    code_colours,
    colourise,
    cutout,
    mask_image,
    outline,
    overlay,
    overlay_code,
    read_image,
    read_mask,
    shown,
    write_image,
)

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)
ORANGE, BLUE = (230, 159, 0), (0, 114, 178)


LEFT_BACKGROUND = np.array([[0, 0, 0, 0, 1, 1, 1, 1]] * 4, dtype=np.uint8)  # class 1 on the right


def test_an_overlay_tints_the_object_outlines_it_and_leaves_the_background():
    photo = RANDOM.integers(0, 256, (4, 8, 3), dtype=np.uint8)
    drawn = overlay(photo, LEFT_BACKGROUND, [(0, 0, 0), ORANGE], background=0, opacity=0.45)
    assert np.array_equal(drawn[:, :3], photo[:, :3])
    assert (drawn[:, 3] == 255).all()  # the outline: white on the side of the background,
    assert (drawn[:, 4] == ORANGE).all()  # the class's colour on its own
    np.testing.assert_allclose(drawn[:, 5:], 0.55 * photo[:, 5:] + 0.45 * np.array(ORANGE), atol=0.51)


def test_without_a_background_every_class_is_tinted():
    photo = np.full((4, 8, 3), 100, dtype=np.uint8)
    drawn = overlay(photo, LEFT_BACKGROUND, [BLUE, ORANGE], background=None, opacity=0.5)
    assert np.allclose(drawn[0, 0], [(100 + c) / 2 for c in BLUE], atol=0.51)
    assert (drawn[:, 3] == BLUE).all() and (drawn[:, 4] == ORANGE).all()


def test_an_overlay_of_a_grey_photo_is_in_colour():
    drawn = overlay(np.full((4, 8, 1), 100, dtype=np.uint8), LEFT_BACKGROUND, [(0, 0, 0), ORANGE], background=0)
    assert drawn.shape == (4, 8, 3)
    assert (drawn[0, 0] == 100).all() and drawn[0, 7, 0] > drawn[0, 7, 2]


def test_the_outline_is_two_pixels_wide_where_labels_meet():
    assert outline(LEFT_BACKGROUND).tolist() == [[False] * 3 + [True] * 2 + [False] * 3] * 4
    assert outline(LEFT_BACKGROUND.T).tolist() == outline(LEFT_BACKGROUND).T.tolist()
    assert not outline(np.ones((3, 3), dtype=np.uint8)).any()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_cutout_keeps_the_photo_and_makes_the_background_transparent(channels):
    photo = RANDOM.integers(0, 256, (4, 8, channels), dtype=np.uint8)
    cut = cutout(photo, LEFT_BACKGROUND, background=0)
    colours = np.repeat(photo, 3, axis=2) if channels == 1 else photo[..., :3]
    assert np.array_equal(cut[..., :3], colours)
    assert cut[..., 3].tolist() == [[0, 0, 0, 0, 255, 255, 255, 255]] * 4


def test_a_cutout_without_a_background_is_opaque():
    assert (cutout(PHOTO, np.zeros((3, 5), dtype=np.uint8), background=None)[..., 3] == 255).all()


def test_each_class_is_shown_in_its_colour():
    assert colourise(np.array([[1, 0]], dtype=np.uint8), [BLUE, ORANGE]).tolist() == [[list(ORANGE), list(BLUE)]]


def test_a_written_mask_holds_class_indices_and_looks_like_its_colours(tmp_path):
    mask = RANDOM.integers(0, 3, (6, 7), dtype=np.uint8)
    colours = [(0, 0, 0), ORANGE, BLUE]
    write_image(tmp_path / "mask.png", mask_image(mask, colours))
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask)
    assert np.array_equal(read_image(tmp_path / "mask.png", 3), colourise(mask, colours))


@pytest.mark.parametrize(("channels", "expected"), [(1, (0, 0, 0)), (2, (0, 0, 0)), (3, (0, 1, 2)), (5, (0, 1, 2))])
def test_an_image_for_the_eye_has_three_channels_of_8_bits(channels, expected):
    pixels = RANDOM.random((3, 4, channels)).astype(np.float32)
    found = shown(pixels)
    assert found.dtype == np.uint8
    assert np.abs(found / 255 - pixels[..., list(expected)]).max() <= 0.5 / 255 + 1e-6
    as_bytes = RANDOM.integers(0, 256, (3, 4, channels), dtype=np.uint8)
    assert np.array_equal(shown(as_bytes), as_bytes[..., list(expected)])


def test_overlapping_classes_are_drawn_over_one_another():
    photo = np.full((12, 12, 3), 100, dtype=np.uint8)
    code = np.zeros((12, 12), dtype=np.uint8)
    code[:, 4:] |= 1
    code[:, 8:] |= 2
    code[:, 11] = 255  # not counted: none of them
    drawn = overlay_code(photo, code, [ORANGE, BLUE], opacity=0.5)
    orange = [(100 + c) / 2 for c in ORANGE]
    both = [(o + b) / 2 for o, b in zip(orange, BLUE, strict=True)]
    assert (drawn[:, :3] == 100).all() and (drawn[:, 11] == 255).all()  # the photo; the outline on the side of nothing
    np.testing.assert_allclose(drawn[:, 5:7], np.broadcast_to(orange, (12, 2, 3)), atol=0.51)
    np.testing.assert_allclose(drawn[:, 9], np.broadcast_to(both, (12, 3)), atol=1.01)


def test_a_bit_code_has_the_mean_colour_of_its_classes():
    colours = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    found = code_colours(colours)
    assert len(found) == 8 and found[0] == (0, 0, 0)
    assert [found[1], found[2], found[4]] == colours
    assert found[3] == (128, 0, 128) and found[7] == (85, 85, 85)
