import copy
import operator
from collections import Counter

import pytest
import torch
from networks import uneven
from torch import nn

import onenet
from onenet.errors import ExportError
from onenet.export.conv import conv_form, plain_form


def operations(form):
    """How often each kind of module, sum and join is computed."""
    kinds = Counter()
    for node in form.graph.nodes:
        if node.op == "call_module":
            kinds[type(form.get_submodule(node.target)).__name__] += 1
        elif node.op == "call_function":
            kinds[node.target.__name__] += 1
    return kinds


def image_for(network, seed=0):
    random = torch.Generator().manual_seed(seed)
    shape = (2, network.in_channels, 2 * network.stride, 3 * network.stride)
    return torch.rand(shape, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("name", onenet.list_models())
def test_every_network_equals_its_convolution_form(name):
    network = uneven(name)
    image = image_for(network)
    with torch.no_grad():
        difference = conv_form(network, torch.float64)(image) - network(image)
    assert difference.abs().max() < 1e-12


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("onenet-ed-4", dict(spatial_kernel=9, spatial_place="between", spatial_in="decoder")),
        ("onenet-ed-4", dict(spatial_kernel=5, spatial_order="channel")),
        ("onenet-ed-4", dict(plain_top=True)),
        ("onenet-e-4", dict(half=True, full_size=False)),
        ("unet-4", dict(in_channels=1, depth=2)),
    ],
    ids=str,
)
def test_so_do_the_variants(name, sizes):
    network = uneven(name, **sizes)
    image = image_for(network)
    with torch.no_grad():
        assert (conv_form(network, torch.float64)(image) - network(image)).abs().max() < 1e-12


def test_norms_shuffles_and_transposed_convolutions_are_gone_where_they_can_be():
    assert operations(conv_form(uneven("unet-4"))) == {
        "Shifted": 1, "Conv2d": 23, "ReLU": 16, "MaxPool2d": 4, "Shuffle": 4, "cat": 3,
    }  # fmt: skip
    # Shifted: the constant of each skip's norm, since the decoder's convolutions put zeros around what they read.
    assert operations(conv_form(uneven("onenet-e-4"))) == {
        "Shifted": 3, "Conv2d": 24, "ReLU": 17, "Shuffle": 4, "cat": 3,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["onenet-ed-4", "onenet-e-4", "unet-4", "resnet34-unet"])
def test_no_batch_norm_and_no_transposed_convolution_is_left(name):
    kinds = {type(part) for part in conv_form(uneven(name)).modules()}
    assert not kinds & {nn.BatchNorm2d, nn.ConvTranspose2d}


def test_a_rewrite_can_be_left_out_to_see_what_it_is_worth():
    network = uneven("onenet-e-4")
    image = image_for(network)
    expected = operations(conv_form(network))
    for leave, more in (("norm", "ByChannel"), ("unshuffle", "Unshuffle"), ("transposed", "ConvTranspose2d")):
        form = conv_form(network, torch.float64, leave=[leave])
        assert operations(form)[more] > expected[more]
        with torch.no_grad():
            assert (form(image) - network(image)).abs().max() < 1e-12


def test_a_network_is_not_changed_by_its_forms():
    network = onenet.create_model("onenet-e-4", width=4)
    before = copy.deepcopy(network.state_dict())
    conv_form(network)
    plain_form(network)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_parallel_branches_of_one_direction_become_one_convolution():
    network = uneven("onenet-ed-4", depth=1)
    network.encoder.stem[1].conv = Branches()
    image = image_for(network)
    form = conv_form(network, torch.float64)
    assert operator.add.__name__ not in operations(form)
    with torch.no_grad():
        assert (form(image) - network(image)).abs().max() < 1e-12


class Branches(nn.Module):
    """1x9 and 1x3 side by side."""

    def __init__(self):
        super().__init__()
        self.long = nn.Conv2d(3, 4, (1, 9), padding=(0, 4), dtype=torch.float64)
        self.short = nn.Conv2d(3, 4, (1, 3), padding=(0, 1), dtype=torch.float64)

    def forward(self, x):
        return self.long(x) + self.short(x)


class Halves(nn.Module):
    def forward(self, x):
        return x / 2


class Turned(nn.Module):
    def forward(self, x):
        return x.flip(3)


def test_an_operation_that_is_not_known_is_named():
    network = uneven("onenet-ed-4")
    network.head = nn.Sequential(network.head, nn.Softplus())
    with pytest.raises(ExportError, match="does not know Softplus; use --form plain"):
        conv_form(network)
    for head, name in ((Halves(), "truediv"), (Turned(), "flip")):
        network.head = head
        with pytest.raises(ExportError, match=rf"does not know .*{name}.*; use --form plain"):
            conv_form(network)
