"""An overlay whose image and mask come in strips of any height, at any time."""

import numpy as np
import pytest

from onenet.card import Card
from onenet.deploy.overlays import Overlay, overlay_size
from onenet.images import overlay

CARD = Card("onenet-e-4", {"in_channels": 3, "num_classes": 3}, ("a", "b", "c"), ((0, 0, 0), (200, 0, 0), (0, 0, 200)))


@pytest.mark.parametrize("ahead", [0, 1, 40, 130])
@pytest.mark.parametrize("step", [1, 7, 32, 64, 130])
def test_it_is_the_overlay_of_the_whole(ahead, step):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (130, 9, 3), dtype=np.uint8)
    mask = random.integers(0, 3, (26, 3), dtype=np.uint8).repeat(5, 0).repeat(3, 1)
    drawn = []
    drawing = Overlay(drawn.append, (130, 9), (130, 9), CARD)
    drawing.add_image(image[:ahead])
    for first in range(0, 130, step):
        drawing.add_image(image[ahead + first : ahead + first + step])
        drawing.add_mask(mask[first : first + step])
    drawing.add_image(image[ahead + 130 :])
    drawing.finish()
    assert np.array_equal(np.concatenate(drawn), overlay(image, mask, CARD.colours, CARD.background))
    assert max(map(len, drawn)) <= 32


def test_only_very_large_ones_are_reduced():
    assert overlay_size((8192, 5000)) == (8192, 5000)
    assert overlay_size((16384, 4096)) == (2048, 512) and overlay_size((10, 20480)) == (1, 2048)
