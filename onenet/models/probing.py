"""How far a network looks, found by trying: a stride of rows of NaN goes in, and where logits are NaN they saw it.

NaN goes through every product and sum, whatever the weights are; a change of values would be lost in a dead ReLU.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from onenet.deploy.runner import Halo
from onenet.errors import ExportError

_LEAST, _GROWTH, _MOST = 512, 3, 16_000  # pixels of the images that are tried, until what is seen ends inside
_BREADTH = 1  # strides of their other side


def probed_halo(model: nn.Module, stride: int, channels: int) -> Halo:
    """How far the logits of a block of whole strides look beyond it.

    Args:
        model: images (b, c, h, w) to logits; a copy of it is tried in evaluation mode, in float64, in which no
            algorithm for convolutions mixes neighbouring results (Winograd) and spreads NaN too far.
        stride: of the model.
        channels: of its images.

    Raises:
        ExportError: each row of the logits depends on all rows of the image.
    """
    model = copy.deepcopy(model).cpu().double().eval()
    top, bottom = _beyond(model, stride, channels, axis=0) or _refuse()
    columns = _beyond(model, stride, channels, axis=1)
    left, right = columns or (0, 0)
    return Halo(top * stride, bottom * stride, left * stride, right * stride, whole_rows=columns is None)


def _refuse() -> tuple[int, int]:
    raise ExportError("the network's rows depend on all rows of an image, so it cannot be cut into tiles")


def _beyond(model: nn.Module, stride: int, channels: int, axis: int) -> tuple[int, int] | None:
    """How many strides a block looks beyond its beginning and its end along an axis; None: to the other end."""
    count = 0
    while count * stride < _MOST:
        count = max(_GROWTH * count, _LEAST // stride, 16) | 1
        middle = count // 2
        seen = np.flatnonzero(_reached(model, stride, channels, axis, count, middle))
        if seen.min() > 0 and seen.max() < count - 1:
            break
    else:
        return None
    ends = _reached(model, stride, channels, axis, count, 0), _reached(model, stride, channels, axis, count, count - 1)
    if ends[0][-1] or ends[1][0]:  # rows that run on into the next, or an image closed to a ring
        return None
    return int(seen.max()) - middle, middle - int(seen.min())


def _reached(model: nn.Module, stride: int, channels: int, axis: int, count: int, place: int) -> NDArray[np.bool_]:
    """Which of `count` strides of logits see the stride of the image at `place`."""
    size = (count, _BREADTH) if axis == 0 else (_BREADTH, count)
    image = torch.full((1, channels, *(n * stride for n in size)), 0.5, dtype=torch.float64)
    image.narrow(2 + axis, place * stride, stride).fill_(torch.nan)
    with torch.inference_mode():
        unknown = model(image).isnan().any(1)[0].any(1 - axis)  # h or w
    return unknown.view(count, -1).any(1).numpy()
