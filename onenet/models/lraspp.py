"""MobileNetV3 with the LR-ASPP head (Howard et al., ICCV 2019, arXiv 1905.02244, sections 5, 6.4 and Fig. 10).

    image | 3x3 convolution /2 | inverted residuals, 1/8 -> low | ... 1/16, the last ones dilated | 1x1 -> high
    high | 1x1 [128], norm, ReLU  x  sigmoid(1x1 [128] of its average) | enlarge by 2 | 1x1 to the classes
    low  |                                                                            1x1 to the classes | + | enlarge

Tables 1 and 2 are the trunks. `reduced` halves the channels of the last block, as the paper does for segmentation
("RF2" in its Table 7): 0.47 M parameters (small) and 1.51 M (large) at 19 classes. Without it the large one has the
3,221,538 parameters that torchvision gives at 21 classes. The paper averages high over windows of 49x49, made for
images of 1024x2048; as in torchvision it is averaged whole here, so a pixel sees the whole image and no image can be
cut into tiles. Where the paper is silent torchvision's network decides: epsilon 1e-3 in the trunk's norms, and
channels in multiples of 8, a quarter of the expanded ones in the squeeze.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from onenet.errors import ConfigError
from onenet.models.network import Network

_HEAD = 128  # channels of the LR-ASPP branch (F in Table 7)
_WIDTH = 16  # channels of the stem in Tables 1 and 2


class _Row(NamedTuple):
    """A line of Table 1 or 2: kernel, expanded and given channels, squeeze-and-excite, h-swish, stride."""

    kernel: int
    expanded: int
    channels: int
    squeezed: bool
    swish: bool
    stride: int


TRUNKS = {
    "small": (
        _Row(3, 16, 16, True, False, 2),
        _Row(3, 72, 24, False, False, 2),
        _Row(3, 88, 24, False, False, 1),
        _Row(5, 96, 40, True, True, 2),
        _Row(5, 240, 40, True, True, 1),
        _Row(5, 240, 40, True, True, 1),
        _Row(5, 120, 48, True, True, 1),
        _Row(5, 144, 48, True, True, 1),
        _Row(5, 288, 96, True, True, 2),
        _Row(5, 576, 96, True, True, 1),
        _Row(5, 576, 96, True, True, 1),
    ),
    "large": (
        _Row(3, 16, 16, False, False, 1),
        _Row(3, 64, 24, False, False, 2),
        _Row(3, 72, 24, False, False, 1),
        _Row(5, 72, 40, True, False, 2),
        _Row(5, 120, 40, True, False, 1),
        _Row(5, 120, 40, True, False, 1),
        _Row(3, 240, 80, False, True, 2),
        _Row(3, 200, 80, False, True, 1),
        _Row(3, 184, 80, False, True, 1),
        _Row(3, 184, 80, False, True, 1),
        _Row(3, 480, 112, True, True, 1),
        _Row(3, 672, 112, True, True, 1),
        _Row(5, 672, 160, True, True, 2),
        _Row(5, 960, 160, True, True, 1),
        _Row(5, 960, 160, True, True, 1),
    ),
}


def in_eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and no more than a tenth below."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def conv_norm(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Convolution without bias and the trunk's norm."""
    beyond = dilation * (kernel // 2)
    return [
        nn.Conv2d(in_channels, out_channels, kernel, stride, beyond, dilation, groups, bias=False),
        nn.BatchNorm2d(out_channels, eps=1e-3),
    ]


class SqueezeExcite(nn.Module):
    """Each channel times a number in [0, 1] that the average of all channels decides (5.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = in_eights(channels / 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, squeezed, 1), nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1), nn.Hardsigmoid(),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x * self.gate(x)


class Residual(nn.Module):
    """x + what its layers make of it."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.layers(x)


def inverted_residual(in_channels: int, row: _Row, stride: int, dilation: int) -> nn.Module:
    """Expand, depthwise convolution, squeeze-and-excite, project; a shortcut where nothing changes (Fig. 4)."""
    layers: list[nn.Module] = []
    act = nn.Hardswish if row.swish else nn.ReLU
    if row.expanded != in_channels:
        layers += [*conv_norm(in_channels, row.expanded), act(inplace=True)]
    layers += [*conv_norm(row.expanded, row.expanded, row.kernel, stride, dilation, row.expanded), act(inplace=True)]
    if row.squeezed:
        layers.append(SqueezeExcite(row.expanded))
    layers += conv_norm(row.expanded, row.channels)
    whole = nn.Sequential(*layers)
    return Residual(whole) if row.stride == 1 and row.channels == in_channels else whole


class MobileNetV3(nn.Module):
    """The trunk without its classifier: the first features at 1/8 of the size, and the last, at 1/16."""

    def __init__(self, in_channels: int, rows: Sequence[_Row]) -> None:
        super().__init__()
        channels, size, dilation = rows[0].expanded, 2, 1
        stages = [nn.Sequential(*conv_norm(in_channels, channels, 3, 2), nn.Hardswish(inplace=True))]
        low = 0
        for row in rows:
            stride = row.stride if size < 16 else 1  # from 1/16 on a stride of 2 is a dilation by 2
            dilation = 2 if stride != row.stride else dilation
            stages.append(inverted_residual(channels, row, stride, dilation))  # type: ignore[arg-type]
            channels, size = row.channels, size * stride
            if size == 8 and not low:
                low, self.low_channels = len(stages), channels
        self.high_channels = 6 * channels
        stages.append(nn.Sequential(*conv_norm(channels, self.high_channels), nn.Hardswish(inplace=True)))
        self.to_low, self.to_high = nn.Sequential(*stages[:low]), nn.Sequential(*stages[low:])

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        low = self.to_low(image)
        return [low, self.to_high(low)]


class LiteASPP(nn.Module):
    """The sum of what both levels say of the classes, at 1/8 of the size (Fig. 10)."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(high_channels, _HEAD, 1, bias=False), nn.BatchNorm2d(_HEAD), nn.ReLU(inplace=True)
        )
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, _HEAD, 1, bias=False), nn.Sigmoid())
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.low, self.high = nn.Conv2d(low_channels, num_classes, 1), nn.Conv2d(_HEAD, num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "b k h w"]:
        low, high = features
        return self.low(low) + self.high(self.enlarge(self.convs(high) * self.gate(high)))


def lraspp(
    in_channels: int = 3, num_classes: int = 2, trunk: str = "small", width: int = 16, reduced: bool = True
) -> Network:
    """MobileNetV3 under LR-ASPP, weights from scratch.

    Args:
        trunk: "small" or "large" (Tables 2 and 1).
        width: channels of the stem, 16 in the paper; all others of the trunk go with it, in multiples of 8.
        reduced: half the channels in the last block, as the paper has it for segmentation.
    """
    if trunk not in TRUNKS:
        raise ConfigError(f"trunk={trunk!r}: choose from {', '.join(TRUNKS)}")
    table = TRUNKS[trunk]
    rows, last = [], max(place for place, row in enumerate(table) if row.stride == 2)
    for place, row in enumerate(table):
        share = width / _WIDTH / (2 if reduced and place >= last else 1)
        rows.append(row._replace(expanded=in_eights(row.expanded * share), channels=in_eights(row.channels * share)))
    encoder = MobileNetV3(in_channels, rows)
    decoder = LiteASPP(encoder.low_channels, encoder.high_channels, num_classes)
    head = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)
    return Network(encoder, decoder, head, in_channels, stride=16)
