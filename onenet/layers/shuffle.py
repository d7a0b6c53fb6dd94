"""Pixel re-positioning (paper 3.1, eq. 1; Fig. 1): space to depth and back, nothing is lost and nothing is learnt.

    unshuffle by 2        b c h w  ->  b 4c h/2 w/2        channel 4c + 2*row + column holds phase (row, column)
    shuffle by 2          b 4c h w ->  b c 2h 2w           its inverse

Both are torch's own operators. What the paper prints (an index formula and an algorithm on one flattened
axis) is proved equal to them in tests/paper.
"""

from jaxtyping import Float
from torch import Tensor, nn


class Unshuffle(nn.PixelUnshuffle):
    """Halve height and width, four times the channels (paper eq. 1 with s = 2). Both sizes must be even."""

    def __init__(self) -> None:
        super().__init__(2)


class Shuffle(nn.PixelShuffle):
    """Double height and width, a quarter of the channels (Fig. 1b), the inverse of `Unshuffle`; or another factor."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__(factor)


class Repeat(nn.Module):
    """Double height and width by repeating each pixel four times: for logits that were made at half size."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # b c 2h 2w
