"""ERFNet (Romera et al., IEEE T-ITS 2017): residual blocks of 3x1 and 1x3 convolutions, 2.06 M parameters.

    image | down [16] | down [64], 5 blocks | down [128], 8 blocks of dilation 2 4 8 16 2 4 8 16      encoder, 1/8
          | up [64], 2 blocks | up [16], 2 blocks | 2x2 transposed convolution to the classes         decoder

Table I of the paper. Where it is silent the authors' published network decides: every convolution has a bias, batch
norm has epsilon 1e-3, an up-sampling is a 3x3 transposed convolution of stride 2, whole channels are dropped (with
probability 0.03 at 1/4 of the size and 0.3 at 1/8, never in the decoder), and the shortcut joins before the last ReLU.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.models.decoder import Decoder
from onenet.models.network import Network


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with the authors' epsilon."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class Down(nn.Module):
    """Halve the size: a 3x3 convolution beside a 2x2 max pool (none where channels do not grow), norm, ReLU (ENet)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        grows = out_channels > in_channels
        made = out_channels - in_channels if grows else out_channels
        self.conv = nn.Conv2d(in_channels, made, 3, stride=2, padding=1)
        self.beside = nn.ModuleList([nn.MaxPool2d(2)] if grows else [])
        self.norm, self.act = norm(out_channels), nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h2 w2"]:
        return self.act(self.norm(torch.cat([self.conv(x), *(pool(x) for pool in self.beside)], dim=1)))


class NonBottleneck1D(nn.Module):
    """Two 3x3 convolutions, each as 3x1 and 1x3, the second pair dilated, and a shortcut (Fig. 2c)."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *_pair(channels, 1), nn.ReLU(inplace=True), *_pair(channels, dilation),
            nn.Dropout2d(dropout) if dropout else nn.Identity(),
        )  # fmt: skip
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.act(self.convs(x) + x)


def _pair(channels: int, dilation: int) -> list[nn.Module]:
    """3x1 convolution, ReLU, 1x3 convolution, norm."""
    return [
        nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)),
        norm(channels),
    ]


class ERFEncoder(nn.Module):
    """Three levels at 1/2, 1/4 and 1/8."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        far = (2, 4, 8, 16)
        self.stages = nn.ModuleList(
            [
                Down(in_channels, width),
                nn.Sequential(Down(width, 4 * width), *(NonBottleneck1D(4 * width, 1, 0.03) for _ in range(5))),
                nn.Sequential(Down(4 * width, 8 * width), *(NonBottleneck1D(8 * width, d, 0.3) for d in (*far, *far))),
            ]
        )

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        features, x = [], image
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Double the size by a 3x3 transposed convolution, norm, ReLU, and two blocks that are not dilated."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1),
        norm(out_channels),
        nn.ReLU(inplace=True),
        NonBottleneck1D(out_channels, 1, 0.0),
        NonBottleneck1D(out_channels, 1, 0.0),
    )


def erfnet(in_channels: int = 3, num_classes: int = 2, width: int = 16) -> Network:
    """ERFNet: `width` channels at 1/2 of the size, 4 and 8 times as many at 1/4 and 1/8; weights from scratch."""
    decoder = Decoder(nn.Identity(), [up(8 * width, 4 * width), up(4 * width, width)], skips=0)
    head = nn.ConvTranspose2d(width, num_classes, 2, stride=2)
    return Network(ERFEncoder(in_channels, width), decoder, head, in_channels, stride=8)
