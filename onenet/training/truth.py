"""What every loss compares: how likely each class is at each pixel, where it truly is, and which pixels count."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from onenet.images import IGNORED

AllSum = Callable[[Tensor], Tensor]


def alone(part: Tensor) -> Tensor:
    """The sum over all processes where there is but one: `part` itself."""
    return part


def label_of(mask: UInt8[Tensor, "b h w"]) -> tuple[Int64[Tensor, "b h w"], Bool[Tensor, "b h w"]]:
    """The class index of each pixel, 0 where it is not counted; and where it is counted."""
    counted = mask != IGNORED
    return torch.where(counted, mask, 0).long(), counted


def truth_of(
    mask: UInt8[Tensor, "b h w"], num_classes: int, overlapping: bool
) -> tuple[Bool[Tensor, "b k h w"], Bool[Tensor, "b 1 h w"]]:
    """Where each class is, of the pixels that are counted; and which these are."""
    counted = (mask != IGNORED)[:, None]
    index = torch.arange(num_classes, device=mask.device)[:, None, None]  # k 1 1
    code = mask[:, None].long()
    present = (code >> index) % 2 == 1 if overlapping else code == index
    return present & counted, counted


def probability_of(logits: Float[Tensor, "b k h w"], overlapping: bool) -> Float[Tensor, "b k h w"]:
    """A softmax over the classes, or a sigmoid for each of them where they may overlap."""
    return logits.sigmoid() if overlapping else logits.softmax(1)
