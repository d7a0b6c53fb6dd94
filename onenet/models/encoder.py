"""Encoders: image -> features, one tensor per level, level i with width * 2^i channels at 1 / 2^i of the size.

OneNetEncoder   unshuffle, [spatial], channel 4c -> 2c, channel 2c -> 2c     (paper 3.3, Fig. 1a)
ConvEncoder     max pool, two 3x3 convolutions c -> 2c -> 2c                 (U-Net; depthwise: MobileNet row)
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from onenet.layers.channel import ChannelConv
from onenet.layers.shuffle import Unshuffle

Part = Callable[[], nn.Module]


def conv_norm_act(in_channels: int, out_channels: int, kernel: int = 3, groups: int = 1) -> list[nn.Module]:
    """Convolution (zero padding), batch norm, ReLU: the order of U-Net's 2D blocks."""
    return [
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


def plain_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution, norm, ReLU."""
    return nn.Sequential(*conv_norm_act(in_channels, out_channels))


def separable_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Depthwise 3x3, norm, ReLU, pointwise, norm, ReLU (MobileNet)."""
    depthwise = conv_norm_act(in_channels, in_channels, groups=in_channels)
    return nn.Sequential(*depthwise, *conv_norm_act(in_channels, out_channels, kernel=1))


class Encoder(nn.Module):
    """A stem and a list of blocks, each of which halves the size; returns the output of all of them."""

    def __init__(self, stem: nn.Module, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        features = [self.stem(image)]
        for block in self.blocks:
            features.append(block(features[-1]))
        return features


class DownBlock(nn.Module):
    """Unshuffle, then two channel convolutions, each after its `spatial` part (`nn.Identity` for none)."""

    def __init__(self, channels: int, spatial: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.down = Unshuffle()
        self.spatial_1 = spatial[0]
        self.channel_1 = ChannelConv(4 * channels, 2 * channels)
        self.spatial_2 = spatial[1]
        self.channel_2 = ChannelConv(2 * channels, 2 * channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        x = self.spatial_1(self.down(x))  # b 4c h/2 w/2
        return self.channel_2(self.spatial_2(self.channel_1(x)))  # b 2c h/2 w/2


def onenet_encoder(in_channels: int, width: int, blocks: int, stem_repeat: int, spatial: Part, half: bool) -> Encoder:
    """The 1D encoder. With `half` the stem unshuffles first: its output is already at half size (text, Fig. 2)."""
    first = 4 * in_channels if half else in_channels
    convs = [ChannelConv(first if r == 0 else width, width) for r in range(stem_repeat)]
    stem = nn.Sequential(Unshuffle() if half else nn.Identity(), *convs)
    return Encoder(stem, [DownBlock(width * 2**i, (spatial(), nn.Identity())) for i in range(blocks)])


def conv_encoder(
    in_channels: int, width: int, blocks: int, stem_repeat: int, conv: Callable[[int, int], nn.Module]
) -> Encoder:
    """U-Net's encoder; `conv` makes the convolutions below the stem (`plain_conv` or `separable_conv`)."""
    stem = nn.Sequential(*(plain_conv(in_channels if r == 0 else width, width) for r in range(stem_repeat)))
    widths = [width * 2**i for i in range(blocks)]
    return Encoder(stem, [nn.Sequential(nn.MaxPool2d(2), conv(c, 2 * c), conv(2 * c, 2 * c)) for c in widths])
