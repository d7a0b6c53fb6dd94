"""ResNet encoders (He et al. 2015) under U-Net's 2D decoder: the paper's ResNet rows.

    image -> conv 7x7 /2 -> [64] -> max pool -> layer1 -> layer2 -> layer3 -> layer4
               level 0 at 1/2              1/4       1/8       1/16      1/32

All five levels are skips; one more plain block without a skip brings the result to full size. Modules are named
as in torchvision, so its weight files load into `encoder` (the unused 1000-class layer is left out).
"""

from jaxtyping import Float
from torch import Tensor, nn

from onenet.models.decoder import conv_decoder
from onenet.models.network import Network


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-34)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, downsample: nn.Module) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(in_channels, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n ho wo"]:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (ResNet-50); the stride is in the 3x3, as in torchvision."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, downsample: nn.Module) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(in_channels, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n ho wo"]:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


LAYOUTS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNetEncoder(nn.Module):
    """ResNet without its classifier; returns five levels, the finest (1/2) first."""

    def __init__(self, layers: int, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        block, repeats = LAYOUTS[layers]
        self.conv1, self.bn1 = _conv(in_channels, width, 7, 2), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.channels = [width]
        for i, repeat in enumerate(repeats):
            stage = self._stage(block, self.channels[-1], width * 2**i, repeat, stride=1 if i == 0 else 2)
            self.add_module(f"layer{i + 1}", stage)
            self.channels.append(width * 2**i * block.expansion)

    @staticmethod
    def _stage(
        block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, repeat: int, stride: int
    ) -> nn.Sequential:
        out_channels = width * block.expansion
        project: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            project = nn.Sequential(_conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))
        first = block(in_channels, width, stride, project)
        return nn.Sequential(first, *(block(out_channels, width, 1, nn.Identity()) for _ in range(repeat - 1)))

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        features = [self.relu(self.bn1(self.conv1(image)))]  # b 64 h/2 w/2
        x = self.maxpool(features[0])
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
            features.append(x)
        return features


def resnet_unet(in_channels: int = 3, num_classes: int = 2, layers: int = 34, width: int = 64) -> Network:
    """ResNet-34 or ResNet-50 under the 2D decoder (rows ResNet_34 and ResNet_50 of Table 2), weights from scratch."""
    encoder = ResNetEncoder(layers, in_channels, width)
    channels = encoder.channels
    decoder = conv_decoder([channels[0], *channels], skips=4, plain_top=True)
    head = nn.Conv2d(channels[0], num_classes, 3, padding=1)
    return Network(encoder, decoder, head, in_channels, stride=32)
