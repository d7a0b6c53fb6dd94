"""Channel-wise 1D convolution (paper 3.2): every pixel's channels times one matrix.

The paper flattens the tensor to one axis, all channels of a pixel side by side, and slides a kernel of
length c over it with stride c:

    b c h w  ->  b 1 (h w c)  --Conv1d(1 -> n, kernel c, stride c)-->  b n (h w)  ->  b n h w

The kernel meets each pixel once and never two pixels at a time: it *is* a 1x1 convolution, which needs no
flattening and runs as one matrix product. tests/paper proves the two equal.
"""

from jaxtyping import Float
from torch import Tensor, nn


class ChannelConv(nn.Module):
    """Channel convolution, ReLU, batch norm: in this order, the norm comes last (authors' code).

    Parts: `act` and `norm` may be `nn.Identity()`, as at the top of the decoder in Fig. 2's caption.
    """

    def __init__(self, in_channels: int, out_channels: int, *, plain: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)
        self.act = nn.Identity() if plain else nn.ReLU(inplace=True)
        self.norm = nn.Identity() if plain else nn.BatchNorm2d(out_channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h w"]:
        return self.norm(self.act(self.conv(x)))
