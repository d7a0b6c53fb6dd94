"""Channel convolutions as matrix products without norms: the algebra of the flat form.

What a norm would do to a layer's output is not done but kept as an `Affine`, true = sign * stored + shift, one pair a
channel, and done by the weights of whatever reads the output:

    stored  s relu(z) + t  =  sign(s) relu(|s| z) + t        |s| goes into the product itself
    read    W (sign * y + shift) + b  =  (W sign) y + (b + W shift)

Everything is computed in double precision.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.layers.channel import ChannelConv


@dataclass(frozen=True)
class Affine:
    """What a stored matrix stands for, by channel: sign * stored + shift."""

    sign: Float[Tensor, " c"]
    shift: Float[Tensor, " c"]


@dataclass(frozen=True)
class Product:
    """rows @ weight.T + bias, and ReLU where `act`."""

    weight: Float[Tensor, "n c"]
    bias: Float[Tensor, " n"]
    act: bool

    def layers(self) -> list[nn.Module]:
        """The product as modules, in double precision."""
        linear = nn.Linear(self.weight.shape[1], self.weight.shape[0], dtype=torch.float64)
        linear.weight.copy_(self.weight)
        linear.bias.copy_(self.bias)
        return [linear, nn.ReLU()] if self.act else [linear]


def reading(conv: nn.Conv2d, affine: Affine, unshuffled: bool = False) -> Product:
    """A 1x1 convolution that reads what an affine stands for.

    With `unshuffled`, a row is four pixels of that: phase by phase, where torch's pixel-unshuffle has 4c + phase.
    """
    weight, bias = matrix(conv)
    if unshuffled:
        weight, affine = phases_first(weight.T).T, Affine(affine.sign.repeat(4), affine.shift.repeat(4))
    return Product(weight * affine.sign, bias + weight @ affine.shift, act=False)


def normalised(product: Product, channel: ChannelConv) -> tuple[Product, Affine]:
    """A channel convolution's ReLU and norm after its product: the product to compute, and what it stands for."""
    if not isinstance(channel.norm, nn.BatchNorm2d):  # the plain top
        ones = torch.ones_like(product.bias)
        return product, Affine(ones, 0 * ones)
    scale, shift = scale_and_shift(channel.norm)
    size = scale.abs()
    return Product(product.weight * size[:, None], product.bias * size, act=True), Affine(scale.sign(), shift)


@dataclass(frozen=True)
class Phased:
    """How the columns that a pixel-shuffle makes of a layer's outputs stand for channels.

    The columns are channels `channel` with their `sign`, then one for each of the four phases, 1 in its own rows.
    """

    channel: Tensor
    sign: Tensor
    shift: Float[Tensor, "c 4"]


def reading_joined(conv: nn.Conv2d, up: Phased, skip: Affine | None) -> Product:
    """A 1x1 convolution that reads shuffled channels and, after them, those of a skip."""
    weight, bias = matrix(conv)
    from_up, from_skip = weight[:, : len(up.shift)], weight[:, len(up.shift) :]
    columns = [from_up[:, up.channel] * up.sign, from_up @ up.shift]
    if skip is not None:
        columns.append(from_skip * skip.sign)
        bias = bias + from_skip @ skip.shift
    return Product(torch.cat(columns, dim=1), bias, act=False)


def shuffled(product: Product, affine: Affine) -> tuple[Product, Phased]:
    """A product whose rows are the columns of four pixels, phase by phase, so that a view shuffles them."""
    sign, shift = affine.sign.view(-1, 4), affine.shift.view(-1, 4)  # c 4
    up, down = (~(sign < 0).all(1)).nonzero()[:, 0], (sign < 0).any(1).nonzero()[:, 0]
    channel = torch.cat([up, down])
    signs = torch.cat([torch.ones_like(up), -torch.ones_like(down)]).double()
    counted = torch.where(signs[:, None] > 0, sign[channel] >= 0, sign[channel] < 0).T  # 4 m: which phases it holds
    weight = product.weight.view(-1, 4, product.weight.shape[1])[channel].transpose(0, 1) * counted[..., None]  # 4 m c
    bias = product.bias.view(-1, 4)[channel].T * counted
    weight = torch.cat([weight, weight.new_zeros(4, 4, weight.shape[2])], dim=1)
    bias = torch.cat([bias, torch.eye(4, dtype=bias.dtype)], dim=1)
    return Product(weight.flatten(0, 1), bias.flatten(), product.act), Phased(channel, signs, shift)


def matrix(conv: nn.Conv2d) -> tuple[Float[Tensor, "n c"], Float[Tensor, " n"]]:
    """A 1x1 convolution's weights and bias in double precision."""
    weight = conv.weight[:, :, 0, 0].double()
    return weight, weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.double()


def phases_first(channels: Tensor) -> Tensor:
    """From torch's order of unshuffled channels (4c + phase) along the first axis to the matrix's (phase by phase)."""
    return channels.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """A batch norm in evaluation as scale * x + shift, in double precision."""
    assert norm.running_mean is not None and norm.running_var is not None, "the networks' norms keep statistics"
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale
