"""A training sample: image and mask from the same place, no label invented, all chance from the generator."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from onenet.config import AugmentConfig
from onenet.data.sample import Sample
from onenet.data.transforms import Picture, apply_variation, augmented, change_look, cut_labels, cut_turned, cut_window
from onenet.data.variation import Augmentation, Variation

STILL = AugmentConfig(
    strength=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0), rotate=0.0, flip=False, vertical_flip=False,
    colour=0.0, hue=0.0, blur=0.0, noise=0.0,
)  # fmt: skip
LIVELY = dataclasses.replace(STILL, scale=(0.5, 2.0), ratio=(0.8, 1.25), flip=True, vertical_flip=True, colour=0.4)
WILD = dataclasses.replace(LIVELY, rotate=180.0, blur=2.0, noise=0.2)
PLAIN = Variation((0.0, 0.0, 1.0, 1.0), 0.0, (False, False), (1.0, 1.0, 1.0), 0.0, 0.0, 0.0, 0)


def change(sample, size=(32, 32), fit="none", augment=LIVELY, seed=0, mask_size=None, foreground=0.0):
    plan = Augmentation(size, mask_size or size, fit, augment, foreground, background=0)
    return augmented(sample, plan, np.random.default_rng(seed))


def random_sample(height, width, channels=3, labels=4, deep=False):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    if deep:
        image = image.astype(np.float32) / 255
    return Sample("random", image, random.integers(0, labels, (height, width), dtype=np.uint8))


@pytest.mark.parametrize("fit", ["none", "cover"])
@pytest.mark.parametrize("augment", [LIVELY, WILD])
def test_the_same_generator_gives_the_same_sample_and_another_one_another(fit, augment):
    sample = random_sample(40, 50)
    (image, mask), (same_image, same_mask) = (change(sample, fit=fit, augment=augment, seed=3) for _ in range(2))
    assert image.tobytes() == same_image.tobytes() and mask.tobytes() == same_mask.tobytes()
    assert image.tobytes() != change(sample, fit=fit, augment=augment, seed=4)[0].tobytes()


def test_the_sample_itself_stays_as_it_was():
    sample = random_sample(40, 50)
    before = sample.image.copy(), sample.mask.copy()
    image, mask = change(sample, (40, 50), augment=STILL)
    image[:], mask[:] = 0, 0
    assert np.array_equal(sample.image, before[0]) and np.array_equal(sample.mask, before[1])


AMOUNTS = st.builds(
    AugmentConfig,
    strength=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    scale=st.sampled_from([(0.05, 0.05), (0.5, 2.0), (1.0, 1.0), (20.0, 20.0)]),
    ratio=st.sampled_from([(0.1, 10.0), (1.0, 1.0)]),
    rotate=st.sampled_from([0.0, 15.0, 180.0]),
    flip=st.booleans(),
    vertical_flip=st.booleans(),
    colour=st.sampled_from([0.0, 1.0]),
    blur=st.sampled_from([0.0, 1.5]),
    noise=st.sampled_from([0.0, 1.0]),
)


@given(
    mask=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 255)),
    seed=st.integers(0, 1000),
    fit=st.sampled_from(["none", "cover"]),
    augment=AMOUNTS,
    mask_size=st.sampled_from([(8, 8), (3, 5), (16, 11)]),
    foreground=st.sampled_from([0.0, 1.0]),
)
def test_no_label_is_invented_whatever_the_amounts_nor_a_code_of_overlapping_classes(
    mask, seed, fit, augment, mask_size, foreground
):
    sample = Sample("labels", np.zeros((*mask.shape, 1), dtype=np.uint8), mask)
    image, changed = change(sample, (8, 8), fit, augment, seed, mask_size, foreground)
    assert set(np.unique(changed)) <= set(np.unique(mask))
    assert image.shape == (8, 8, 1) and changed.shape == mask_size


@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    fit=st.sampled_from(["none", "cover"]),
    channels=st.sampled_from([1, 3, 4, 7]),
    deep=st.booleans(),
    augment=st.sampled_from([LIVELY, WILD]),
    seed=st.integers(0, 100),
)
def test_every_image_becomes_a_sample_of_exactly_the_size_and_its_own_kind(
    shape, size, fit, channels, deep, augment, seed
):
    image, mask = change(random_sample(*shape, channels, deep=deep), size, fit, augment, seed)
    assert image.shape == (*size, channels) and mask.shape == size
    assert image.dtype == (np.float32 if deep else np.uint8) and mask.dtype == np.uint8
    assert image.min() >= 0 and image.max() <= (1 if deep else 255)
    for pixels in (image, mask):
        assert pixels.flags.c_contiguous and pixels.flags.writeable


def test_a_deep_image_comes_out_like_its_bytes_but_finer():
    for seed in range(4):
        (plain, _), (deep, _) = (
            change(random_sample(60, 50, deep=d), augment=dataclasses.replace(WILD, noise=0.0), seed=seed)
            for d in (False, True)
        )
        assert np.abs(plain / 255 - deep).max() < 2.6 / 255  # bytes are rounded after cutting, turning and colouring
        assert len(np.unique(deep)) > 1000


def test_a_window_larger_than_the_image_shows_it_mirrored():
    line = np.arange(4, dtype=np.uint8)[None]
    box, mirrored = (-3.0, 0.0, 8.0, 1.0), [[3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]]
    assert cut_window(line[..., None], box, (1, 11))[..., 0].tolist() == mirrored
    assert cut_labels(line, box, 0.0, (1, 11), (1, 11)).tolist() == mirrored


def test_a_very_large_image_is_cut_from_a_smaller_copy_without_a_shift():
    """A ramp of 2000 columns seen at a fortieth: the middle of each sample pixel tells where it is."""
    ramp = np.tile(np.linspace(0, 1, 2000, dtype=np.float32), (1200, 1))
    mask = (np.arange(2000) // 100 * np.ones((1200, 1))).astype(np.uint8)
    variation = dataclasses.replace(PLAIN, box=(0.0, 0.0, 2000.0, 1200.0))
    image, label = apply_variation(Picture(ramp[..., None], mask, (1200, 2000)), variation, (30, 50), (30, 50))
    expected = (np.arange(50) + 0.5) / 50
    assert np.abs(image[:, 1:-1, 0] - expected[1:-1]).max() < 0.25 / 50  # a quarter of a pixel of the sample
    assert np.abs(label[0] - (np.arange(50) * 40 + 20) // 100).max() <= 1


# --- image and mask together


@pytest.mark.parametrize("fit", ["none", "cover"])
@pytest.mark.parametrize("rotate", [0.0, 180.0])
@pytest.mark.parametrize("seed", range(6))
def test_image_and_mask_come_from_the_same_place(fit, rotate, seed):
    """Each pixel's colour tells its row and column, its label the 16x16 tile: they must agree wherever it went."""
    rows, columns = np.indices((64, 48))
    image = np.dstack([rows * 4, columns * 4, 0 * rows]).astype(np.uint8)
    tile = (rows // 16 * 3 + columns // 16).astype(np.uint8)
    augment = dataclasses.replace(LIVELY, colour=0.0, rotate=rotate)
    seen, label = change(Sample("tiles", image, tile), (40, 40), fit, augment, seed)
    row, column, tile = seen[..., 0] / 4, seen[..., 1] / 4, label.astype(int)
    for found, first in ((row, tile // 3 * 16), (column, tile % 3 * 16)):
        assert (found >= first - 2).all() and (found <= first + 15 + 2).all()  # two pixels for the blur at borders
    assert len(np.unique(label)) > 1


@given(
    size=st.tuples(st.integers(20, 50), st.integers(20, 50)),
    rotate=st.sampled_from([0.0, 180.0]),
    zoom=st.floats(0.4, 3),
    seed=st.integers(0, 1000),
)
def test_an_image_that_is_its_own_mask_stays_it_within_half_a_pixel(size, rotate, zoom, seed):
    """Each label is the number of its pixel, the image tells row and column: they differ by half a pixel at most."""
    rows, columns = np.indices((15, 17))
    image = np.dstack([rows, columns]).astype(np.float32) / 16
    augment = dataclasses.replace(LIVELY, colour=0.0, scale=(zoom, zoom), rotate=rotate)
    mask = (rows * 17 + columns).astype(np.uint8)
    seen, label = change(Sample("numbers", image, mask), size, "none", augment, seed)
    inner = np.isin(label // 17, range(4, 11)) & np.isin(label % 17, range(4, 13))  # mirrored edges are no ramp
    for found, true in ((seen[..., 0], label // 17), (seen[..., 1], label % 17)):
        apart = np.abs(found[inner] * 16 - true[inner])
        assert apart.max(initial=0) < 0.5 + 0.2 * max(
            1, 1 / zoom
        )  # the nearest pixel, and a fifth of one of the sample


@pytest.mark.parametrize("rotate", [0.0, 180.0])
@pytest.mark.parametrize("size", [(37, 53), (61, 29)])
def test_a_disc_keeps_its_middle_and_its_area_in_image_and_mask(size, rotate):
    rows, columns = np.indices((50, 46))
    disc = (np.hypot(rows - 25, columns - 23) < 12).astype(np.uint8)
    augment = dataclasses.replace(LIVELY, colour=0.0, scale=(0.5, 1.1), rotate=rotate)
    for seed in range(10):
        image, mask = change(Sample("disc", disc[..., None] * np.uint8(255), disc), size, "cover", augment, seed)
        inside = image[..., 0].astype(np.float64) / 255
        assert mask.sum() == pytest.approx(inside.sum(), rel=0.05)
        for place in np.indices(size):
            assert abs((place * mask).sum() / mask.sum() - (place * inside).sum() / inside.sum()) < 0.5


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi])
@pytest.mark.parametrize("mask_size", [(24, 40), (12, 20), (37, 61)])
def test_a_mask_of_another_size_is_the_label_under_each_of_its_own_pixels(angle, mask_size):
    """Definition with loops: from the centre of a mask pixel to the image's pixels, turned, to the picture's."""
    mask = np.random.default_rng(1).integers(0, 9, (50, 70), dtype=np.uint8)
    left, top, right, bottom = box = (8.3, 10.7, 61.9, 42.1)
    found = cut_labels(mask, box, angle, (24, 40), mask_size)
    for row in range(0, mask_size[0], 5):
        for column in range(0, mask_size[1], 7):
            x = (column + 0.5) / mask_size[1] * 40 - 20
            y = (row + 0.5) / mask_size[0] * 24 - 12
            turned_x = x * math.cos(angle) - y * math.sin(angle)
            turned_y = x * math.sin(angle) + y * math.cos(angle)
            source_x = (left + right) / 2 + turned_x * (right - left) / 40
            source_y = (top + bottom) / 2 + turned_y * (bottom - top) / 24
            reflected = [min(n, 2 * last - n) if n > 0 else -n
                         for n, last in ((math.floor(source_y), 49), (math.floor(source_x), 69))]  # fmt: skip
            assert found[row, column] == mask[tuple(reflected)]


# --- turning


def test_a_quarter_turn_is_numpys():
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    box = (0.0, 0.0, 16.0, 16.0)
    seen = cut_turned(square, box, math.pi / 2, (16, 16))
    assert np.abs(seen.astype(int) - np.rot90(square).astype(int)).max() <= 1
    labels = cut_labels(square[..., 0], box, math.pi / 2 - 1e-9, (16, 16), (16, 16))
    assert np.array_equal(labels, np.rot90(square[..., 0]))


@pytest.mark.parametrize("angle", [0.3, -0.9, 2.5])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_turned_window_is_what_scipy_turns(angle, channels):
    rough = np.random.default_rng(2).random((80, 80, channels))
    image = ndimage.gaussian_filter(rough, (3, 3, 0))
    image = ((image - image.min()) / np.ptp(image)).astype(np.float32)
    seen = cut_turned(image, (25.0, 25.0, 55.0, 55.0), angle, (30, 30))
    turned = ndimage.rotate(image, math.degrees(angle), axes=(0, 1), reshape=False, order=1)[25:55, 25:55]
    assert np.abs(seen - turned).max() < 1e-3


def test_there_are_no_black_corners():
    white = np.full((20, 30, 3), 255, dtype=np.uint8)
    for seed in range(20):
        image, mask = change(Sample("white", white, np.ones((20, 30), np.uint8)), (24, 24), "cover",
                             dataclasses.replace(LIVELY, rotate=180.0, colour=0.0), seed)  # fmt: skip
        assert image.min() == 255 and mask.min() == 1


# --- flips


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
    for augment in (STILL, dataclasses.replace(WILD, strength=0.0)):
        image, mask = change(sample, (12, 16), augment=augment)
        assert np.array_equal(image, sample.image) and np.array_equal(mask, sample.mask)


# --- the look


def look(image, colour=(1.0, 1.0, 1.0), blur=0.0, noise=0.0, seed=0):
    return change_look(image, dataclasses.replace(PLAIN, colour=colour, blur=blur, noise=noise, noise_seed=seed))


def test_no_change_of_the_look_changes_nothing():
    image = random_sample(5, 5).image
    assert np.array_equal(look(image), image)


FACTOR = st.floats(0.0, 2.0)


@given(brightness=FACTOR, contrast=FACTOR, saturation=FACTOR, channels=st.sampled_from([1, 3, 4]))
def test_colours_change_step_by_step(brightness, contrast, saturation, channels):
    """As defined: brighter, then further from the mean, then further from grey, then kept between black and white."""
    image = random_sample(6, 7, channels).image
    x = image.astype(np.float64) * brightness
    x = x.mean() + contrast * (x - x.mean())
    if channels == 3:
        grey = x.sum(axis=2, keepdims=True) / 3
        x = grey + saturation * (x - grey)
    changed = look(image, (brightness, contrast, saturation))
    assert changed.dtype == np.uint8
    assert np.abs(changed - x.clip(0, 255)).max() <= 0.501


@pytest.mark.parametrize("degrees", [0.0, 120.0, -120.0, 180.0, 37.0])
def test_hue_turns_colours_about_grey(degrees):
    """A third of a turn moves red to green; grey stays; how bright and how far from grey a pixel is stays, too."""
    image = random_sample(6, 7).image
    deep = image.astype(np.float32) / 255
    changed = change_look(deep * 0.2 + 0.4, dataclasses.replace(PLAIN, hue=math.radians(degrees)))
    before, after = deep * 0.2, changed - 0.4
    assert np.allclose(after.mean(axis=2), before.mean(axis=2), atol=1e-6)
    assert np.allclose(np.linalg.norm(after, axis=2), np.linalg.norm(before, axis=2), atol=1e-6)
    if degrees in (120.0, -120.0):
        assert np.allclose(after, np.roll(before, 1 if degrees > 0 else -1, axis=2), atol=1e-6)
    away = before - before.mean(axis=2, keepdims=True), after - after.mean(axis=2, keepdims=True)
    cosine = (away[0] * away[1]).sum(axis=2) / (away[0] ** 2).sum(axis=2).clip(1e-9)
    assert np.allclose(cosine, math.cos(math.radians(degrees)), atol=1e-3)
    grey = random_sample(6, 7, 1).image
    assert np.array_equal(change_look(grey, dataclasses.replace(PLAIN, hue=1.0)), grey)


@pytest.mark.parametrize("sigma", [0.4, 1.3, 6.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_blur_is_scipys_gaussian(sigma, channels):
    image = random_sample(21, 17, channels, deep=True).image
    expected = ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="mirror", radius=math.ceil(3 * sigma))
    np.testing.assert_allclose(look(image, blur=sigma), expected, atol=1e-5)


@pytest.mark.parametrize("white", [255, 1])
def test_noise_has_its_standard_deviation_in_each_channel_independently(white):
    grey = np.full((100, 100, 3), white / 2, dtype=np.uint8 if white == 255 else np.float32)
    noise = (look(grey, noise=0.1).astype(np.float64) / white - grey / white).reshape(-1, 3)
    assert noise.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.005)
    assert noise.std(axis=0) == pytest.approx([0.1, 0.1, 0.1], rel=0.05)
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.05
    assert not np.array_equal(look(grey, noise=0.1), look(grey, noise=0.1, seed=1))
