"""The strip convolution: against a 2D kernel of rank one, and against loops."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from onenet.layers.strip import Strip, StripConv


def settled(layer):
    """With norms that have statistics, in evaluation and double precision."""
    generator = torch.Generator().manual_seed(0)
    for part in layer.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            part.weight.data.normal_(generator=generator)
            part.bias.data.normal_(generator=generator)
    return layer.double().eval()


def kernel_of(strip):
    """Kernels (c, length) and shifts (c,) of a strip whose lengths are all the same: the definition of a batch norm."""
    weights, shifts = 0, 0
    for conv, norm in strip.branches:
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weights = weights + conv.weight.flatten(1) * scale[:, None]
        shifts = shifts + norm.bias - norm.running_mean * scale
    return weights.detach(), shifts.detach()


@pytest.mark.parametrize(("length", "dilation", "vertical"), [(3, 1, False), (3, 2, True), (9, 1, True)])
def test_each_channel_is_filtered_by_itself_along_one_direction(length, dilation, vertical):
    strip = settled(Strip(2, [length], dilation, vertical=vertical))
    image = torch.rand(1, 2, 7, 11, dtype=torch.float64)
    weights, shifts = (values.numpy() for values in kernel_of(strip))
    expected = np.zeros((2, 7, 11))
    for c in range(2):
        for y in range(7):
            for x in range(11):
                total = shifts[c]
                for tap in range(length):
                    step = (tap - length // 2) * dilation
                    row, column = (y + step, x) if vertical else (y, x + step)
                    if 0 <= row < 7 and 0 <= column < 11:
                        total += weights[c, tap] * image[0, c, row, column].item()
                expected[c, y, x] = total
    np.testing.assert_allclose(strip(image)[0].detach(), expected, atol=1e-12)


def test_both_directions_are_a_kernel_of_rank_one():
    layer = settled(StripConv(3, [5]))
    for strip in layer:  # no shift, which a border of zeros would not see
        strip.branches[0][1].running_mean.zero_()
        strip.branches[0][1].bias.data.zero_()
    along, down = (kernel_of(strip)[0] for strip in layer)
    image = torch.rand(2, 3, 9, 8, dtype=torch.float64)
    kernels = (down[:, :, None] * along[:, None, :])[:, None]  # c 1 k k
    assert torch.allclose(layer(image), F.conv2d(image, kernels, padding=2, groups=3), atol=1e-12)


def test_parallel_lengths_are_a_sum():
    strip = settled(Strip(2, [9, 3, 1]))
    image = torch.rand(1, 2, 4, 12, dtype=torch.float64)
    alone = []
    for branch in strip.branches:
        one = Strip(2, [branch[0].kernel_size[1]]).double().eval()
        one.branches[0] = branch
        alone.append(one(image))
    assert torch.allclose(strip(image), sum(alone), atol=1e-12)
