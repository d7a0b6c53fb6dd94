"""U-Lite (Dinh et al., APSIPA 2023, arXiv 2306.16103): a U-Net of axial depthwise convolutions, 878 K parameters.

    image | 7x7 convolution [16]
    encoder, five times    axial 7x7 | norm -> skip | 1x1 to twice the channels | 2x2 max pool | GELU    [512] at 1/32
    bottleneck             1x1 to a quarter | itself and axial 3x3 of dilation 1 2 3, joined | norm | 1x1 | GELU
    decoder, five times    enlarge | join the skip | 1x1 | norm | axial 7x7 | 1x1 | GELU                 [16] at 1/1

An axial convolution (section II) is x + 7x1(x) + 1x7(x), depthwise. Where the paper is silent the authors' published
network decides: every convolution has a bias, enlarging repeats pixels, the bottleneck's axial convolutions work on a
quarter of the channels. Its one class with a sigmoid is `num_classes` logits here.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.models.decoder import Decoder
from onenet.models.network import Network

_LEVELS = 5


class Axial(nn.Module):
    """x + a depthwise column + a depthwise row of it (Fig. 2)."""

    def __init__(self, channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        beyond = dilation * (kernel // 2)
        self.column = nn.Conv2d(
            channels, channels, (kernel, 1), padding=(beyond, 0), dilation=(dilation, 1), groups=channels
        )
        self.row = nn.Conv2d(
            channels, channels, (1, kernel), padding=(0, beyond), dilation=(1, dilation), groups=channels
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.column(x) + self.row(x)


class ULiteEncoder(nn.Module):
    """The skips of five levels, the finest first, and what the last of them leaves at 1/32 of the size."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, width, 7, padding=3)
        widths = [width * 2**level for level in range(_LEVELS)]
        self.mixes = nn.ModuleList(nn.Sequential(Axial(c, 7), nn.BatchNorm2d(c)) for c in widths)
        self.downs = nn.ModuleList(nn.Sequential(nn.Conv2d(c, 2 * c, 1), nn.MaxPool2d(2), nn.GELU()) for c in widths)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        features, x = [], self.stem(image)
        for mix, down in zip(self.mixes, self.downs, strict=True):
            features.append(mix(x))
            x = down(features[-1])  # b 2c h/2 w/2
        return [*features, x]


class Bottleneck(nn.Module):
    """A quarter of the channels, seen at four distances."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = -(-channels // 4)
        self.enter = nn.Conv2d(channels, quarter, 1)
        self.branches = nn.ModuleList(Axial(quarter, 3, dilation) for dilation in (1, 2, 3))
        self.leave = nn.Sequential(nn.BatchNorm2d(4 * quarter), nn.Conv2d(4 * quarter, channels, 1), nn.GELU())

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        x = self.enter(x)
        return self.leave(torch.cat([x, *(branch(x) for branch in self.branches)], dim=1))


class Up(nn.Module):
    """Repeat each pixel, join the skip, mix."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2)
        self.mix = nn.Sequential(
            nn.Conv2d(in_channels + out_channels, out_channels, 1),
            nn.BatchNorm2d(out_channels),
            Axial(out_channels, 7),
            nn.Conv2d(out_channels, out_channels, 1),
            nn.GELU(),
        )

    def forward(self, x: Float[Tensor, "b c h w"], skip: Float[Tensor, "b n h2 w2"]) -> Float[Tensor, "b n h2 w2"]:
        return self.mix(torch.cat([self.enlarge(x), skip], dim=1))  # b n 2h 2w


def u_lite(in_channels: int = 3, num_classes: int = 2, width: int = 16) -> Network:
    """U-Lite: `width` channels at full size, doubled at each of five max pools; weights from scratch."""
    blocks: list[nn.Module] = [Up(width * 2 ** (level + 1), width * 2**level) for level in reversed(range(_LEVELS))]
    decoder = Decoder(Bottleneck(width * 2**_LEVELS), blocks, skips=_LEVELS)
    head = nn.Conv2d(width, num_classes, 1)
    return Network(ULiteEncoder(in_channels, width), decoder, head, in_channels, stride=2**_LEVELS)
