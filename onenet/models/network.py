"""The frame of every network: pad, standardise, encode, decode, classify, crop.

image b c h w in [0, 1]
  | pad to the stride (bottom and right, by reflection) | standardise
encoder -> features: one tensor per level, the finest first
decoder -> one tensor b n h w
  | head, a convolution to k channels (of OneNet-X: its logits, enlarged) | crop
logits b k h w
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.card import Card
from onenet.errors import ShapeError
from onenet.images import padded_to, reflected

MEAN, STD = 0.45, 0.225  # the authors' constants for images in [0, 1]


class Standardise(nn.Module):
    """(image - 0.45) / 0.225: inside the network, so that nobody must remember it."""

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return (image - MEAN) / STD


class PadToStride(nn.Module):
    """Append mirrored rows and columns until both sizes are multiples of `stride`."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c hp wp"]:
        for axis in (2, 3):
            length = image.shape[axis]
            padded = padded_to(length, self.stride)
            if padded != length:
                place = torch.from_numpy(reflected(length, padded)).to(image.device)
                image = image.index_select(axis, place)
        return image


class Network(nn.Module):
    """A segmentation network from its parts: images (b, c, h, w) in [0, 1] in, logits (b, k, h, w) out.

    Any height and width: the image is padded at the bottom and right to multiples of `stride`, the logits are
    cropped back. `card` says which network it is; `onenet.save` writes it beside the weights.

    Raises:
        ShapeError: the input is not a batch of images with `in_channels` channels in the weights' precision.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, head: nn.Module, in_channels: int, stride: int) -> None:
        super().__init__()
        self.in_channels, self.stride = in_channels, stride
        self.pad = PadToStride(stride)
        self.standardise = Standardise()
        self.encoder = encoder
        self.decoder = decoder
        self.head = head
        self.card: Card | None = None

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k ho wo"]:
        check_images(image, self.in_channels)
        check_precision(image, next(self.parameters(), image).dtype)
        h, w = image.shape[2:]
        padded = self.pad(image)
        logits = self.head(self.decoder(self.encoder(self.standardise(padded))))  # b k hp/f wp/f
        factor = padded.shape[2] // logits.shape[2]  # 2 where the network leaves its logits at half size
        return logits[:, :, : -(-h // factor), : -(-w // factor)]


def check_images(image: Tensor, in_channels: int) -> None:
    """Where images enter: a tensor of four axes, the right channels, at least one pixel, floating point."""
    if not isinstance(image, Tensor):
        raise ShapeError(
            f"the network takes a tensor (b, {in_channels}, h, w), not {type(image).__name__}; "
            "onenet.Segmenter takes arrays and files"
        )
    if image.ndim != 4 or image.shape[1] != in_channels or 0 in image.shape:
        raise ShapeError(
            f"the network takes images (b, {in_channels}, h, w), not an array of shape {tuple(image.shape)}"
        )
    if not image.is_floating_point():
        raise ShapeError(f"the network takes floating-point images in [0, 1], not {image.dtype}; divide by 255 first")


def check_precision(image: Tensor, weights: torch.dtype) -> None:
    """Images have the precision of the weights; under autocast any but float64, which it leaves alone."""
    if image.dtype == weights:
        return
    if torch.float64 in (image.dtype, weights) or not torch.is_autocast_enabled(image.device.type):
        raise ShapeError(f"the image is {image.dtype}, but the weights are {weights}; give image.to({weights})")
