import operator

import pytest
import torch
from networks import uneven
from torch import fx, nn

from onenet.export.conv import conv_form
from onenet.export.joins import merge_branches, merged, sum_joined

RANDOM = torch.Generator().manual_seed(5)


def conv(kernel, groups=1, dilation=1):
    padding = tuple(dilation * (k // 2) for k in kernel)
    return nn.Conv2d(4, 4, kernel, padding=padding, groups=groups, dilation=dilation, dtype=torch.float64)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("kernels", [((1, 9), (1, 3)), ((1, 1), (9, 1)), ((3, 3), (1, 3)), ((1, 1), (1, 1))])
def test_two_convolutions_of_one_tensor_are_one(kernels, groups):
    x = torch.randn(2, 4, 11, 13, generator=RANDOM, dtype=torch.float64)
    one, other = conv(kernels[0], groups), conv(kernels[1], groups)
    whole = merged(one, other)
    assert whole.kernel_size == tuple(map(max, zip(*kernels, strict=True)))
    torch.testing.assert_close(whole(x), one(x) + other(x))


def test_not_where_the_kernel_would_grow_in_the_other_direction():
    assert merged(conv((1, 9)), conv((9, 1))) is None


def test_not_where_strides_groups_or_dilations_differ():
    assert merged(conv((1, 3)), conv((1, 3), groups=4)) is None
    assert merged(conv((1, 3)), conv((1, 3), dilation=2)) is None


class Two(nn.Module):
    def __init__(self, used_twice):
        super().__init__()
        self.one, self.other, self.used_twice = conv((1, 3)), conv((1, 5)), used_twice

    def forward(self, x):
        one = self.one(x)
        total = one + self.other(x)
        return total * one if self.used_twice else total


def test_a_branch_that_is_also_read_elsewhere_stays():
    for used_twice, sums in ((False, 0), (True, 1)):
        form = merge_branches(fx.symbolic_trace(Two(used_twice)))
        assert [node.target for node in form.graph.nodes].count(operator.add) == sums


@pytest.mark.parametrize("name", ["onenet-ed-4", "onenet-e-4", "unet-4", "onenet-x-s"])
def test_a_convolution_of_joined_tensors_is_a_sum_of_convolutions(name):
    network = uneven(name)
    form = sum_joined(conv_form(network, torch.float64), only_pointwise=False)
    assert torch.cat not in [node.target for node in form.graph.nodes]
    image = torch.rand(1, 3, 32, 48, dtype=torch.float64, generator=RANDOM)
    with torch.no_grad():
        assert (form(image) - network(image)).abs().max() < 1e-12


@pytest.mark.parametrize(("name", "joins"), [("onenet-ed-4", 0), ("onenet-x-s", 0), ("onenet-e-4", 3), ("unet-4", 3)])
def test_the_convolution_form_sums_where_the_kernel_is_one_pixel_unless_that_is_left_out(name, joins):
    network = uneven(name)
    forms = [conv_form(network), conv_form(network, leave=["joined"])]
    assert [[node.target for node in form.graph.nodes].count(torch.cat) for form in forms] == [joins, 3]


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other, self.last = conv((1, 1)), conv((1, 1)), nn.Conv2d(8, 3, 1, dtype=torch.float64)

    def forward(self, x):
        return self.last(torch.cat([self.one(x) + 3, self.other(x)], 1))


def test_a_number_that_is_added_has_no_channels():
    network, x = Shifted(), torch.randn(1, 4, 5, 6, generator=RANDOM, dtype=torch.float64)
    form = sum_joined(fx.symbolic_trace(network))
    assert torch.cat not in [node.target for node in form.graph.nodes]
    torch.testing.assert_close(form(x), network(x))
