import copy

import numpy as np
import pytest
import torch
from networks import uneven
from torch import fx, nn

from onenet.export.conv import conv_form
from onenet.export.convolutions import ByChannel, Shifted
from onenet.export.shuffles import shuffles_as_convolutions
from onenet.layers.shuffle import Repeat, Shuffle, Unshuffle


class Traced(fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, (Shuffle, Unshuffle, Repeat)) or super().is_leaf_module(module, name)


def chain(*modules, channels, stride=2):
    """Modules one after the other, with their shuffles as convolutions, in double precision."""
    root = nn.Sequential(*copy.deepcopy(modules)).double()
    return shuffles_as_convolutions(fx.GraphModule(root, Traced().trace(root)), channels, stride)


def test_a_shuffle_puts_every_channel_in_its_place():
    image = torch.rand(1, 8, 3, 5, dtype=torch.float64)
    made = chain(Shuffle(), channels=8)(image).detach().numpy()
    expected = np.empty((1, 2, 6, 10))
    for channel, row, column in np.ndindex(2, 6, 10):
        phase = 2 * (row % 2) + column % 2
        expected[0, channel, row, column] = image[0, 4 * channel + phase, row // 2, column // 2]
    assert np.array_equal(made, expected)


def test_an_unshuffle_is_its_inverse_and_a_repetition_repeats():
    image = torch.rand(1, 3, 4, 6, dtype=torch.float64)
    assert torch.equal(chain(Unshuffle(), Shuffle(), channels=3)(image), image)
    repeated = chain(Repeat(), channels=3)(image).detach().numpy()
    assert np.array_equal(repeated, np.repeat(np.repeat(image.numpy(), 2, axis=2), 2, axis=3))


@pytest.mark.parametrize("between", [[], [nn.ReLU()]])
def test_a_pointwise_convolution_and_its_shuffle_become_one(between):
    conv = nn.Conv2d(3, 8, 1)
    conv.bias.data = torch.tensor([0.5, -0.25]).repeat_interleave(4)
    image = torch.randn(1, 3, 4, 6, dtype=torch.float64)
    made = chain(conv, *between, Shuffle(), channels=3)
    (transposed,) = [part for part in made.children() if isinstance(part, nn.ConvTranspose2d)]
    assert (transposed.in_channels, transposed.out_channels) == (3, 2)
    assert not any(isinstance(part, nn.Conv2d) for part in made.children())
    expected = nn.Sequential(copy.deepcopy(conv).double(), *between, nn.PixelShuffle(2))(image)
    assert torch.allclose(made(image), expected, atol=1e-14)


@pytest.mark.parametrize("changes", [dict(bias=True), dict(kernel_size=3, padding=1, bias=False)])
def test_other_convolutions_stay_before_it(changes):
    """One bias cannot serve four phases that have a bias each; a larger kernel is no transposed 2x2 one."""
    conv = nn.Conv2d(3, 8, **{"kernel_size": 1, **changes})
    image = torch.randn(1, 3, 4, 6, dtype=torch.float64)
    made = chain(conv, Shuffle(), channels=3)
    assert {type(part) for part in made.children()} >= {nn.Conv2d, nn.ConvTranspose2d}
    assert torch.allclose(made(image), nn.Sequential(copy.deepcopy(conv).double(), nn.PixelShuffle(2))(image))


NAMES = ["onenet-ed-4", "onenet-ed-4-half", "onenet-e-4", "onenet-d-4", "unet-4", "mobilenet-unet-4"]


@pytest.mark.parametrize("name", NAMES)
def test_whole_networks_are_the_same_at_any_size(name):
    network = uneven(name)
    form = shuffles_as_convolutions(conv_form(network, torch.float64), 3, network.stride)
    assert not any(isinstance(part, (Shuffle, Unshuffle, Repeat, ByChannel, Shifted)) for part in form.modules())
    for size in ((1, 2), (3, 1)):
        image = torch.rand(2, 3, *(side * network.stride for side in size), dtype=torch.float64)
        with torch.no_grad():
            assert torch.allclose(form(image), network(image), rtol=0, atol=1e-12)
