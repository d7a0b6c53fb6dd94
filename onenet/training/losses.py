"""What training makes small: cross-entropy and Dice, in a weighted sum. Pixels of 255 count in neither."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from onenet.images import IGNORED


def dice_loss(logits: Float[Tensor, "b k h w"], mask: UInt8[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """1 - soft Dice, over the whole batch, mean over the classes that the batch's masks hold."""
    counted = mask != IGNORED
    probability = logits.float().softmax(1) * counted[:, None]
    truth = F.one_hot(torch.where(counted, mask, 0).long(), logits.shape[1]).permute(0, 3, 1, 2) * counted[:, None]
    overlap = (probability * truth).sum((0, 2, 3))  # k
    total = (probability + truth).sum((0, 2, 3))  # k
    present = truth.sum((0, 2, 3)) > 0
    dice = torch.where(present, (2 * overlap + 1) / (total + 1), 0.0)
    return 1 - dice.sum() / present.sum().clamp(min=1)


class SegmentationLoss(nn.Module):
    """`cross_entropy` * weighted cross-entropy + `dice` * Dice loss.

    `background_weight` is the weight of the pixels of class `background` in the cross-entropy (paper: a quarter);
    without a background class all weigh the same.
    """

    def __init__(
        self, num_classes: int, background: int | None, background_weight: float, cross_entropy: float, dice: float
    ) -> None:
        super().__init__()
        weight = torch.ones(num_classes)
        if background is not None:
            weight[background] = background_weight
        self.weight: Tensor
        self.register_buffer("weight", weight)
        self.cross_entropy, self.dice = cross_entropy, dice

    def forward(self, logits: Float[Tensor, "b k h w"], mask: UInt8[Tensor, "b hm wm"]) -> Float[Tensor, ""]:
        if mask.shape[1:] != logits.shape[2:]:  # a network that leaves its logits at half size
            mask = F.interpolate(mask[:, None], size=logits.shape[2:], mode="nearest-exact")[:, 0]
        loss = logits.new_zeros((), dtype=torch.float32)
        if self.cross_entropy:
            entropy = F.cross_entropy(
                logits.float(), mask.long(), weight=self.weight, ignore_index=IGNORED, reduction="sum"
            )
            weights = self.weight[mask[mask != IGNORED].long()].sum()
            loss = loss + self.cross_entropy * entropy / weights.clamp(min=1e-6)
        if self.dice:
            loss = loss + self.dice * dice_loss(logits, mask)
        return loss
