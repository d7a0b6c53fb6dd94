"""OneNet word for word: flattened tensors, strided Conv1d, no shortcut. The reference, and the peer to be timed against.

Written from the paper's sections 3.1 to 3.4 and nothing else of this package, under the authors' names, so that it
loads their checkpoints as they are. Slow on purpose: nothing here was rearranged.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class FlatChannelConv(nn.Module):
    """3.2: a Conv1d with kernel = stride = c over the flattened (b, 1, h*w*c) tensor; then ReLU, then batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, out_channels, kernel_size=in_channels, stride=in_channels)
        self.bn = nn.BatchNorm1d(out_channels)

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 m"]:
        x = self.bn(F.relu(self.conv(line)))  # b n (h w)
        return x.transpose(1, 2).reshape(x.shape[0], 1, -1)  # b 1 (h w n)


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


def unflatten(line: Tensor, h: int, w: int) -> Tensor:
    """(b, 1, h*w*c) -> (b, c, h, w)."""
    return line.view(line.shape[0], h, w, -1).permute(0, 3, 1, 2)


def flatten(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, 1, h*w*c): all channels of a pixel are neighbours."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], 1, -1)


class _Stem(nn.Module):
    def __init__(self, in_channels: int, width: int, repeat: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FlatChannelConv(in_channels if r == 0 else width, width) for r in range(repeat))


class _Half(nn.Module):
    """Encoder or decoder: `bottleneck` and `convs`, as the authors' state dict has them."""

    def __init__(self, bottleneck: nn.Module, convs: dict[str, nn.Module]) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        self.convs = nn.ModuleDict(convs)


class LiteralOneNet(nn.Module):
    """onenet-ed in the authors' formulation. Heights and widths must be multiples of 2^depth."""

    def __init__(self, num_classes: int, width: int = 64, depth: int = 4, stem_repeat: int = 3, spatial_kernel: int = 9,
                 in_channels: int = 3) -> None:  # fmt: skip
        super().__init__()
        self.depth, self.spatial = depth, spatial_kernel > 0
        down: dict[str, nn.Module] = {}
        for i in range(depth):
            c = width * 2**i
            down |= self._spatial(i, spatial_kernel)
            down[f"channel_1_{i}"], down[f"channel_2_{i}"] = FlatChannelConv(4 * c, 2 * c), FlatPointConv(2 * c)
        up: dict[str, nn.Module] = {}
        for i in range(depth, 0, -1):
            n = width if i == 1 else width * 2**i
            up |= self._spatial(i, spatial_kernel)
            up[f"channel_1_{i}"], up[f"channel_2_{i}"] = FlatChannelConv(n, n), FlatPointConv(n)
            up[f"head_{i}"] = FlatHead(n, num_classes)
        self.encoder = _Half(_Stem(in_channels, width, stem_repeat), down)
        for r in range(1, stem_repeat):
            self.encoder.bottleneck.blocks[r] = FlatPointConv(width)  # type: ignore[index,union-attr]
        deepest = width * 2**depth
        self.decoder = _Half(FlatChannelConv(deepest, 2 * deepest), up)

    @staticmethod
    def _spatial(i: int, kernel: int) -> dict[str, nn.Module]:
        return {f"spatial_{i}": FlatSpatialConv(kernel)} if kernel else {}

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        h, w = image.shape[2:]
        line = flatten((image - 0.45) / 0.225)
        for block in self.encoder.bottleneck.blocks:  # type: ignore[union-attr]
            line = block(line)
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
        return self.decoder.convs["head_1"].conv(unflatten(line, h, w).flatten(2)).unflatten(2, (h, w))  # type: ignore[operator]

    def _block(self, half: _Half, i: int, line: Tensor) -> Tensor:
        if self.spatial:
            line = half.convs[f"spatial_{i}"](line)
        return half.convs[f"channel_2_{i}"](half.convs[f"channel_1_{i}"](line))


class FlatPointConv(nn.Module):
    """A channel convolution n -> n whose Conv1d takes the channels as channels (kernel 1): the authors' second form."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 1)
        self.bn = nn.BatchNorm1d(channels)
        self.channels = channels

    def forward(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 n"]:
        x = line.view(line.shape[0], -1, self.channels).transpose(1, 2)  # b c (h w)
        x = self.bn(F.relu(self.conv(x)))
        return x.transpose(1, 2).reshape(line.shape[0], 1, -1)
