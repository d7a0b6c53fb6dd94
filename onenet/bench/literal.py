"""OneNet word for word: flattened tensors, strided Conv1d, no shortcut. The reference, and the peer to time against.

Written from the paper's sections 3.1 to 3.4 and nothing else of this package, under the authors' names, so that it
loads their checkpoints as they are. Slow on purpose: nothing here was rearranged.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def flatten(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, 1, h*w*c): all channels of a pixel are neighbours."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], 1, -1)


def unflatten(line: Tensor, h: int, w: int) -> Tensor:
    """(b, 1, h*w*c) -> (b, c, h, w)."""
    return line.view(line.shape[0], h, w, -1).permute(0, 3, 1, 2)


class FlatChannelConv(nn.Module):
    """3.2: a Conv1d with kernel = stride = c over the flattened tensor; then ReLU, then batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, out_channels, kernel_size=in_channels, stride=in_channels)
        self.bn = nn.BatchNorm1d(out_channels)

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 m"]:
        x = self.bn(F.relu(self.conv(line)))  # b c (h w)
        return x.transpose(1, 2).reshape(x.shape[0], 1, -1)  # b 1 (h w c)


class FlatPointConv(nn.Module):
    """The second convolution of a block, c -> c: its Conv1d takes the channels as channels, with kernel 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv = nn.Conv1d(channels, channels, 1)
        self.bn = nn.BatchNorm1d(channels)

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 n"]:
        x = line.view(line.shape[0], -1, self.channels).transpose(1, 2)  # b c (h w)
        x = self.bn(F.relu(self.conv(x)))
        return x.transpose(1, 2).reshape(line.shape[0], 1, -1)


class FlatSpatialConv(nn.Module):
    """3.3: kernel 9, stride 1 over the flattened tensor, reflected at its two ends; then ReLU."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel)

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 n"]:
        reach = self.conv.kernel_size[0] // 2
        return F.relu(self.conv(F.pad(line, (reach, reach), mode="reflect")))


class FlatHead(nn.Module):
    """The last convolution: channels to classes, without norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 1)

    def forward(self, pixels: Float[Tensor, "b c n"]) -> Float[Tensor, "b k n"]:
        return self.conv(pixels)


class _Stem(nn.Module):
    """The "initial bottleneck": `repeat` channel convolutions one after the other."""

    def __init__(self, in_channels: int, width: int, repeat: int) -> None:
        super().__init__()
        rest = (FlatPointConv(width) for _ in range(1, repeat))
        self.blocks = nn.Sequential(FlatChannelConv(in_channels, width), *rest)

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 m"]:
        return self.blocks(line)


class _Half(nn.Module):
    """Encoder or decoder: `bottleneck` and `convs`, as the authors' state dict has them."""

    def __init__(self, bottleneck: nn.Module, convs: dict[str, nn.Module]) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        self.convs = nn.ModuleDict(convs)


class LiteralOneNet(nn.Module):
    """onenet-ed in the authors' formulation. Heights and widths must be multiples of 2^depth."""

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        depth: int = 4,
        stem_repeat: int = 3,
        spatial_kernel: int = 9,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.depth = depth
        down: dict[str, nn.Module] = {}
        for i in range(depth):
            c = width * 2**i
            down[f"channel_1_{i}"], down[f"channel_2_{i}"] = FlatChannelConv(4 * c, 2 * c), FlatPointConv(2 * c)
        up: dict[str, nn.Module] = {}
        for i in range(depth, 0, -1):
            n = width if i == 1 else width * 2**i
            up[f"channel_1_{i}"], up[f"channel_2_{i}"] = FlatChannelConv(n, n), FlatPointConv(n)
            up[f"head_{i}"] = FlatHead(n, num_classes)
        if spatial_kernel:
            down |= {f"spatial_{i}": FlatSpatialConv(spatial_kernel) for i in range(depth)}
            up |= {f"spatial_{i}": FlatSpatialConv(spatial_kernel) for i in range(1, depth + 1)}
        deepest = width * 2**depth
        self.encoder = _Half(_Stem(in_channels, width, stem_repeat), down)
        self.decoder = _Half(FlatChannelConv(deepest, 2 * deepest), up)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        h, w = image.shape[2:]
        line = self.encoder.bottleneck(flatten((image - 0.45) / 0.225))
        skips = []
        for i in range(self.depth):
            skips.append((line, h, w))
            line = flatten(F.pixel_unshuffle(unflatten(line, h, w), 2))
            h, w = h // 2, w // 2
            line = self._block(self.encoder, i, line)
        line = self.decoder.bottleneck(line)
        for i in range(self.depth, 0, -1):
            x = F.pixel_shuffle(unflatten(line, h, w), 2)
            skip, h, w = skips[i - 1]
            line = flatten(torch.cat([x, unflatten(skip, h, w)], dim=1) if i > 1 else x)
            line = self._block(self.decoder, i, line)
        return self.decoder.convs["head_1"](unflatten(line, h, w).flatten(2)).unflatten(2, (h, w))

    def _block(self, half: _Half, i: int, line: Tensor) -> Tensor:
        if f"spatial_{i}" in half.convs:
            line = half.convs[f"spatial_{i}"](line)
        return half.convs[f"channel_2_{i}"](half.convs[f"channel_1_{i}"](line))
