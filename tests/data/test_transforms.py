"""A training sample: image and mask from the same place, no label invented, all chance from the generator."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.config import AugmentConfig
from onenet.data.sample import Sample
from onenet.data.transforms import augmented, cut_window, jitter_colour, random_window

STILL = AugmentConfig(
    strength=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0), rotate=0.0, flip=False, vertical_flip=False,
    colour=0.0, blur=0.0, noise=0.0,
)  # fmt: skip
LIVELY = dataclasses.replace(STILL, scale=(0.5, 2.0), ratio=(0.8, 1.25), flip=True, vertical_flip=True, colour=0.4)


def change(sample, size=(32, 32), fit="none", augment=LIVELY, seed=0):
    return augmented(sample, size, fit, augment, np.random.default_rng(seed))


def random_sample(height, width, channels=3, labels=4):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Sample("random", image, random.integers(0, labels, (height, width), dtype=np.uint8))


@pytest.mark.parametrize("fit", ["none", "cover"])
def test_the_same_generator_gives_the_same_sample_and_another_one_another(fit):
    sample = random_sample(40, 50)
    (image, mask), (same_image, same_mask) = (change(sample, fit=fit, seed=3) for _ in range(2))
    assert image.tobytes() == same_image.tobytes() and mask.tobytes() == same_mask.tobytes()
    assert image.tobytes() != change(sample, fit=fit, seed=4)[0].tobytes()


def test_the_sample_itself_stays_as_it_was():
    sample = random_sample(40, 50)
    before = sample.image.copy(), sample.mask.copy()
    image, mask = change(sample, (40, 50), augment=STILL)
    image[:], mask[:] = 0, 0
    assert np.array_equal(sample.image, before[0]) and np.array_equal(sample.mask, before[1])


@given(
    mask=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 255)),
    seed=st.integers(0, 1000),
    fit=st.sampled_from(["none", "cover"]),
)
def test_no_label_is_invented(mask, seed, fit):
    sample = Sample("labels", np.zeros((*mask.shape, 3), dtype=np.uint8), mask)
    changed = change(sample, (8, 8), fit, LIVELY, seed)[1]
    assert set(np.unique(changed)) <= set(np.unique(mask))


@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    fit=st.sampled_from(["none", "cover"]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 100),
)
def test_every_image_becomes_a_sample_of_exactly_the_size(shape, size, fit, channels, seed):
    image, mask = change(random_sample(*shape, channels), size, fit, LIVELY, seed)
    assert image.shape == (*size, channels) and mask.shape == size
    assert image.dtype == mask.dtype == np.uint8
    assert image.flags.c_contiguous and mask.flags.c_contiguous


def test_a_window_larger_than_the_image_shows_it_mirrored():
    line = np.arange(4, dtype=np.uint8)[None]
    window = cut_window(line, (-3.0, 0.0, 8.0, 1.0), (1, 11), "nearest")
    assert window.tolist() == [[3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]]


@pytest.mark.parametrize("fit", ["none", "cover"])
@pytest.mark.parametrize("seed", range(8))
def test_image_and_mask_come_from_the_same_place(fit, seed):
    """Each pixel's colour tells its row and column, its label the 16x16 tile: they must agree wherever it went."""
    rows, columns = np.indices((64, 48))
    image = np.dstack([rows * 4, columns * 4, 0 * rows]).astype(np.uint8)
    tile = (rows // 16 * 3 + columns // 16).astype(np.uint8)
    augment = dataclasses.replace(LIVELY, colour=0.0)
    seen, label = change(Sample("tiles", image, tile), (40, 40), fit, augment, seed)
    row, column, tile = seen[..., 0] / 4, seen[..., 1] / 4, label.astype(int)
    for found, first in ((row, tile // 3 * 16), (column, tile % 3 * 16)):
        assert (found >= first - 2).all() and (found <= first + 15 + 2).all()  # two pixels for the blur at borders
    assert len(np.unique(label)) > 1


@pytest.mark.parametrize(("flip", "vertical_flip"), [(True, False), (False, True), (True, True)])
def test_flips_show_the_mirrored_image_with_its_mask_half_of_the_time(flip, vertical_flip):
    sample = random_sample(12, 16)
    augment = dataclasses.replace(STILL, flip=flip, vertical_flip=vertical_flip)
    wanted = {(x, y) for x in ((1, -1) if flip else (1,)) for y in ((1, -1) if vertical_flip else (1,))}
    seen = []
    for seed in range(80):
        image, mask = change(sample, (12, 16), augment=augment, seed=seed)
        (way,) = [w for w in wanted if np.array_equal(image, sample.image[:: w[1], :: w[0]])]
        assert np.array_equal(mask, sample.mask[:: way[1], :: way[0]])
        seen.append(way)
    assert set(seen) == wanted
    assert all(0.5 / len(wanted) < seen.count(way) / 80 < 2 / len(wanted) for way in wanted)


def test_without_variation_the_whole_image_of_that_size_is_the_sample():
    sample = random_sample(12, 16)
    image, mask = change(sample, (12, 16), augment=STILL)
    assert np.array_equal(image, sample.image) and np.array_equal(mask, sample.mask)


def test_at_fit_cover_the_image_just_covers_the_window():
    """A 40x80 image for 20x20 samples: half as large, so the window is 40x40 of its pixels."""
    left, top, right, bottom = random_window((40, 80), (20, 20), "cover", STILL, np.random.default_rng(0))
    assert (bottom - top, right - left) == pytest.approx((40, 40))
    assert top == pytest.approx(0) and 0 <= left <= 40


def test_at_fit_none_the_window_is_as_large_as_the_sample():
    left, top, right, bottom = random_window((40, 80), (20, 24), "none", STILL, np.random.default_rng(0))
    assert (bottom - top, right - left) == pytest.approx((20, 24))


@given(seed=st.integers(0, 500))
def test_zoom_and_proportions_stay_within_their_bounds(seed):
    left, top, right, bottom = random_window((100, 100), (50, 50), "none", LIVELY, np.random.default_rng(seed))
    height, width = bottom - top, right - left
    assert 25 <= np.sqrt(height * width) <= 100  # zoom 0.5 to 2
    assert 0.8 <= height / width <= 1.25
    for first, last in ((top, bottom), (left, right)):
        inside, around = first >= 0 and last <= 100, first <= 0 and last >= 100
        assert inside or around


# --- colours


def test_no_jitter_changes_nothing():
    image = random_sample(5, 5).image
    assert np.array_equal(jitter_colour(image, 0.0, np.random.default_rng(0)), image)


@given(seed=st.integers(0, 300), amount=st.floats(0.01, 1))
def test_brightness_changes_by_at_most_its_share(seed, amount):
    plain = np.full((4, 4, 3), 100, dtype=np.uint8)
    changed = jitter_colour(plain, amount, np.random.default_rng(seed))
    assert len(np.unique(changed)) == 1  # no contrast and no colour where there was none
    assert 100 * (1 - amount) - 0.51 <= changed[0, 0, 0] <= 100 * (1 + amount) + 0.51


@given(seed=st.integers(0, 300), channels=st.sampled_from([1, 3]))
def test_contrast_changes_by_at_most_its_share(seed, channels):
    steps = np.full((2, 4, channels), 100, dtype=np.uint8)
    steps[:, 2:] = 140
    changed = jitter_colour(steps, 0.2, np.random.default_rng(seed)).astype(int)
    difference = changed[0, 3, 0] - changed[0, 0, 0]
    assert 40 * 0.8**2 - 1 <= difference <= 40 * 1.2**2 + 1  # brightness stretches it once more


@given(seed=st.integers(0, 300))
def test_saturation_moves_colours_from_and_to_grey_and_never_past_it(seed):
    reddish = np.full((4, 4, 3), (160, 100, 100), dtype=np.uint8)
    red, green, blue = jitter_colour(reddish, 0.3, np.random.default_rng(seed))[0, 0].astype(int)
    assert green == blue
    assert 60 * 0.7**3 - 1 <= red - green <= 60 * 1.3**3 + 1


def test_jitter_uses_all_of_its_range_and_stays_within_0_to_255():
    image = random_sample(8, 8).image
    means = [jitter_colour(image, 0.5, np.random.default_rng(seed)).mean() for seed in range(100)]
    assert min(means) < 0.6 * image.mean() and max(means) > 1.3 * image.mean()
