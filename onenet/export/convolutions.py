"""Exact algebra on convolutions: what stands before or after one moves into its weights.

An `Affine`, true = scale * stored + shift by channel, is a norm or standardisation that has not been computed. Whatever
reads the stored tensor does it instead. Every function returns new modules and leaves those given as they were. All
of it is in double precision.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Affine:
    """What a stored tensor stands for, by channel: scale * stored + shift."""

    scale: Float[Tensor, " c"]
    shift: Float[Tensor, " c"]

    @staticmethod
    def of_norm(norm: nn.BatchNorm2d) -> "Affine":
        """A batch norm in evaluation."""
        assert norm.running_mean is not None and norm.running_var is not None, "the networks' norms keep statistics"
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return Affine(scale, norm.bias - norm.running_mean * scale)

    @staticmethod
    def nothing(channels: int) -> "Affine":
        """The tensor itself."""
        return Affine(torch.ones(channels, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64))

    def after(self, first: "Affine") -> "Affine":
        """`first`, then this one."""
        return Affine(self.scale * first.scale, self.scale * first.shift + self.shift)

    def in_four(self) -> "Affine":
        """Of the channels that pixel-unshuffle by 2 makes."""
        return Affine(self.scale.repeat_interleave(4), self.shift.repeat_interleave(4))

    def shuffled(self, factor: int = 2) -> "Affine | None":
        """Of the channels that pixel-shuffle makes, where those that it brings together have one affine."""
        scale, shift = self.scale.view(-1, factor**2), self.shift.view(-1, factor**2)
        alike = bool((scale == scale[:, :1]).all() and (shift == shift[:, :1]).all())
        return Affine(scale[:, 0], shift[:, 0]) if alike else None

    @property
    def is_scale(self) -> bool:
        return not self.shift.any()

    @property
    def is_nothing(self) -> bool:
        return self.is_scale and bool((self.scale == 1).all())


class ByChannel(nn.Module):
    """An affine that nothing could take up: scale * x + shift."""

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        self.scale = nn.Parameter(affine.scale[:, None, None].clone(), requires_grad=False)
        self.shift = nn.Parameter(affine.shift[:, None, None].clone(), requires_grad=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x * self.scale + self.shift


class Shifted(nn.Module):
    """The part of an affine that a padded convolution cannot take up: x + shift, before zeros are put around it."""

    def __init__(self, shift: Float[Tensor, " c"]) -> None:
        super().__init__()
        self.shift = nn.Parameter(shift[:, None, None].clone(), requires_grad=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.shift


def convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor, **changes: object) -> nn.Conv2d:
    """A convolution like another one with weights and bias of its own."""
    sizes = dict(stride=like.stride, padding=like.padding, dilation=like.dilation, groups=like.groups) | changes
    channels = weight.shape[1] * int(sizes["groups"]), weight.shape[0]  # type: ignore[call-overload]
    conv = nn.Conv2d(*channels, tuple(weight.shape[2:]), dtype=weight.dtype, **sizes)  # type: ignore[arg-type]
    conv.weight, conv.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return conv


def bias_of(conv: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    """A convolution's bias, zeros where it has none."""
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias


def reading(conv: nn.Conv2d, affine: Affine) -> nn.Conv2d:
    """A convolution that reads what an affine stands for. With padding the affine must be a scale: zeros stay zeros."""
    per_group = conv.in_channels // conv.groups
    out_per_group = conv.out_channels // conv.groups
    scale, shift = (
        values.view(conv.groups, 1, per_group).expand(-1, out_per_group, -1).reshape(conv.out_channels, per_group)
        for values in (affine.scale, affine.shift)
    )  # the affine of each weight's input, o i/groups
    bias = bias_of(conv) + (conv.weight * shift[:, :, None, None]).sum((1, 2, 3))
    return convolution(conv, conv.weight * scale[:, :, None, None], bias)


def giving(conv: nn.Conv2d | nn.ConvTranspose2d, affine: Affine) -> nn.Conv2d | nn.ConvTranspose2d:
    """A convolution and an affine of its output as one."""
    bias = bias_of(conv) * affine.scale + affine.shift
    if isinstance(conv, nn.Conv2d):
        return convolution(conv, conv.weight * affine.scale[:, None, None, None], bias)
    made = copy.deepcopy(conv)
    scale = affine.scale.view(conv.groups, -1)  # of each weight's output, i o/groups
    by_input = scale.repeat_interleave(conv.in_channels // conv.groups, dim=0)
    made.weight = nn.Parameter((conv.weight * by_input[:, :, None, None]).detach())
    made.bias = nn.Parameter(bias.detach())
    return made


def strided(conv: nn.Conv2d) -> nn.Conv2d:
    """Pixel-unshuffle by 2 and a 1x1 convolution as one 2x2 convolution of stride 2: the same numbers."""
    weight = conv.weight[:, :, 0, 0].unflatten(1, (-1, 2, 2))
    return convolution(conv, weight, bias_of(conv), stride=2)


def unshuffling(conv: nn.ConvTranspose2d) -> nn.Conv2d:
    """A 2x2 transposed convolution of stride 2 as the 1x1 convolution that pixel-shuffle by 2 follows."""
    weight = conv.weight.permute(1, 2, 3, 0).flatten(0, 2)[:, :, None, None]  # o row column i -> 4o+phase i
    bias = bias_of(conv).repeat_interleave(4)
    return convolution(nn.Conv2d(1, 1, 1), weight, bias)
