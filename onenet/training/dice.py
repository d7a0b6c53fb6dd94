"""Dice loss: how little of each class's area, in the whole batch, is shared by the answer and the truth."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from onenet.training.truth import AllSum, alone, probability_of, truth_of


def dice_loss(
    logits: Float[Tensor, "b k h w"],
    mask: UInt8[Tensor, "b h w"],
    overlapping: bool = False,
    all_sum: AllSum = alone,
) -> Float[Tensor, ""]:
    """1 - soft Dice, over the batches of all processes together, mean over the classes that their masks hold.

    Soft Dice of a class is (2 * sum of p * truth + 1) / (sum of p + sum of truth + 1), over the counted pixels; 0 is
    the loss where no class occurs.
    """
    truth, counted = truth_of(mask, logits.shape[1], overlapping)
    probability = probability_of(logits, overlapping) * counted
    true = truth.to(logits.dtype)
    parts = (probability * true, probability + true, true)  # b k h w
    overlap, total, area = all_sum(torch.stack([part.sum((0, 2, 3)) for part in parts]))  # k each
    present = area > 0
    dice = torch.where(present, (2 * overlap + 1) / (total + 1), 0)
    return present.any().to(dice.dtype) - dice.sum() / present.sum().clamp(min=1)
