"""OneNet-X: the paper's rule, channel convolutions and pixel re-positioning and no 2D kernel, with eyes.

onenet-ed is cheap because it is blind: nothing outside a pixel's own 16x16 tile can change its class. Here each level
also looks along its rows and columns with short 1D kernels, one a channel (`onenet.layers.strip`).

    image
    1/2    unshuffle, channel conv, strip block                     1/2    shuffle, join, channel conv, strip block
    1/4    unshuffle, channel conv, strip block                     1/4    shuffle, join, channel conv, strip block
    1/8    unshuffle, channel conv, strip block                     1/8    shuffle, join, channel conv, strip block
    1/16   unshuffle, channel conv, strip blocks

    logits of 1/16 -> enlarged by 2 -> + logits of 1/8 -> enlarged by 2 -> + logits of 1/4 -> enlarged by 2
                   -> + logits of 1/2 -> enlarged by 2

It has U-Net's form, and every level of the way up says what it sees: the finer ones correct the coarser ones, as in
FCN-8s (Long et al. 2015), and the loss reaches all of them at once. Enlargements are 1D kernels and a shuffle
(`onenet.layers.enlarge`). onenet-x-n, the quick one, has neither blocks nor logits at 1/2; it enlarges by 4 at once.
Without a decoder the encoder's levels are summed; with `logits="finest"` only the last level of the decoder speaks.

A strip block is residual: ReLU(x + mix(ReLU(columns(rows(x))))), where mix is a channel convolution, or, with an
`expansion` above 1, narrow(ReLU(widen(...))) to so many times the channels and back. Norms come before activations, so
that all of them fold into the convolutions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.errors import ConfigError, did_you_mean
from onenet.layers.enlarge import Enlarge
from onenet.layers.shuffle import Shuffle, Unshuffle
from onenet.layers.strip import StripConv
from onenet.models.decoder import Decoder
from onenet.models.encoder import Encoder, conv_norm_act
from onenet.models.network import Network

LOGITS = ("every", "finest")
FARTHEST = 96  # pixels to each side: what exact tiles have to overlap by


@dataclass(frozen=True)
class Strips:
    """Kernels of a strip block: parallel lengths, the distance between their taps, and whether a ReLU follows them."""

    lengths: tuple[int, ...]
    dilation: int = 1
    relu: bool = False


class StripBlock(nn.Module):
    """Strip convolution [, ReLU] [, channel convolution to more channels, ReLU], channel convolution, sum, ReLU."""

    def __init__(self, channels: int, strips: Strips, expansion: int) -> None:
        super().__init__()
        self.strip = StripConv(channels, strips.lengths, strips.dilation)
        self.strip_act = nn.ReLU(inplace=True) if strips.relu else nn.Identity()
        widen = conv_norm_act(channels, expansion * channels, kernel=1) if expansion > 1 else ()
        self.widen = nn.Sequential(*widen)
        self.narrow = nn.Sequential(*conv_norm_act(expansion * channels, channels, kernel=1)[:2])
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.act(x + self.narrow(self.widen(self.strip_act(self.strip(x)))))


class UpBlock(nn.Module):
    """Shuffle, append the skip, channel convolution, strip blocks."""

    def __init__(self, channels: int, skip: int, out_channels: int, blocks: list[StripBlock]) -> None:
        super().__init__()
        self.up = Shuffle()
        self.channel = nn.Sequential(*conv_norm_act(channels // 4 + skip, out_channels, kernel=1))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Float[Tensor, "b c h w"], skip: Float[Tensor, "b s h2 w2"]) -> Float[Tensor, "b n h2 w2"]:
        return self.blocks(self.channel(torch.cat([self.up(x), skip], dim=1)))


class LevelSum(nn.Module):
    """Logits of every level: from the coarsest on enlarged by two and added to those of the next finer one.

    `logits` has the finest level first, `enlarge` the coarsest.

    Args:
        channels: of the levels, the finest first; each has half the height and width of the one before.
    """

    def __init__(self, channels: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.logits = nn.ModuleList(nn.Conv2d(c, num_classes, 1) for c in channels)
        self.enlarge = nn.ModuleList(Enlarge(num_classes, 2) for _ in channels[1:])

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "b k h w"]:
        levels = [logits(x) for logits, x in zip(self.logits, features[-len(self.logits) :], strict=True)]
        total = levels.pop()
        for enlarge in self.enlarge:
            total = levels.pop() + enlarge(total)
        return total


class SummedDecoder(nn.Module):
    """A decoder each of whose levels, the encoder's last one among them, has a say in the logits.

    Its parts are no `blocks` as `Decoder` has them, which auxiliary heads are put on: here every level has logits.

    Args:
        ups: take the features and the next finer level; the coarsest first.
        fused: sums the levels' logits.
    """

    def __init__(self, ups: list[UpBlock], fused: LevelSum) -> None:
        super().__init__()
        self.ups, self.fused = nn.ModuleList(ups), fused

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "b k h w"]:
        *finer, x = features
        levels = [x]
        for up in self.ups:
            x = up(x, finer.pop())
            levels.insert(0, x)
        return self.fused(levels)


def onenet_x(
    in_channels: int = 3,
    num_classes: int = 2,
    width: int = 80,
    deepest: int = 192,
    expansion: int = 2,
    encoder: str = "3r|3r|3r 3r 3r|3r 3r",
    decoder: str = "",
    logits: str = "finest",
) -> Network:
    """Build a OneNet-X. The defaults are the layout before, without a decoder, for cards that do not say.

    Args:
        width: channels at 1/4 of the size; twice as many at 1/8; at 1/2 a quarter of them, or half with four levels.
        deepest: channels at 1/16.
        expansion: how many times the channels a strip block computes with.
        encoder: strip blocks at 1/4, 1/8 and 1/16, or at 1/2 and those: a word a block, "|" between the levels. A word
            is the kernel's length, parallel lengths with "+", the dilation after "x", at the end "r" for a ReLU after
            the kernels: "3r", "9+3", "3x2r".
        decoder: likewise at 1/8, 1/4 and, with four levels, 1/2; "" leaves it out and sums the levels' logits.
        logits: with a decoder those of "every" level, summed, or of the "finest"; without one always those of every.

    Raises:
        ConfigError: a layout that cannot be read, or one that looks farther than 96 pixels.
    """
    down = parse_layout("encoder", encoder, 3, 4)
    up = parse_layout("decoder", decoder, 2, 3) if decoder else []
    if up and len(up) != len(down) - 1:
        needed = "|".join(["3r"] * (len(down) - 1))
        found = f"decoder={decoder!r}: has {len(up)} levels; beside the {len(down)} of encoder={encoder!r}"
        raise ConfigError(f"{found} it needs one fewer, as {needed}, or none (decoder=)")
    if logits not in LOGITS:
        raise ConfigError(f"logits={logits!r}: {did_you_mean(logits, LOGITS)}")
    every = logits == "every" or not up
    if (reach := reach_of(down, up, every)) > FARTHEST:
        raise ConfigError(f"encoder={encoder!r}, decoder={decoder!r}: look {reach} pixels far; at most {FARTHEST}")
    for key, value in (("width", width), ("deepest", deepest)):
        if value % 4:
            raise ConfigError(f"{key}={value}: must be a multiple of 4, since shuffling leaves a quarter")
    has_half = len(down) == 4
    at_half, *coarser = down if has_half else [(), *down]
    widths = (width // 2 if has_half else width // 4, width, 2 * width, deepest)

    def blocks(channels: int, level: tuple[Strips, ...]) -> list[StripBlock]:
        return [StripBlock(channels, strips, expansion) for strips in level]

    def entrance(channels: int, out_channels: int) -> list[nn.Module]:
        return [Unshuffle(), *conv_norm_act(4 * channels, out_channels, kernel=1)]

    stem = nn.Sequential(*entrance(in_channels, widths[0]), *blocks(widths[0], at_half))
    levels: list[nn.Module] = [
        nn.Sequential(*entrance(c, n), *blocks(n, level))
        for c, n, level in zip(widths, widths[1:], coarser, strict=False)
    ]
    speaking = widths if has_half else widths[1:]  # channels of the levels that have blocks, the finest first
    ups = [
        UpBlock(c, skip, skip, blocks(skip, level))
        for c, skip, level in zip(speaking[:0:-1], speaking[-2::-1], up, strict=False)
    ]
    encode, enlarge = Encoder(stem, levels), Enlarge(num_classes, 2 if has_half else 4)
    if every:
        fused = LevelSum(speaking, num_classes)
        return Network(encode, SummedDecoder(ups, fused) if ups else fused, enlarge, in_channels, stride=16)
    head = nn.Sequential(nn.Conv2d(speaking[0], num_classes, 1), enlarge)
    return Network(encode, Decoder(nn.Identity(), [*ups], skips=len(ups)), head, in_channels, stride=16)


def parse_layout(key: str, text: str, *levels: int) -> list[tuple[Strips, ...]]:
    """The strip blocks of each level.

    Args:
        levels: how many it may have.

    Raises:
        ConfigError: the text is no layout of so many levels.
    """
    parts = text.split("|")
    if len(parts) not in levels:
        needed = " or ".join(str(count) for count in levels)
        found, example = f"{len(parts)} level{'s' if len(parts) > 1 else ''}", "|".join(["3r"] * levels[0])
        raise ConfigError(f"{key}={text!r}: has {found}, separated by |; it needs {needed}, for example {example}")
    return [tuple(_strips(key, text, word) for word in part.split()) for part in parts]


def _strips(key: str, text: str, word: str) -> Strips:
    kernels, _, dilation = word.removesuffix("r").partition("x")
    try:
        lengths, distance = tuple(int(length) for length in kernels.split("+")), int(dilation or 1)
    except ValueError:
        lengths, distance = (), 0
    if distance < 1 or not lengths or any(length < 1 or length % 2 == 0 for length in lengths):
        form = "odd lengths as 3 or 9+3, a dilation as 3x2, r for a ReLU as 3r"
        raise ConfigError(f"{key}={text!r}: {word!r} is no block; {form}")
    return Strips(lengths, distance, word.endswith("r"))


def reach_of(encoder: list[tuple[Strips, ...]], decoder: list[tuple[Strips, ...]], every: bool) -> int:
    """How many pixels beyond its own 16x16 tile a class can depend on.

    Followed from the logits of each level back to the image: a kernel adds its reach in places of its level, an
    enlargement one place, and a coarser level's places are seen whole.

    Args:
        every: whether every level has logits, rather than the finest alone.
    """
    scales = (2, 4, 8, 16)[-len(encoder) :]
    down = [*zip(scales[::-1], [_taps(level) for level in encoder[::-1]], strict=True)]
    up = [*zip(scales, [_taps(level) for level in decoder[::-1]], strict=False)]
    reaches = []
    for level in range(len(scales) if every else 1):
        reach = 0
        for scale, places in (*[(scale, 1) for scale in scales[: level + 1]], *up[level:], *down):
            reach = -(-reach // scale) * scale + scale * places
        reaches.append(reach)
    return max(reaches)


def _taps(level: tuple[Strips, ...]) -> int:
    """How many places far the blocks of a level look."""
    return sum(max(strips.lengths) // 2 * strips.dilation for strips in level)
