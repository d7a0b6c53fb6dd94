"""What training makes small: a weighted sum of losses, each in a file of its own.

    cross-entropy, focal   pixelwise.py        Dice   dice.py        Lovasz   lovasz.py        boundary   boundary.py

Pixels of 255 count in none of them. All are computed in float32, whatever precision the network has.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from onenet.config import LossConfig
from onenet.errors import ConfigError
from onenet.training.boundary import boundary_loss
from onenet.training.dice import dice_loss
from onenet.training.lovasz import lovasz_loss
from onenet.training.pixelwise import cross_entropy_loss, focal_loss
from onenet.training.truth import AllSum, alone


class SegmentationLoss(nn.Module):
    """The losses of a recipe's [loss] table, in a weighted sum.

    Args:
        num_classes: channels of the logits.
        background: index of the class whose pixels weigh `config.background_weight` in the cross-entropy and the focal
            loss (paper: a quarter); None where there is none.
        config: the table.
        overlapping: masks are bit codes of at most 7 classes that may overlap; a sigmoid per class, no softmax.
        class_weights: of the same two losses, one per class, beside those of `config` (see `weights.balance_weights`).
        all_sum: adds up a tensor over all processes of a distributed run, and in the backward pass its gradient too
            (see distributed.py). Then every process has the loss of the whole batch, and the mean of their gradients
            is the gradient of that loss. Only the Lovasz loss is a mean over processes. It is called in the same order
            in all of them.

    Attributes:
        class_weights: the product of all these weights, which is what is used.

    Raises:
        ConfigError: nothing is to be minimised, or there are not as many weights as classes.
    """

    def __init__(
        self,
        num_classes: int,
        background: int | None,
        config: LossConfig,
        overlapping: bool = False,
        class_weights: Sequence[float] | None = None,
        all_sum: AllSum = alone,
    ) -> None:
        super().__init__()
        if not (config.cross_entropy or config.dice or config.focal or config.lovasz or config.boundary):
            raise ConfigError("loss: all losses have weight 0; set one above 0, for example loss.cross_entropy=1")
        if config.class_weights and len(config.class_weights) != num_classes:
            raise ConfigError(
                f"loss.class_weights has {len(config.class_weights)} weights, but there are {num_classes} classes; "
                "give one for each, or [] for 1 each"
            )
        weights = np.array(config.class_weights or [1.0] * num_classes)
        if background is not None:
            weights[background] *= config.background_weight
        if class_weights is not None:
            weights *= class_weights
        if not weights.any() and (config.cross_entropy or config.focal):
            raise ConfigError(
                "loss: every class weighs 0 in the cross-entropy; raise loss.class_weights or loss.background_weight"
            )
        self.class_weights: tuple[float, ...] = tuple(weights.tolist())
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor(self.class_weights))
        self.config, self.overlapping, self.all_sum = config, overlapping, all_sum

    def forward(
        self, logits: Tensor | list[Tensor] | tuple[Tensor, ...], mask: UInt8[Tensor, "b hm wm"]
    ) -> Float[Tensor, ""]:
        """The loss of logits (b, k, h, w), or of [logits, *those of auxiliary heads], for masks of any size.

        Larger logits are averaged down to the masks' size, larger masks are brought to the logits' by nearest
        neighbour. The auxiliary heads add the mean of their losses times `config.auxiliary`.
        """
        main, *others = [logits] if isinstance(logits, Tensor) else logits
        loss = self._of(main, mask)
        if others:
            loss = loss + self.config.auxiliary * torch.stack([self._of(other, mask) for other in others]).mean()
        return loss

    def _of(self, logits: Float[Tensor, "b k h w"], mask: UInt8[Tensor, "b hm wm"]) -> Float[Tensor, ""]:
        logits, mask = brought_together(logits if logits.dtype == torch.float64 else logits.float(), mask)
        config, weight, rest = self.config, self.weight.to(logits.dtype), (self.overlapping, self.all_sum)
        loss = logits.new_zeros(())
        if config.cross_entropy:
            loss = loss + config.cross_entropy * cross_entropy_loss(logits, mask, weight, *rest)
        if config.dice:
            loss = loss + config.dice * dice_loss(logits, mask, *rest)
        if config.focal:
            loss = loss + config.focal * focal_loss(logits, mask, weight, config.focal_gamma, *rest)
        if config.lovasz:
            loss = loss + config.lovasz * lovasz_loss(logits, mask, *rest)
        if config.boundary:
            loss = loss + config.boundary * boundary_loss(logits, mask, *rest)
        return loss


def brought_together(
    logits: Float[Tensor, "b k h w"], mask: UInt8[Tensor, "b hm wm"]
) -> tuple[Float[Tensor, "b k hs ws"], UInt8[Tensor, "b hs ws"]]:
    """Both at the smaller size of the two: logits averaged over areas, labels of the nearest pixel.

    Logits are larger where a network gives them at the image's size and masks have a size of their own
    (`data.mask_size`); masks are, where it leaves them at half size and for auxiliary heads.
    """
    size = [min(pair) for pair in zip(logits.shape[2:], mask.shape[1:], strict=True)]
    if list(logits.shape[2:]) != size:
        logits = F.interpolate(logits, size=size, mode="area")
    if list(mask.shape[1:]) != size:
        mask = F.interpolate(mask[:, None], size=size, mode="nearest-exact")[:, 0]
    return logits, mask
