"""Samples made by torch from pixels on the device are those that the host makes."""

import dataclasses

import numpy as np
import pytest
import torch

from onenet.config import AugmentConfig
from onenet.data.device import DevicePictures
from onenet.data.transforms import Picture, apply_variation
from onenet.data.variation import Augmentation

CPU = torch.device("cpu")
LIVELY = AugmentConfig(
    strength=1.0, scale=(0.5, 2.0), ratio=(0.8, 1.25), rotate=0.0, flip=True, vertical_flip=True,
    colour=0.4, hue=90.0, blur=0.0, noise=0.0,
)  # fmt: skip
TURNED = dataclasses.replace(LIVELY, rotate=180.0, blur=2.0)


def textured(shape, channels=3, deep=False, seed=0):
    """Waves of many lengths, as photos have them, and a mask of blocks."""
    random = np.random.default_rng(seed)
    y, x = np.indices(shape)
    image = np.zeros((*shape, channels))
    for period in (5, 9, 17, 40, 90):
        for c in range(channels):
            a, b = random.uniform(-1, 1, 2) * 2 * np.pi / period
            image[..., c] += np.sqrt(period) * np.sin(a * x + b * y + random.uniform(0, 6))
    image = ((image - image.min()) / np.ptp(image)).astype(np.float32)
    mask = ((y // 13 + x // 17 + seed) % 5).astype(np.uint8)
    return Picture(image if deep else (image * 255).astype(np.uint8), mask, shape)


def both(pictures, augmentation, indices):
    """Each sample by the device and by the host: images (b, h, w, c) in [0, 1] and masks."""
    device = DevicePictures(list(pictures), augmentation, CPU)
    variations = [device.draw(i, np.random.default_rng([i, n])) for n, i in enumerate(indices)]
    images, masks = device.batch(indices, variations)
    assert images.dtype == torch.float32 and masks.dtype == torch.uint8
    pairs = [
        apply_variation(pictures[i], v, augmentation.size, augmentation.mask_size)
        for i, v in zip(indices, variations, strict=True)
    ]
    host = [image / 255 if image.dtype == np.uint8 else image for image, _ in pairs]
    return images.numpy(), masks.numpy(), np.stack(host), np.stack([mask for _, mask in pairs])


@pytest.mark.parametrize("augment", [LIVELY, TURNED, dataclasses.replace(TURNED, strength=2.0)])
@pytest.mark.parametrize("fit", ["cover", "none"])
@pytest.mark.parametrize(("channels", "deep"), [(1, False), (3, False), (4, True)])
def test_device_and_host_make_nearly_the_same_samples(augment, fit, channels, deep):
    pictures = [textured(shape, channels, deep, seed) for seed, shape in enumerate([(90, 70), (41, 55), (60, 128)])]
    augmentation = Augmentation((40, 48), (40, 48), fit, augment, 0.5, 0)
    images, masks, host_images, host_masks = both(pictures, augmentation, [0, 1, 2, 0, 1, 2, 2, 0])
    difference = np.abs(images - host_images).mean(axis=(1, 2, 3))
    assert difference.max() < 0.025 and difference.mean() < 0.01
    assert (masks == host_masks).mean() > 0.97


@pytest.mark.parametrize("mask_size", [(20, 24), (80, 96), (33, 70)])
def test_masks_of_another_size_are_the_hosts_too(mask_size):
    augmentation = Augmentation((40, 48), mask_size, "cover", TURNED)
    _, masks, _, host_masks = both([textured((90, 70)), textured((50, 81), seed=1)], augmentation, [0, 1, 1, 0])
    assert masks.shape == (4, *mask_size) and (masks == host_masks).mean() > 0.99


@pytest.mark.parametrize("times", [2, 3, 5, 8])
def test_a_picture_seen_from_afar_is_not_grainy(times):
    """Noise averages out, over n x n pixels to an nth; taken from single pixels it would stay."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (256, 256, 1), dtype=np.uint8)
    augment = dataclasses.replace(LIVELY, scale=(1 / times, 1 / times), ratio=(1.0, 1.0), colour=0.0, hue=0.0)
    augmentation = Augmentation((32, 32), (32, 32), "none", augment)
    picture = Picture(noise, np.zeros((256, 256), np.uint8), (256, 256))
    images, _, host_images, _ = both([picture], augmentation, [0, 0, 0])
    for made in (images, host_images):
        assert made.std() < noise.std() / 255 / times * 1.3


def test_far_away_edges_are_mirrored_as_on_the_host():
    augment = dataclasses.replace(LIVELY, scale=(0.1, 0.1), colour=0.0, hue=0.0, rotate=30.0)
    images, masks, host_images, host_masks = both(
        [textured((33, 47))], Augmentation((64, 64), (64, 64), "cover", augment), [0, 0, 0]
    )
    assert np.abs(images - host_images).mean() < 0.03
    assert (masks == host_masks).mean() > 0.97


def test_the_smallest_pictures_pass():
    pictures = [textured((1, 1)), textured((1, 7)), textured((5, 2))]
    augmentation = Augmentation((8, 8), (8, 8), "none", dataclasses.replace(TURNED, colour=0.0, hue=0.0))
    images, masks, _, host_masks = both(pictures, augmentation, [0, 1, 2])
    assert np.isfinite(images).all() and (masks[0] == host_masks[0]).all()


def test_without_variation_the_picture_itself_is_the_sample():
    picture = textured((20, 24))
    augmentation = Augmentation((20, 24), (20, 24), "none", dataclasses.replace(TURNED, strength=0.0))
    images, masks, _, _ = both([picture], augmentation, [0])
    np.testing.assert_allclose(images[0], picture.image / 255, atol=1e-6)
    assert np.array_equal(masks[0], picture.mask)


def test_no_label_is_invented():
    mask = np.random.default_rng(0).choice(np.array([3, 90, 255], np.uint8), (30, 30))
    picture = Picture(np.zeros((30, 30, 1), np.uint8), mask, (30, 30))
    for fit in ("none", "cover"):
        _, masks, _, _ = both([picture], Augmentation((25, 31), (25, 31), fit, TURNED), [0] * 8)
        assert set(np.unique(masks)) <= {3, 90, 255}


def test_a_sample_does_not_depend_on_its_neighbours_in_the_batch():
    pictures = [textured((50, 60), seed=n) for n in range(3)]
    augmentation = Augmentation((32, 32), (32, 32), "cover", dataclasses.replace(TURNED, noise=0.1))
    device = DevicePictures(list(pictures), augmentation, CPU)
    variations = [device.draw(n, np.random.default_rng(n)) for n in range(3)]
    together, masks = device.batch([0, 1, 2], variations)
    for n in range(3):
        alone, mask = device.batch([n], [variations[n]])
        torch.testing.assert_close(alone[0], together[n], atol=1e-6, rtol=0)
        assert torch.equal(mask[0], masks[n])


def test_noise_has_its_standard_deviation_and_its_own_seed():
    grey = Picture(np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8), (64, 64))
    augment = dataclasses.replace(LIVELY, colour=0.0, hue=0.0, noise=0.1)
    device = DevicePictures([grey], Augmentation((64, 64), (64, 64), "none", augment), CPU)
    variation = dataclasses.replace(device.draw(0, np.random.default_rng(0)), noise=0.1)
    other = dataclasses.replace(variation, noise_seed=variation.noise_seed + 1)
    images, _ = device.batch([0, 0, 0], [variation, variation, other])
    assert float((images[0] - 128 / 255).std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])


def test_missing_pictures_are_replaced_by_the_next():
    pictures = [textured((30, 30), seed=n) for n in range(3)]
    augmentation = Augmentation((30, 30), (30, 30), "none", dataclasses.replace(LIVELY, strength=0.0))
    device = DevicePictures([None, pictures[1], None], augmentation, CPU)
    variation = device.draw(0, np.random.default_rng(0))
    images, _ = device.batch([0, 1, 2], [variation] * 3)
    assert torch.equal(images[0], images[1]) and torch.equal(images[2], images[1])


def test_bytes_and_deep_pictures_may_be_mixed():
    plain = textured((30, 30))
    deep = Picture((plain.image / np.float32(255)).astype(np.float32), plain.mask, plain.shape)
    augmentation = Augmentation((30, 30), (30, 30), "none", dataclasses.replace(LIVELY, strength=0.0))
    images, _, _, _ = both([plain, deep], augmentation, [0, 1])
    np.testing.assert_allclose(images[0], images[1], atol=1e-6)
