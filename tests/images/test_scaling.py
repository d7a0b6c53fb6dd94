"""An image scaled as its rows come is the image scaled whole."""

import numpy as np
import pytest

from onenet.images import resize
from onenet.images.scaling import RowScaler


@pytest.mark.parametrize("target", [(30, 40), (7, 5), (200, 140), (130, 97), (1, 1), (60, 300)])
@pytest.mark.parametrize("step", [1, 8, 50, 130])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_it_is_the_image_scaled_whole(target, step, dtype):
    image = np.random.default_rng(0).integers(0, 256, (130, 97, 3), dtype=np.uint8)
    image = image if dtype == np.uint8 else (image / np.float32(255)).astype(dtype)
    scaler = RowScaler(image.shape[:2], target)
    found = np.concatenate([scaler.push(image[a : a + step]) for a in range(0, len(image), step)])
    expected = resize(image, target)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    difference = abs(found.astype(float) - expected.astype(float))
    assert difference.max() <= (1 if dtype == np.uint8 else 1e-5)  # Pillow keeps the places of a part in float32
    assert difference.mean() < 0.05


def test_little_of_the_image_is_kept():
    scaler = RowScaler((1000, 10), (100, 10))
    for _ in range(100):
        scaler.push(np.zeros((10, 10, 1), dtype=np.uint8))
        assert len(scaler._held) <= 40
