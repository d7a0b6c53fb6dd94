"""Losses that ask every pixel by itself: cross-entropy and focal loss, as weighted means over the counted pixels.

    one class a pixel      sum of weight[class] * loss(pixel)        / sum of weight[class]
    overlapping classes    sum of weight[c] * loss(pixel, class c)   / sum of weight[c], over pixels and classes

Both sums run over all processes, so a pixel weighs the same wherever it lies.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from onenet.images import IGNORED
from onenet.training.truth import AllSum, alone, label_of, truth_of

SMALLEST = 1e-12  # of 1 - p in the focal loss: a power below 1 has an endless slope at 0


def cross_entropy_loss(
    logits: Float[Tensor, "b k h w"],
    mask: UInt8[Tensor, "b h w"],
    weight: Float[Tensor, " k"],
    overlapping: bool = False,
    all_sum: AllSum = alone,
) -> Float[Tensor, ""]:
    """-log p of the true class; of overlapping classes, -log p where they are and -log (1 - p) where they are not."""
    if overlapping:
        truth, counted = truth_of(mask, logits.shape[1], overlapping)
        losses = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
        return _weighted_mean(losses, weight[:, None, None] * counted, all_sum)
    entropy = F.cross_entropy(logits, mask.long(), weight=weight, ignore_index=IGNORED, reduction="sum")
    label, counted = label_of(mask)
    return _quotient(entropy, (weight[label] * counted).sum(), all_sum)


def focal_loss(
    logits: Float[Tensor, "b k h w"],
    mask: UInt8[Tensor, "b h w"],
    weight: Float[Tensor, " k"],
    gamma: float = 2.0,
    overlapping: bool = False,
    all_sum: AllSum = alone,
) -> Float[Tensor, ""]:
    """The cross-entropy with each term times (1 - p)^gamma, p the probability of what is true there.

    Lin et al. 2017, "Focal Loss for Dense Object Detection"; `weight` is their alpha, and `gamma` 0 is the
    cross-entropy.
    """
    if overlapping:
        truth, counted = truth_of(mask, logits.shape[1], overlapping)
        log_p = F.logsigmoid(torch.where(truth, logits, -logits))  # b k h w
        weights = weight[:, None, None] * counted
    else:
        label, counted = label_of(mask)
        log_p = logits.log_softmax(1).gather(1, label[:, None])[:, 0]  # b h w
        weights = weight[label] * counted
    missing = (-torch.expm1(log_p)).clamp(min=SMALLEST)  # 1 - p without cancellation
    return _weighted_mean(missing**gamma * -log_p, weights, all_sum)


def _weighted_mean(losses: Tensor, weights: Tensor, all_sum: AllSum) -> Tensor:
    return _quotient((losses * weights).sum(), weights.expand_as(losses).sum(), all_sum)


def _quotient(above: Tensor, below: Tensor, all_sum: AllSum) -> Tensor:
    above, below = all_sum(torch.stack([above, below]))
    return above / torch.where(below > 0, below, 1)
