"""Lovasz loss: the Jaccard loss (1 - IoU) of a class, made continuous in the errors of its pixels.

Sort the pixels by error, the largest first. Counting them as wrong one after the other lets the Jaccard loss rise from
0 to 1; the loss is the sum of error * rise. Berman et al. 2018, "The Lovasz-Softmax loss: a tractable surrogate for
the optimization of the intersection-over-union measure in neural networks".

With G true pixels, when i of them and j others have been counted, J = 1 - (G - i) / (G + j). Its rises in closed form

    at a true pixel     1 / (G + j)
    at another one      (G - i) / ((G + j) (G + j - 1))        j after it is counted

lose no digits where millions of pixels make each of them tiny, as differences of neighbouring J in float32 would.
"""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from onenet.training.truth import AllSum, alone, probability_of, truth_of


def lovasz_loss(
    logits: Float[Tensor, "b k h w"],
    mask: UInt8[Tensor, "b h w"],
    overlapping: bool = False,
    all_sum: AllSum = alone,
) -> Float[Tensor, ""]:
    """Lovasz-softmax over the whole batch, mean over the classes that occur in it; 0 where none does.

    A pixel's error is |truth - p|; where classes overlap it is the hinge 1 - logit * (1 where the class is, else -1).

    Errors cannot be sorted across processes: each takes the classes of its own batch, and the loss is the mean over
    these (value and number are summed by `all_sum`). On several devices it is therefore not quite the loss of one.
    """
    truth, counted = truth_of(mask, logits.shape[1], overlapping)
    true = truth.to(logits.dtype)
    errors = 1 - logits * (2 * true - 1) if overlapping else (true - probability_of(logits, overlapping)).abs()
    errors = torch.where(counted, errors, -1)  # behind all that is wrong
    errors, order = errors.transpose(0, 1).flatten(1).sort(dim=1, descending=True)  # k n
    truth = truth.transpose(0, 1).flatten(1).gather(1, order)
    losses = (errors.clamp(min=0) * jaccard_rises(truth, errors.dtype)).sum(1)  # k
    present = truth.any(1)
    value, count = all_sum(torch.stack([torch.where(present, losses, 0).sum(), present.sum().to(losses.dtype)]))
    return value / count.clamp(min=1)


def jaccard_rises(truth: Bool[Tensor, "k n"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "k n"]:
    """By how much the Jaccard loss of a class rises as its pixels are counted as wrong, from the left to the right."""
    found = truth.long()  # whole numbers: exact for any number of pixels
    area = found.sum(1, keepdim=True)
    left = (area - found.cumsum(1)).to(dtype)  # true pixels that are still right
    union = area + (1 - found).cumsum(1)
    before = (union - 1).clamp(min=1).to(dtype)
    union = union.clamp(min=1).to(dtype)
    return torch.where(truth, 1 / union, left / union / before)
