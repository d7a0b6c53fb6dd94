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
from onenet.images import padded_to

MEAN, STD = 0.45, 0.225  # the authors' constants for images in [0, 1]


class Standardise(nn.Module):
    """(image - 0.45) / 0.225: inside the network, so that nobody must remember it."""

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return (image - MEAN) / STD


class PadToStride(nn.Module):
    """Append mirrored rows and columns until both sizes are multiples of `stride` (the rule of `images.reflected`).

    In torch alone, and in traced or compiled form for every size, so that one graph serves all of them.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c hp wp"]:
        for axis in (2, 3):
            length = image.shape[axis]
            padded = padded_to(length, self.stride)
            if torch.compiler.is_compiling() or torch.jit.is_tracing() or padded != length:
                last = _counted(length, image)[-1]
                place = _counted(padded, image) % (2 * last).clamp(min=1)
                image = image.index_select(axis, torch.where(place <= last, place, 2 * last - place))
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

    def features(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """What the encoder makes of images: a tensor per level, the finest first, for a decoder or head of one's own.

        The images are padded and standardised as `forward` does it, so that the levels cover the padded image.
        """
        self._check(image)
        return self.encoder(self.standardise(self.pad(image)))

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k ho wo"]:
        self._check(image)
        h, w = image.shape[2:]
        padded = self.pad(image)
        logits = self.head(self.decoder(self.encoder(self.standardise(padded))))  # b k hp/f wp/f
        factor = padded.shape[2] // logits.shape[2]  # 2 where the network leaves its logits at half size
        return _cropped(logits, (h + factor - 1) // factor, (w + factor - 1) // factor)

    def _check(self, image: Tensor) -> None:
        check_images(image, self.in_channels)
        check_precision(image, next(self.parameters(), image).dtype)


def _cropped(logits: Tensor, height: int, width: int) -> Tensor:
    """The first rows and columns; in exported form as a copy, whose strides say nothing of what was cut off."""
    if not getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)():  # of torch 2.7
        return logits[:, :, :height, :width]
    return logits.index_select(2, _counted(height, logits)).index_select(3, _counted(width, logits))


def _counted(length: int, like: Tensor) -> Tensor:
    """0, 1, ... `length` - 1, on the device of `like`; an arange would be traced with this length for good."""
    return torch.ones(length, dtype=torch.int64, device=like.device).cumsum(0) - 1


def check_images(image: Tensor, in_channels: int) -> None:
    """Where images enter: a tensor of four axes, the right channels, at least one pixel, floating point."""
    if not isinstance(image, Tensor):
        raise ShapeError(
            f"the network takes a tensor (b, {in_channels}, h, w), not {type(image).__name__}; "
            "onenet.Segmenter takes arrays and files"
        )
    has_sizes = torch.jit.is_tracing() or (image.shape[1:2] == (in_channels,) and 0 not in image.shape)  # else tensors
    if image.ndim != 4 or not has_sizes:
        raise ShapeError(
            f"the network takes images (b, {in_channels}, h, w), not a tensor of shape {tuple(image.shape)}; for other "
            "channels make it with create_model(..., in_channels=N)"
        )
    if not image.is_floating_point():
        raise ShapeError(f"the network takes floating-point images in [0, 1], not {image.dtype}; divide by 255 first")


def check_precision(image: Tensor, weights: torch.dtype) -> None:
    """Images have the precision of the weights; under autocast any but float64, which it leaves alone."""
    if image.dtype == weights:
        return
    if torch.float64 in (image.dtype, weights) or not torch.is_autocast_enabled(image.device.type):
        raise ShapeError(f"the image is {image.dtype}, but the weights are {weights}; give image.to({weights})")
