import numpy as np
import pytest

from onenet.card import Card, default_colours
from onenet.deploy.runner import Halo
from onenet.export.parity import Parity, compare

CARD = Card("x", {"in_channels": 1, "num_classes": 2}, ("a", "b"), default_colours(2))


class Plain:
    """Logits (image, 1 - image), with something added at some pixels."""

    def __init__(self, added=0.0, at=None, batches=True):
        self.added, self.at, self.batches, self.stride = added, at, batches, 1

    def halo(self):
        return Halo()

    def run(self, images):
        logits = np.concatenate([images, 1 - images], axis=1)
        if self.at is not None:
            logits[:, 0, self.at[0], self.at[1]] += self.added
        return logits if self.batches or len(images) == 1 else logits[::-1]


def images(count=8):
    random = np.random.default_rng(0)
    return [random.random((1, 1, 10 + i, 12), dtype=np.float32) for i in range(count)]


def test_the_same_network_passes():
    parity = compare(Plain(), Plain(), images(), CARD)
    assert parity.failure() is None
    assert (parity.images, parity.largest, parity.equal) == (8, 0.0, 1.0)
    assert parity.sizes == ((10, 12), (17, 12))


def test_one_logit_that_is_off_is_found():
    parity = compare(Plain(), Plain(added=0.01, at=(3, 4)), images(), CARD)
    assert parity.largest == pytest.approx(0.01, rel=1e-4)
    assert "differ by up to 0.01 from the network's (allowed: 0.001)" in parity.failure()


def test_a_graph_that_mixes_up_a_batch_is_found():
    assert compare(Plain(), Plain(batches=False), images(), CARD).failure() is not None


def test_what_is_no_number_never_passes():
    assert compare(Plain(), Plain(added=np.nan, at=(0, 0)), images(), CARD).failure() is not None


def test_masks_are_counted_pixel_by_pixel():
    one = images(1)
    parity = compare(Plain(), Plain(added=9.0, at=(2, 3)), one, CARD, decided=True)
    changed = sum(image[0, 0, 2, 3] <= 0.5 for image in (one[0], one[0][..., ::-1]))  # and the two together
    expected = 2 * changed if changed in (0, 2) else None
    assert parity.pixels == 3 * 120
    assert (
        expected is None
        or parity.equal == 1 - (one[0][0, 0, 2, 3] <= 0.5) * 2 / 360 - (one[0][0, 0, 2, 8] <= 0.5) / 360
    )
    assert np.isnan(parity.largest)


def test_few_equal_pixels_fail():
    assert "only 99.80 %" in Parity(8, 1000, ((1, 1), (2, 2)), 0.0, 0.0, 0.998, 0).failure()


def test_pixels_that_are_all_but_ties_are_counted():
    even = [np.full((1, 1, 4, 4), 0.5, dtype=np.float32)]
    assert compare(Plain(), Plain(), even, CARD).close == 3 * 16
    overlapping = CARD.replace(overlapping=True)
    assert compare(Plain(), Plain(), [even[0] * 0], overlapping).close == 3 * 16  # a logit of 0 is a coin's toss


def test_large_logits_may_differ_by_their_rounding():
    small = Parity(8, 1000, ((1, 1), (2, 2)), 0.002, 0.0, 1.0, 0, scale=20.0)
    large = Parity(8, 1000, ((1, 1), (2, 2)), 0.002, 0.0, 1.0, 0, scale=300.0)
    assert "(allowed: 0.001)" in small.failure() and large.failure() is None
    parity = compare(Plain(), Plain(), images(), CARD)
    assert parity.scale == max(float(np.maximum(image, 1 - image).max()) for image in images())
