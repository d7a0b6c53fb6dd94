"""The optional spatial convolution, "-S" (paper 3.2 and 3.3): one short kernel slides over the flattened tensor.

    b c h w -> b 1 (h w c) or b 1 (c h w) -> reflect 4 | Conv1d(1 -> 1, kernel 9) | ReLU -> b c h w

One kernel of nine numbers and one bias serve the whole tensor. In which order the tensor is flattened decides
what the kernel sees:

* "pixel" (3.2, the authors' code): the channels of a pixel are neighbours, so nine taps mix channels of one
  pixel, at its edge those of the next;
* "channel" (3.3, "size (CHW)"): the pixels of a row are neighbours, so it is a horizontal filter that all
  channels share.

Either way the axis runs on from the end of a row into the next: this layer has no two-dimensional footprint.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from onenet.errors import ShapeError

ORDERS = ("pixel", "channel")


class SpatialConv(nn.Module):
    """One 1D convolution with an odd kernel over the tensor flattened in pixel order, then ReLU."""

    def __init__(self, kernel: int = 9) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel)
        self.act = nn.ReLU(inplace=True)

    def filter(self, line: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b 1 n"]:
        reach = self.conv.kernel_size[0] // 2
        if reach >= line.shape[-1]:
            longest = 2 * line.shape[-1] - 1
            raise ShapeError(f"spatial_kernel={2 * reach + 1} is too long for this image; it can be at most {longest}")
        return self.act(self.conv(F.pad(line, (reach, reach), mode="reflect")))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        b, c, h, w = x.shape
        line = x.permute(0, 2, 3, 1).reshape(b, 1, h * w * c)
        return self.filter(line).view(b, h, w, c).permute(0, 3, 1, 2)


class SpatialConvChannelMajor(SpatialConv):
    """The same with the tensor flattened channel by channel (paper 3.3)."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.filter(x.reshape(x.shape[0], 1, -1)).view(x.shape)
