"""What is drawn for a sample: windows within their bounds, all chance from the generator, one dial for all of it."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from onenet.config import AugmentConfig
from onenet.data.variation import Augmentation, Foreground, gaussian, to_picture, turned

STILL = AugmentConfig(
    strength=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0), rotate=0.0, flip=False, vertical_flip=False,
    colour=0.0, hue=0.0, blur=0.0, noise=0.0,
)  # fmt: skip
LIVELY = AugmentConfig(
    strength=1.0, scale=(0.5, 2.0), ratio=(0.8, 1.25), rotate=20.0, flip=True, vertical_flip=True,
    colour=0.4, hue=40.0, blur=2.0, noise=0.1,
)  # fmt: skip


def nowhere(share):
    return None


def draw(shape=(100, 100), size=(50, 50), fit="none", augment=LIVELY, seed=0, find=nowhere, foreground=0.0):
    plan = Augmentation(size, size, fit, augment, foreground)
    return plan.draw(shape, find, np.random.default_rng(seed))


def many(count=400, **how):
    return [draw(seed=seed, **how) for seed in range(count)]


def test_at_fit_cover_the_image_just_covers_the_window():
    """A 40x80 image for 20x20 samples: half as large, so the window is 40x40 of its pixels."""
    left, top, right, bottom = draw((40, 80), (20, 20), "cover", STILL).box
    assert (bottom - top, right - left) == pytest.approx((40, 40))
    assert top == pytest.approx(0) and 0 <= left <= 40


def test_at_fit_none_the_window_is_as_large_as_the_sample():
    left, top, right, bottom = draw((40, 80), (20, 24), "none", STILL).box
    assert (bottom - top, right - left) == pytest.approx((20, 24))


@given(seed=st.integers(0, 500))
def test_zoom_and_proportions_stay_within_their_bounds(seed):
    left, top, right, bottom = draw(seed=seed).box
    height, width = bottom - top, right - left
    assert 25 <= np.sqrt(height * width) <= 100  # zoom 0.5 to 2
    assert 0.8 <= height / width <= 1.25
    for first, last in ((top, bottom), (left, right)):
        inside, around = first >= -1e-9 and last <= 100 + 1e-9, first <= 0 and last >= 100
        assert inside or around


def test_zooms_are_as_often_below_as_above_one_and_places_are_even():
    drawn = many(size=(40, 40), augment=dataclasses.replace(LIVELY, scale=(0.5, 2.0), ratio=(1.0, 1.0)))
    zoom = [np.log2(40 / (v.box[3] - v.box[1])) for v in drawn]
    assert stats.kstest(zoom, stats.uniform(-1, 2).cdf).pvalue > 0.01
    place = [v.box[1] / (100 - (v.box[3] - v.box[1])) for v in drawn]
    assert stats.kstest(place, "uniform").pvalue > 0.01


def test_strength_0_is_the_plain_image_with_the_window_in_its_centre():
    variation = draw((60, 90), (30, 30), "cover", dataclasses.replace(LIVELY, strength=0.0))
    assert variation.box == pytest.approx((15, 0, 75, 60))
    assert variation.angle == 0 and variation.mirrored == (False, False) and variation.keeps_colours


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_one_dial_turns_all_amounts(strength):
    drawn = many(augment=dataclasses.replace(LIVELY, strength=strength))
    zoom = [50 / math.sqrt((v.box[3] - v.box[1]) * (v.box[2] - v.box[0])) for v in drawn]
    ratio = [(v.box[3] - v.box[1]) / (v.box[2] - v.box[0]) for v in drawn]
    colour = min(1.0, 0.4 * strength)
    for values, low, high in (
        (zoom, 0.5**strength, 2.0**strength),
        (ratio, 0.8**strength, 1.25**strength),
        ([math.degrees(v.angle) for v in drawn], -20 * strength, 20 * strength),
        ([factor for v in drawn for factor in v.colour], 1 - colour, 1 + colour),
        ([math.degrees(v.hue) for v in drawn], -40 * strength, 40 * strength),
        ([v.blur for v in drawn], 0, 2 * strength),
        ([v.noise for v in drawn], 0, 0.1 * strength),
    ):
        assert low - 1e-9 <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high + 1e-9


def test_flips_happen_half_of_the_time_however_weak_the_rest_is():
    for strength in (0.01, 1.0, 3.0):
        drawn = many(300, augment=dataclasses.replace(LIVELY, strength=strength))
        for axis in (0, 1):
            assert 0.4 < np.mean([v.mirrored[axis] for v in drawn]) < 0.6


def test_what_is_switched_off_changes_nothing_else():
    calm = dataclasses.replace(LIVELY, colour=0.0, hue=0.0, blur=0.0, noise=0.0, flip=False)
    for seed in range(5):
        lively, other = draw(seed=seed), draw(seed=seed, augment=calm)
        assert lively.box == other.box and lively.angle == other.angle and other.keeps_colours


def test_a_window_is_never_so_large_that_it_fills_the_memory():
    wild = dataclasses.replace(LIVELY, strength=3.0, scale=(0.05, 0.05), ratio=(10.0, 10.0))
    left, top, right, bottom = draw((4, 400), (256, 256), "none", wild).box
    assert bottom - top <= 64 * 256 and right - left <= 64 * 400


# --- windows on the foreground


@given(
    mask=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.sampled_from([0, 1, 2, 255])
    ),
    background=st.sampled_from([None, 0, 1]),
)
def test_every_pixel_of_the_foreground_is_found_and_no_other(mask, background):
    wanted = [(r, c) for r in range(mask.shape[0]) for c in range(mask.shape[1])
              if mask[r, c] != 255 and (background is None or mask[r, c] != background)]  # fmt: skip
    foreground = Foreground(mask, background, mask.shape)
    found = [foreground.find((rank + 0.5) / max(1, len(wanted))) for rank in range(len(wanted))]
    assert found == [(r + 0.5, c + 0.5) for r, c in wanted]
    if not wanted:
        assert foreground.find(0.5) is None


def test_spots_are_in_pixels_of_the_picture_where_the_mask_is_a_smaller_copy():
    mask = np.zeros((10, 20), dtype=np.uint8)
    mask[4, 15] = 1
    assert Foreground(mask, 0, (40, 60)).find(0.3) == ((4 + 0.5) * 4, (15 + 0.5) * 3)


@given(
    spot=st.tuples(st.integers(0, 59), st.integers(0, 89)),
    seed=st.integers(0, 1000),
    rotate=st.sampled_from([0.0, 30.0, 180.0]),
    fit=st.sampled_from(["cover", "none"]),
)
def test_the_foreground_pixel_lies_in_the_window_turned_or_not(spot, seed, rotate, fit):
    augment = dataclasses.replace(LIVELY, rotate=rotate)
    centre = (spot[0] + 0.5, spot[1] + 0.5)
    variation = draw((60, 90), (20, 32), fit, augment, seed, lambda share: centre, 1.0)
    matrix = to_picture(variation.box, variation.angle, (20, 32))
    x, y = np.linalg.solve(matrix[:, :2], np.array([centre[1], centre[0]]) - matrix[:, 2])
    assert -1e-6 <= x <= 32 + 1e-6 and -1e-6 <= y <= 20 + 1e-6


def test_the_window_stays_in_the_picture_where_it_can():
    for seed in range(50):
        left, top, right, bottom = draw((60, 90), (20, 20), "none", STILL, seed, lambda share: (1.5, 88.5), 1.0).box
        assert left >= 0 and top >= 0 and right <= 90 + 1e-9 and bottom <= 60 + 1e-9


def test_the_pixel_may_lie_anywhere_in_the_window():
    centre = (50.5, 50.5)
    drawn = many(300, size=(20, 20), augment=STILL, find=lambda share: centre, foreground=1.0)
    for first in (0, 1):
        place = [(50.5 - v.box[first]) / 20 for v in drawn]
        assert stats.kstest(place, "uniform").pvalue > 0.01


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_that_share_of_the_windows_is_put_on_the_foreground(share):
    asked = []
    many(300, find=asked.append, foreground=share)
    assert len(asked) == pytest.approx(300 * share, abs=25 if 0 < share < 1 else 0)
    assert all(0 <= place < 1 for place in asked)


# --- geometry


def test_the_matrix_is_a_turn_about_the_centre_of_the_window():
    box = (10.0, 20.0, 50.0, 40.0)
    plain = to_picture(box, 0.0, (10, 20))
    assert plain @ [0, 0, 1] == pytest.approx([10, 20]) and plain @ [20, 10, 1] == pytest.approx([50, 40])
    quarter = to_picture(box, math.pi / 2, (10, 20))
    assert quarter @ [10, 5, 1] == pytest.approx([30, 30])
    assert quarter @ [15, 5, 1] == pytest.approx([30, 40])  # 5 to the right has become 5 (10 of the picture) down


@given(down=st.floats(-50, 50), right=st.floats(-50, 50), angle=st.floats(-4, 4))
def test_places_turn_as_the_matrix_turns_them(down, right, angle):
    x, y = to_picture((0.0, 0.0, 8.0, 8.0), angle, (8, 8)) @ [4 + right, 4 + down, 1]
    assert turned(down, right, angle) == pytest.approx((y - 4, x - 4), abs=1e-9)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 3.0])
def test_the_weights_are_a_gaussian(sigma):
    weights = gaussian(sigma)
    steps = np.arange(len(weights)) - len(weights) // 2
    expected = stats.norm(0, sigma).pdf(steps)
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-5)
    assert steps[-1] >= 3 * sigma
