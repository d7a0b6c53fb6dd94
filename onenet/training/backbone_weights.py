"""Weight files of ImageNet classifiers, as torchvision and timm publish them, for the encoders of the ResNet U-Nets.

They are trained on images of which the mean colour was taken away channel by channel; our networks take the same mean
and deviation from every channel. The first convolution and its norm are changed so that both see the same.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from onenet.checkpoint import read_torch_file
from onenet.models.network import MEAN, STD

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_STEM, _NORM = "conv1.weight", "bn1.running_mean"
_SIGN = "layer1.0.conv1.weight"  # a ResNet of torchvision or timm


def read_backbone(source: str) -> dict[str, Tensor] | None:
    """The weights of a classifier's file by the names they have in our networks; None if it is none.

    The image's frame apart, where zeros are padded, an encoder with them gives what the classifier's gave for
    images with ImageNet's mean and deviation taken away.

    Raises:
        DataError: a .pth file that cannot be read.
    """
    path = Path(source).expanduser()
    if path.suffix in (".pth", ".pt"):
        weights = read_torch_file(path)
    elif path.suffix == ".safetensors" and path.is_file():
        weights = _without_card(path)
    else:
        return None
    if not {_STEM, _NORM, _SIGN} <= weights.keys():
        return None
    stem, norm = weights[_STEM].double(), weights[_NORM].double()
    if stem.ndim == 4 and stem.shape[1] == len(IMAGENET_MEAN):
        mean, deviation = (torch.tensor(values).double() for values in (IMAGENET_MEAN, IMAGENET_STD))
        moved = torch.einsum("oihw,i->o", stem, (MEAN - mean) / deviation)
        stem = stem * (STD / deviation)[:, None, None]
        norm = norm - moved  # what the convolution lacks now, the norm does not take away
    changed = {_STEM: stem.float(), _NORM: norm.float()}
    return {f"encoder.{name}": tensor for name, tensor in {**weights, **changed}.items()}


def _without_card(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that onenet has not written; none of one that it has, or that cannot be read."""
    try:
        with safe_open(path, framework="pt", device="cpu") as opened:
            if "card" in (opened.metadata() or {}):
                return {}
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dict)
    except (SafetensorError, OSError):
        return {}
