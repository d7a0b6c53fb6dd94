"""Enlargement by 1D kernels and pixel re-positioning: what lies between two places is a mixture of both.

    b k h w  ->  3x1, f a channel: the f rows inside a place         b fk h w
             ->  1x3, f of each: the f columns inside a place        b ffk h w
             ->  shuffle by f                                        b k fh fw

The kernels begin as those of bilinear interpolation by f and are learnt, each channel its own. Beyond the border lie
zeros. At first all channels shrink alike there, so that the largest stays the largest; what training makes of the
kernels' outer taps is learnt at borders, too.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.layers.shuffle import Shuffle


class Enlarge(nn.Sequential):
    """`factor` times the height and width, each of `channels` by itself."""

    def __init__(self, channels: int, factor: int = 4) -> None:
        rows = nn.Conv2d(channels, factor * channels, (3, 1), padding=(1, 0), groups=channels, bias=False)
        columns = nn.Conv2d(
            factor * channels, factor**2 * channels, (1, 3), padding=(0, 1), groups=factor * channels, bias=False
        )
        with torch.no_grad():
            rows.weight.copy_(between(factor).repeat(channels, 1)[:, None, :, None])
            columns.weight.copy_(between(factor).repeat(factor * channels, 1)[:, None, None, :])
        super().__init__(rows, columns, Shuffle(factor))


def between(factor: int) -> Float[Tensor, "f 3"]:
    """The shares of a place and its two neighbours in each of the `factor` places that it becomes."""
    centre = (torch.arange(factor) + 0.5) / factor - 0.5  # of the new places, seen from the old one's
    before, after = (-centre).clamp(min=0), centre.clamp(min=0)
    return torch.stack([before, 1 - before - after, after], dim=1)
