"""DABNet's parts against their definitions, written with functions."""

import torch
from torch import nn
from torch.nn import functional as F
from worn import tensor, whole, worn

from onenet.models.dabnet import DABModule


def test_a_dab_module_is_a_sum_of_what_is_near_what_is_far_and_itself():
    """Fig. 2c of the paper, written with functions."""
    module = worn(DABModule(8, dilation=4))
    x = tensor(1, 8, 12, 15)

    def normed(parts, y):
        norm, act = parts
        y = (y - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-3).sqrt()
        y = y * norm.weight[:, None, None] + norm.bias[:, None, None]
        return torch.where(y > 0, y, y * act.weight[:, None, None])

    def pair(parts, y, far):
        column, first, row, second = parts
        y = normed(first, F.conv2d(y, column.weight, padding=(far, 0), dilation=(far, 1), groups=4))
        return normed(second, F.conv2d(y, row.weight, padding=(0, far), dilation=(1, far), groups=4))

    y = normed(module.enter[2], F.conv2d(normed(module.enter[0], x), module.enter[1].weight, padding=1))
    y = pair(module.near, y, 1) + pair(module.far, y, 4)
    y = F.conv2d(normed(module.leave[0], y), module.leave[1].weight) + x
    torch.testing.assert_close(module(x), y)


def test_dabnet_has_three_modules_and_six_and_sees_the_image_at_each_level():
    encoder = whole("dabnet").encoder
    dilations = [module.far[0].dilation[0] for module in encoder.modules() if isinstance(module, DABModule)]
    assert dilations == [2, 2, 2, 4, 4, 8, 8, 16, 16]
    features = encoder(torch.zeros(1, 3, 64, 128, device="meta"))
    assert [tuple(level.shape[1:]) for level in features] == [(35, 32, 64), (131, 16, 32), (259, 8, 16)]
    assert not any(part.bias is not None for part in encoder.modules() if isinstance(part, nn.Conv2d))
