"""The flat form: onenet-ed as matrix products over pixels in Z-order (paper 3.1, Algorithm 1, taken to its end).

Put the pixels of each 2^depth x 2^depth tile into Morton order (onenet.deploy.morton), a pixel a row. Then the four
pixels that pixel-unshuffle stacks are four rows that follow each other, and the network is

    pixel-unshuffle      n c -> n/4 4c         a view: nothing moves
    pixel-shuffle        n 4c -> 4n c          a view
    channel convolution  n c -> n m            one matrix product
    skip                 n c, n s -> n (c+s)   two blocks of columns

with no shuffle, transpose, padding or norm left. Norms are folded into the products on both of their sides
(onenet.export.products). Where a pixel-shuffle stands between, each of its four phases has a norm of its own, but the
reader one weight for all: so the layer before also says which phase a row is, in four columns of zeros and ones, whose
weights are what the norms add; and a channel whose phases differ in sign is two columns, one added, one subtracted.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.errors import ExportError
from onenet.export.products import Affine, normalised, reading, reading_joined, shuffled
from onenet.layers.channel import ChannelConv
from onenet.layers.shuffle import Unshuffle
from onenet.layers.spatial import SpatialConv
from onenet.models.decoder import Decoder, UpBlock1D
from onenet.models.encoder import DownBlock, Encoder
from onenet.models.network import MEAN, STD, Network


class FlatForm(nn.Module):
    """A OneNet with 1D encoder and decoder as matrix products: pixels (n, c) in [0, 1] in, logits (n, k) out.

    Rows are whole tiles of `tile` x `tile` pixels in Morton order. No tile sees another, so they may come in any number
    and order. The network itself is not changed.

    Args:
        network: from `onenet.load` or `create_model`; its norms are taken as in evaluation.
        dtype: precision of the new weights; the folding is computed in double precision.

    Raises:
        ExportError: the network has 2D or spatial convolutions.
    """

    def __init__(self, network: Network, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        chain = _chain_of(network)
        self.tile = network.stride
        self.entering = 4 if chain.halves else 1  # pixels that the stem takes in one row
        self.leaving = 4 if chain.repeats else 1  # pixels that share their logits
        self.skips = chain.skips
        with torch.no_grad():
            self._build_decoder(chain, self._build_encoder(chain, network.in_channels))
        self.to(dtype).eval()

    def forward(self, pixels: Float[Tensor, "n c"]) -> Float[Tensor, "m k"]:
        levels = [self.stem(_gathered(pixels, self.entering))]
        for down in self.downs:
            levels.append(down(_gathered(levels[-1], 4)))  # n/4 2c
        x = self.first(levels[-1])
        for depth, up in enumerate(self.ups):
            x = x.reshape(4 * x.shape[0], -1)  # 4n c
            x = up(torch.cat([x, levels[-2 - depth]], dim=1) if depth < self.skips else x)
        logits = self.head(x)
        return logits if self.leaving == 1 else logits.repeat_interleave(4, dim=0)

    def _build_encoder(self, chain: "_Chain", in_channels: int) -> list[Affine]:
        """Make `stem` and `downs`; returns what each level's columns stand for, the finest first."""
        ones = torch.ones(in_channels, dtype=torch.float64)
        standardised = Affine(ones / STD, ones * -MEAN / STD)
        self.stem, affine = _products(chain.stem, standardised, unshuffled=chain.halves)
        levels = [affine]
        self.downs = nn.ModuleList()
        for block in chain.downs:
            down, affine = _products([block.channel_1, block.channel_2], levels[-1], unshuffled=True)
            self.downs.append(down)
            levels.append(affine)
        return levels

    def _build_decoder(self, chain: "_Chain", levels: list[Affine]) -> None:
        """Make `first`, `ups` and `head`."""
        product, affine = normalised(reading(chain.first.conv, levels[-1]), chain.first)
        product, phased = shuffled(product, affine)
        self.first = nn.Sequential(*product.layers())
        self.ups = nn.ModuleList()
        for depth, block in enumerate(chain.ups):
            skip = levels[-2 - depth] if depth < chain.skips else None
            product, affine = normalised(reading_joined(block.channel_1.conv, phased, skip), block.channel_1)
            layers = product.layers()
            product, affine = normalised(reading(block.channel_2.conv, affine), block.channel_2)
            if depth + 1 < len(chain.ups):
                product, phased = shuffled(product, affine)
            self.ups.append(nn.Sequential(*layers, *product.layers()))
        self.head = nn.Sequential(*reading(chain.head, affine).layers())


class _Chain(NamedTuple):
    """The parts of a network that is a chain of channel convolutions."""

    halves: bool  # the stem unshuffles
    stem: list[ChannelConv]
    downs: list[DownBlock]
    first: ChannelConv
    ups: list[UpBlock1D]
    skips: int
    head: nn.Conv2d
    repeats: bool  # each pixel of the logits is repeated to full size


def _chain_of(network: Network) -> _Chain:
    encoder, decoder = network.encoder, network.decoder
    name = network.card.architecture if network.card else type(network).__name__
    refusal = f"{name} has %s convolutions; the flat form is that of onenet-ed without them, so use the conv form"
    if any(isinstance(part, SpatialConv) for part in network.modules()):
        raise ExportError(refusal % "spatial")
    if not (isinstance(encoder, Encoder) and isinstance(decoder, Decoder) and isinstance(decoder.first, ChannelConv)):
        raise ExportError(refusal % "2D")
    stem = list(encoder.stem.children())
    convs = [part for part in stem if isinstance(part, ChannelConv)]
    downs = [block for block in encoder.blocks if isinstance(block, DownBlock)]
    ups = [block for block in decoder.blocks if isinstance(block, UpBlock1D)]
    if not downs or len(ups) < len(decoder.blocks):
        raise ExportError(refusal % "2D")
    repeats = isinstance(network.head, nn.Sequential)
    head = next(part for part in network.head.modules() if isinstance(part, nn.Conv2d))
    return _Chain(isinstance(stem[0], Unshuffle), convs, downs, decoder.first, ups, decoder.skips, head, repeats)


def _products(channels: list[ChannelConv], affine: Affine, unshuffled: bool) -> tuple[nn.Sequential, Affine]:
    """Channel convolutions one after the other, the first one after a pixel-unshuffle where `unshuffled`."""
    layers: list[nn.Module] = []
    for channel in channels:
        product, affine = normalised(reading(channel.conv, affine, unshuffled), channel)
        layers += product.layers()
        unshuffled = False
    return nn.Sequential(*layers), affine


def _gathered(pixels: Float[Tensor, "n c"], count: int) -> Float[Tensor, "m d"]:
    """`count` rows that follow each other as one."""
    return pixels if count == 1 else pixels.reshape(-1, count * pixels.shape[1])
