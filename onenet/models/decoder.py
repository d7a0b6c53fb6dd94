"""Decoders: features -> one tensor at the finest level's size.

    OneNetDecoder   shuffle, concatenate the skip, [spatial], channel n -> n, channel n -> n   (paper 3.4, Fig. 1b)
    ConvDecoder     transposed convolution, concatenate the skip, two 3x3 convolutions         (U-Net)

Neither uses a skip at the finest level of the paper's networks (authors' code).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.layers.channel import ChannelConv
from onenet.layers.shuffle import Shuffle
from onenet.models.encoder import Part, plain_conv


class UpBlock1D(nn.Module):
    """Shuffle, append the skip, two channel convolutions that keep the number of channels."""

    def __init__(self, channels: int, spatial: tuple[nn.Module, nn.Module], plain: bool = False) -> None:
        super().__init__()
        self.up = Shuffle()
        self.spatial_1 = spatial[0]
        self.channel_1 = ChannelConv(channels, channels, plain=plain)
        self.spatial_2 = spatial[1]
        self.channel_2 = ChannelConv(channels, channels, plain=plain)

    def forward(self, x: Float[Tensor, "b c h w"], *skip: Float[Tensor, "b s h2 w2"]) -> Float[Tensor, "b n h2 w2"]:
        x = torch.cat([self.up(x), *skip], dim=1)  # b c/4+s 2h 2w
        return self.channel_2(self.spatial_2(self.channel_1(self.spatial_1(x))))


class UpBlock2D(nn.Module):
    """Transposed convolution, append the skip, two 3x3 convolutions."""

    def __init__(self, channels: int, out_channels: int, skip_channels: int, plain: bool = False) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, out_channels, kernel_size=2, stride=2)
        joined = out_channels + skip_channels
        self.convs = nn.Sequential(
            nn.Conv2d(joined, out_channels, 3, padding=1) if plain else plain_conv(joined, out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1) if plain else plain_conv(out_channels, out_channels),
        )

    def forward(self, x: Float[Tensor, "b c h w"], *skip: Float[Tensor, "b s h2 w2"]) -> Float[Tensor, "b n h2 w2"]:
        return self.convs(torch.cat([self.up(x), *skip], dim=1))  # b n 2h 2w


class Decoder(nn.Module):
    """A first part for the deepest level and a list of blocks; each takes the next finer level as its skip.

    A block beyond the levels at hand, the last one of the paper's networks, gets no skip.
    """

    def __init__(self, first: nn.Module, blocks: list[nn.Module], skips: int) -> None:
        super().__init__()
        self.first = first
        self.blocks = nn.ModuleList(blocks)
        self.skips = skips

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "b n h w"]:
        x = self.first(features[-1])
        finer = features[-2::-1]
        for level, block in enumerate(self.blocks):
            x = block(x, *finer[level : min(level + 1, self.skips)])
        return x


def onenet_decoder(width: int, blocks: int, spatial: Part, between: bool, plain_top: bool) -> Decoder:
    """The 1D decoder. `between` puts the spatial part between the two channel convolutions (Fig. 1b) instead of
    before them (authors' code); `plain_top` leaves ReLU and norm out of the last block (Fig. 2's caption).
    """
    deepest = width * 2**blocks
    ups: list[nn.Module] = []
    for i in range(blocks, 0, -1):
        channels = width if i == 1 else width * 2**i
        parts = (nn.Identity(), spatial()) if between else (spatial(), nn.Identity())
        ups.append(UpBlock1D(channels, parts, plain=plain_top and i == 1))
    return Decoder(ChannelConv(deepest, 2 * deepest), ups, skips=blocks - 1)


def conv_decoder(channels: Sequence[int], skips: int, plain_top: bool) -> Decoder:
    """U-Net's decoder over levels of `channels` (finest first), with `skips` of them concatenated.

    The last block has neither norm nor ReLU where `plain_top` ("the top layer of the decoder is implemented without
    batch normalization or ReLU").
    """
    ups: list[nn.Module] = []
    for i in range(len(channels) - 1, 0, -1):
        skip = channels[i - 1] if len(ups) < skips else 0
        ups.append(UpBlock2D(channels[i], channels[i - 1], skip, plain=plain_top and i == 1))
    return Decoder(nn.Identity(), ups, skips)
