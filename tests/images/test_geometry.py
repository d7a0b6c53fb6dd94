"""Resizing, covering a size, and the one padding rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.images import padded_to, reflected, resize, scaled_size

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)


masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(mask=masks, size=sizes)
def test_nearest_invents_no_label(mask, size):
    assert set(np.unique(resize(mask, size, "nearest"))) <= set(np.unique(mask))


@given(length=st.integers(1, 60), new=st.integers(1, 60))
def test_nearest_takes_the_pixel_under_each_new_centre(length, new):
    taken = resize(np.arange(length, dtype=np.uint8)[None], (1, new), "nearest")[0]
    centres = (np.arange(new) + 0.5) * length / new
    assert (abs(taken + 0.5 - centres) <= 0.5 + 1e-6).all()  # on a border between two, either


def test_bilinear_is_the_triangle_filter_that_widens_when_it_shrinks():
    """Every new pixel is the mean of the old ones weighed by their distance from its centre, in loops."""
    line = RANDOM.random(12).astype(np.float32)
    for length in (5, 24):
        reach = max(1.0, 12 / length)
        for place in range(length):
            centre = (place + 0.5) * 12 / length
            weights = [max(0.0, 1 - abs(x + 0.5 - centre) / reach) for x in range(12)]
            expected = sum(w * v for w, v in zip(weights, line, strict=True)) / sum(weights)
            assert resize(line[None], (1, length))[0, place] == pytest.approx(expected, abs=1e-5)


@given(
    plane=arrays.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-9, 9, width=32)
    ),
    size=st.tuples(st.integers(2, 40), st.integers(1, 12)),
    cut=st.integers(1, 39),
)
def test_strips_put_together_are_the_whole(plane, size, cut):
    height, width = size
    cut = min(cut, height - 1)
    inner_h, inner_w = plane.shape
    strips = []
    for first, last in ((0, cut), (cut, height)):
        box = (0.0, first * inner_h / height, float(inner_w), last * inner_h / height)
        strips.append(resize(plane, (last - first, width), box=box))
    np.testing.assert_allclose(np.concatenate(strips), resize(plane, size), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_channel_is_resized_for_itself(channels, dtype):
    image = (RANDOM.random((6, 8, channels)) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    resized = resize(image, (9, 5))
    assert resized.shape == (9, 5, channels)
    for channel in range(channels):
        np.testing.assert_allclose(resized[..., channel], resize(image[..., channel], (9, 5)), atol=1e-6)


def test_the_same_size_is_the_same_image():
    assert np.array_equal(resize(PHOTO, (3, 5)), PHOTO)


@given(size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)), target=st.tuples(*[st.integers(1, 512)] * 2))
def test_a_scaled_image_just_covers_its_target(size, target):
    scaled = scaled_size(size, target)
    factor = max(target[0] / size[0], target[1] / size[1])
    if factor > 1 and factor * max(size) > 4 * max(target):
        assert max(scaled) == max(4 * max(target), max(size))
        factor = max(scaled) / max(size)
    else:
        assert scaled[0] >= target[0] and scaled[1] >= target[1]
        assert scaled[0] == target[0] or scaled[1] == target[1]
    assert min(scaled) >= 1
    assert all(abs(new - old * factor) <= 0.5 + 1e-9 for new, old in zip(scaled, size, strict=True))


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((4, 400), (10, 1024)),  # and not 256 x 25600
        ((400, 1), (1024, 3)),
        ((4, 2000), (4, 2000)),  # longer than the limit as it is
        ((500, 9000), (256, 4608)),  # nor is a photo limited that is made smaller
        ((100, 400), (256, 1024)),
    ],
)
def test_a_long_and_narrow_image_is_enlarged_to_four_times_the_target_at_most(size, scaled):
    assert scaled_size(size, (256, 256)) == scaled


# --- padding


@given(length=st.integers(1, 40), more=st.integers(0, 200))
def test_padding_is_numpys_reflection(length, more):
    line = np.arange(length)
    assert np.array_equal(line[reflected(length, length + more)], np.pad(line, (0, more), mode="reflect"))


@given(length=st.integers(1, 1000), stride=st.integers(1, 64))
def test_the_padded_length_is_the_next_multiple_of_the_stride(length, stride):
    padded = padded_to(length, stride)
    assert padded % stride == 0 and length <= padded < length + stride
