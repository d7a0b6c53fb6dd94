"""Each piece of the algebra against torch doing it step by step, in double precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from onenet.export.convolutions import Affine, ByChannel, Shifted, giving, reading, strided, unshuffling

RANDOM = torch.Generator().manual_seed(3)


def random(*shape):
    return torch.randn(shape, generator=RANDOM, dtype=torch.float64)


def affine(channels):
    return Affine(random(channels), random(channels))


def applied(one, x):
    return x * one.scale[:, None, None] + one.shift[:, None, None]


def conv(*arguments, **changes):
    return nn.Conv2d(*arguments, dtype=torch.float64, **changes)


def test_a_convolution_reads_what_an_affine_stands_for():
    x, one, layer = random(2, 6, 5, 7), affine(6), conv(6, 4, 3)
    torch.testing.assert_close(reading(layer, one)(x), layer(applied(one, x)))


def test_so_does_one_with_groups_and_without_bias():
    x, one, layer = random(2, 6, 5, 7), affine(6), conv(6, 9, (1, 3), groups=3, bias=False)
    torch.testing.assert_close(reading(layer, one)(x), layer(applied(one, x)))


def test_with_padding_a_scale_can_be_read():
    x, layer = random(1, 4, 5, 5), conv(4, 4, 3, padding=1, groups=4)
    one = Affine(random(4), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(reading(layer, one)(x), layer(applied(one, x)))


def test_a_convolution_gives_an_affine_of_what_it_gave():
    x, layer, one = random(2, 3, 6, 6), conv(3, 5, 3, stride=2, padding=1), affine(5)
    torch.testing.assert_close(giving(layer, one)(x), applied(one, layer(x)))


@pytest.mark.parametrize("groups", [1, 2])
def test_so_does_a_transposed_one(groups):
    x, one = random(2, 4, 5, 6), affine(6)
    layer = nn.ConvTranspose2d(
        4, 6, 3, stride=2, padding=1, output_padding=1, groups=groups, bias=False, dtype=torch.float64
    )
    torch.testing.assert_close(giving(layer, one)(x), applied(one, layer(x)))


def test_unshuffle_and_pointwise_are_one_convolution_of_stride_two():
    x, layer = random(2, 3, 8, 6), conv(12, 5, 1)
    torch.testing.assert_close(strided(layer)(x), layer(functional.pixel_unshuffle(x, 2)))


def test_a_transposed_convolution_is_a_pointwise_one_and_a_shuffle():
    x = random(2, 6, 4, 5)
    layer = nn.ConvTranspose2d(6, 3, 2, stride=2, dtype=torch.float64)
    torch.testing.assert_close(functional.pixel_shuffle(unshuffling(layer)(x), 2), layer(x))


def test_a_norm_is_an_affine_and_affines_follow_each_other():
    x = random(3, 4, 5, 5)
    norm = nn.BatchNorm2d(4, dtype=torch.float64).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.1, 2)
    norm.weight.data.normal_()
    first = affine(4)
    torch.testing.assert_close(applied(Affine.of_norm(norm), x), norm(x))
    torch.testing.assert_close(applied(Affine.of_norm(norm).after(first), x), norm(applied(first, x)))


def test_affines_go_through_unshuffle_and_through_shuffle_where_the_four_are_alike():
    x, one = random(1, 2, 4, 4), affine(2)
    inside = applied(one.in_four(), functional.pixel_unshuffle(x, 2))
    torch.testing.assert_close(inside, functional.pixel_unshuffle(applied(one, x), 2))
    back = one.in_four().shuffled()
    assert torch.equal(back.scale, one.scale) and torch.equal(back.shift, one.shift)
    assert affine(8).shuffled() is None
    assert affine(16).shuffled(4) is None


def test_what_nothing_took_up_is_computed():
    x, one = random(1, 3, 4, 4), affine(3)
    torch.testing.assert_close(ByChannel(one)(x), applied(one, x))
    torch.testing.assert_close(Shifted(one.shift)(x), x + one.shift[:, None, None])
    assert Affine.nothing(3).is_nothing and not one.is_scale
