"""Enlargement by 1D kernels and pixel re-positioning: what lies between two places is a mixture of both.

    b k h w  ->  3x1, four a channel: the four rows inside a place      b 4k h w
             ->  1x3, four of each: the four columns inside a place     b 16k h w
             ->  shuffle by 4                                           b k 4h 4w

The kernels begin as those of bilinear interpolation by 4 and are learnt, each channel its own. Beyond the border lie
zeros. At first all channels shrink alike there, so that the largest stays the largest; what training makes of the
kernels' outer taps is learnt at borders, too.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.layers.shuffle import Shuffle

FACTOR = 4


class Enlarge(nn.Sequential):
    """Four times the height and width, each of `channels` by itself."""

    def __init__(self, channels: int) -> None:
        rows = nn.Conv2d(channels, FACTOR * channels, (3, 1), padding=(1, 0), groups=channels, bias=False)
        columns = nn.Conv2d(
            FACTOR * channels, FACTOR**2 * channels, (1, 3), padding=(0, 1), groups=FACTOR * channels, bias=False
        )
        with torch.no_grad():
            rows.weight.copy_(between().repeat(channels, 1)[:, None, :, None])
            columns.weight.copy_(between().repeat(FACTOR * channels, 1)[:, None, None, :])
        super().__init__(rows, columns, Shuffle(FACTOR))


def between() -> Float[Tensor, "4 3"]:
    """The shares of a place and its two neighbours in each of the four places that it becomes."""
    centre = (torch.arange(FACTOR) + 0.5) / FACTOR - 0.5  # of the new places, seen from the old one's
    before, after = (-centre).clamp(min=0), centre.clamp(min=0)
    return torch.stack([before, 1 - before - after, after], dim=1)
