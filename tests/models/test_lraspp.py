"""MobileNetV3 under LR-ASPP against its definitions and tables."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from worn import tensor, whole, worn

import onenet
from onenet.errors import ConfigError
from onenet.models.lraspp import LiteASPP, SqueezeExcite, in_eights


@pytest.mark.parametrize(("trunk", "low", "high"), [("small", 24, 288), ("large", 40, 480)])
def test_mobilenet_ends_at_a_sixteenth_and_dilates_instead(trunk, low, high):
    encoder = whole(f"lraspp-mobilenet-v3-{trunk}").encoder
    features = encoder(torch.zeros(1, 3, 64, 128, device="meta"))
    assert [tuple(level.shape[1:]) for level in features] == [(low, 8, 16), (high, 4, 8)]
    dilated = [part for part in encoder.modules() if isinstance(part, nn.Conv2d) and part.dilation == (2, 2)]
    assert [(conv.kernel_size, conv.groups == conv.in_channels) for conv in dilated] == [((5, 5), True)] * 3


def test_the_gate_of_a_channel_is_decided_by_averages():
    module = worn(SqueezeExcite(16))
    x = tensor(2, 16, 5, 6)
    _, first, _, second, _ = module.gate
    gates = second(first(x.mean((2, 3), keepdim=True)).clamp(min=0))
    torch.testing.assert_close(module(x), x * ((gates + 3).clamp(0, 6) / 6))


def test_the_head_is_the_sum_of_two_levels():
    module = worn(LiteASPP(4, 6, 3))
    low, high = tensor(1, 4, 8, 12), tensor(1, 6, 4, 6)
    gate = torch.sigmoid(module.gate[1](high.mean((2, 3), keepdim=True)))
    enlarged = F.interpolate(module.convs(high) * gate, (8, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(module([low, high]), module.low(low) + module.high(enlarged))


@pytest.mark.parametrize(("given", "made"), [(4.0, 8), (11.0, 16), (16.0, 16), (18.0, 24), (28.0, 32), (50.0, 48)])
def test_channels_come_in_eights(given, made):
    assert in_eights(given) == made and made >= 0.9 * given


def test_a_trunk_that_does_not_exist_lists_those_that_do():
    with pytest.raises(ConfigError, match="trunk='medium': choose from small, large"):
        onenet.create_model("lraspp-mobilenet-v3-small", trunk="medium")
