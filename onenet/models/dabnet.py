"""DABNet (Li et al., BMVC 2019, arXiv 1907.11357): depthwise asymmetric bottlenecks, 0.76 M parameters at 19 classes.

    image | three 3x3 convolutions, the first of stride 2 | + image/2    [32 + 3] at 1/2
          | down, 3 DAB modules of dilation 2             | + image/4    [2 x 64 + 3] at 1/4
          | down, 6 DAB modules of dilation 4 4 8 8 16 16 | + image/8    [2 x 128 + 3] at 1/8
          | 1x1 convolution to the classes | bilinear enlargement by 8

Both blocks also pass on what entered them ("inter-block concatenation", 3.2), and every stage ends with the image
averaged down to its size. Where the paper is silent the authors' published network decides: no bias in any
convolution, batch norm with epsilon 1e-3, PReLU with one slope a channel, averaging by 3x3 windows of stride 2 that
count zeros around the image (here around the standardised one).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.models.decoder import Decoder
from onenet.models.network import Network

_FIRST, _SECOND = (2, 2, 2), (4, 4, 8, 8, 16, 16)  # dilations of the modules of both blocks (Table 2)


def norm_act(channels: int) -> nn.Sequential:
    """Batch norm and PReLU."""
    return nn.Sequential(nn.BatchNorm2d(channels, eps=1e-3), nn.PReLU(channels))


def conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A square convolution with zeros around the image and no bias."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


def depthwise(channels: int, dilation: int = 1) -> nn.Sequential:
    """3x1 and 1x3 depthwise convolutions, each with norm and PReLU."""
    column = nn.Conv2d(
        channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1), groups=channels, bias=False
    )
    row = nn.Conv2d(
        channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), groups=channels, bias=False
    )
    return nn.Sequential(column, norm_act(channels), row, norm_act(channels))


class DABModule(nn.Module):
    """Halve the channels by a 3x3 convolution, look near and far side by side, restore the channels, add (Fig. 2c)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = nn.Sequential(norm_act(channels), conv(channels, half), norm_act(half))
        self.near = depthwise(half)
        self.far = depthwise(half, dilation)
        self.leave = nn.Sequential(norm_act(half), conv(half, channels, kernel=1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y = self.enter(x)  # b c/2 h w
        return self.leave(self.near(y) + self.far(y)) + x


class Down(nn.Module):
    """Halve the size by a 3x3 convolution, beside it a 2x2 max pool where channels are to grow (3.2, as in ENet)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        grows = out_channels > in_channels
        self.conv = conv(in_channels, out_channels - in_channels if grows else out_channels, stride=2)
        self.beside = nn.ModuleList([nn.MaxPool2d(2)] if grows else [])
        self.norm_act = norm_act(out_channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h2 w2"]:
        return self.norm_act(torch.cat([self.conv(x), *(pool(x) for pool in self.beside)], dim=1))


class Block(nn.Module):
    """Down, then DAB modules; what they give and what they were given, side by side."""

    def __init__(self, in_channels: int, out_channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.down = Down(in_channels, out_channels)
        self.inner = nn.Sequential(*(DABModule(out_channels, dilation) for dilation in dilations))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h2 w2"]:
        x = self.down(x)
        return torch.cat([self.inner(x), x], dim=1)  # b 2n h/2 w/2


class DABEncoder(nn.Module):
    """Three levels at 1/2, 1/4 and 1/8, each joined with the image at its size."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        stem = []
        for channels, stride in ((in_channels, 2), (width, 1), (width, 1)):
            stem += [conv(channels, width, stride=stride), norm_act(width)]
        stages = [
            nn.Sequential(*stem),
            Block(width + in_channels, 2 * width, _FIRST),
            Block(4 * width + in_channels, 4 * width, _SECOND),
        ]
        self.stages = nn.ModuleList(stages)
        self.norms = nn.ModuleList(norm_act(n * width + in_channels) for n in (1, 4, 8))
        self.shrink = nn.AvgPool2d(3, stride=2, padding=1)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        features: list[Tensor] = []
        x = image
        for stage, norm in zip(self.stages, self.norms, strict=True):
            image = self.shrink(image)
            x = norm(torch.cat([stage(x), image], dim=1))
            features.append(x)
        return features


def dabnet(in_channels: int = 3, num_classes: int = 2, width: int = 32) -> Network:
    """DABNet: `width` channels at 1/2 of the size, 2 and 4 times as many at 1/4 and 1/8; weights from scratch."""
    head = nn.Sequential(
        conv(8 * width + in_channels, num_classes, kernel=1),
        nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False),
    )
    return Network(DABEncoder(in_channels, width), Decoder(nn.Identity(), [], skips=0), head, in_channels, stride=8)
