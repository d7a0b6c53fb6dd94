"""U-Lite's parts against their definitions."""

import torch
from torch.nn import functional as F
from worn import tensor, whole, worn

from onenet.models.u_lite import Axial, Bottleneck


def test_an_axial_convolution_is_one_by_a_cross():
    module = worn(Axial(3, kernel=3, dilation=2))
    cross = torch.zeros(3, 1, 5, 5, dtype=torch.float64)
    cross[:, :, ::2, 2] += module.column.weight[..., 0]
    cross[:, :, 2, ::2] += module.row.weight[:, :, 0]
    cross[:, :, 2, 2] += 1
    x = tensor(1, 3, 8, 9)
    expected = F.conv2d(x, cross, module.column.bias + module.row.bias, padding=2, groups=3)
    torch.testing.assert_close(module(x), expected)


def test_the_bottleneck_of_u_lite_looks_at_three_distances():
    module = Bottleneck(32)
    assert [(branch.column.kernel_size, branch.row.kernel_size) for branch in module.branches] == [((3, 1), (1, 3))] * 3
    assert [branch.column.dilation[0] for branch in module.branches] == [1, 2, 3]
    assert module.enter.out_channels == 8 and module.leave[0].num_features == 32


def test_the_skips_of_u_lite_are_taken_before_the_pooling():
    model = whole("u-lite")
    features = model.encoder(torch.zeros(1, 3, 64, 96, device="meta"))
    expected = [(16 * 2**level, 64 // 2**level, 96 // 2**level) for level in range(6)]
    assert [tuple(level.shape[1:]) for level in features] == expected
