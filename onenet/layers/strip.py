"""Strip convolution: every channel by itself, along its row and then along its column, with 1D kernels only.

    b c h w  ->  1xk, one kernel a channel  ->  kx1, one kernel a channel  ->  b c h w

A kernel can be trained as a sum of parallel ones of several lengths, each with its norm; afterwards they are one kernel
(`onenet.export.joins`). Lengths 3 and 9 are those for which integer kernels exist on phones; dilation reaches further.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class Strip(nn.Module):
    """1D kernels of one direction, one a channel and length, summed; zeros lie beyond the border.

    Args:
        lengths: odd lengths of the parallel kernels.
        dilation: distance between the taps of a kernel.
        vertical: along columns instead of rows.
    """

    def __init__(self, channels: int, lengths: Sequence[int], dilation: int = 1, *, vertical: bool = False) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(
                    channels, channels, (length, 1) if vertical else (1, length), groups=channels, bias=False,
                    padding=(dilation * (length // 2), 0) if vertical else (0, dilation * (length // 2)),
                    dilation=(dilation, 1) if vertical else (1, dilation),
                ),
                nn.BatchNorm2d(channels),
            )
            for length in lengths
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        first, *others = self.branches
        total = first(x)
        for branch in others:
            total = total + branch(x)
        return total


class StripConv(nn.Sequential):
    """Along the rows, then along the columns, nothing in between: a 2D kernel of rank one, for two 1D ones' work."""

    def __init__(self, channels: int, lengths: Sequence[int], dilation: int = 1) -> None:
        super().__init__(Strip(channels, lengths, dilation), Strip(channels, lengths, dilation, vertical=True))
