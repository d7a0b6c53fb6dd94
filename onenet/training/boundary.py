"""Boundary loss: how far from the true outline the probability of a class lies. For small or thin things.

Kervadec et al. 2019, "Boundary loss for highly unbalanced segmentation": the mean over the pixels of p * distance,
where the distance to the outline is negative inside the class. It is meant to be added to another loss, such as Dice.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from onenet.training.truth import AllSum, alone, probability_of, truth_of


def boundary_loss(
    logits: Float[Tensor, "b k h w"],
    mask: UInt8[Tensor, "b h w"],
    overlapping: bool = False,
    all_sum: AllSum = alone,
) -> Float[Tensor, ""]:
    """Mean of p * signed distance over the counted pixels, images and classes with an outline; within (-1, 1).

    Distances are in units of the image's diagonal. A class that fills an image, or is not in it, has no outline there
    and is left out of the mean. All classes are taken, the background too: for two that is twice the loss of one
    and a constant. Distances are per image, so the sums that `all_sum` makes give exactly the loss of the whole batch.

    The distance maps are made on the CPU by scipy, at every step: about 5 ms for a class in an image of 256 x 256.
    """
    truth, counted = truth_of(mask, logits.shape[1], overlapping)
    maps = [
        [signed_distance(here, known) for here in classes]
        for classes, (known,) in zip(truth.cpu().numpy(), counted.cpu().numpy(), strict=True)
    ]
    distance = torch.from_numpy(np.array(maps)).to(logits)  # b k h w
    outlined = (distance != 0).any(dim=3).any(dim=2)[:, :, None, None]  # b k 1 1
    total = (probability_of(logits, overlapping) * distance * counted).sum()
    pixels = (outlined * counted).sum().to(total.dtype)
    total, pixels = all_sum(torch.stack([total, pixels]))
    return total / pixels.clamp(min=1)


def signed_distance(truth: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each pixel (h, w) to the outline of `truth`, in diagonals of the image; negative inside.

    The outline runs half-way between pixels of the class and counted pixels outside it; pixels that are not counted are
    neither. All zeros where there is no outline.
    """
    outside = counted & ~truth
    if not truth.any() or not outside.any():
        return np.zeros(truth.shape, np.float32)
    signed = np.where(truth, 0.5 - distance_transform_edt(~outside), distance_transform_edt(~truth) - 0.5)
    return (signed / np.hypot(*truth.shape)).astype(np.float32)
