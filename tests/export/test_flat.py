import copy

import pytest
import torch
from networks import uneven

import onenet
from onenet.deploy.morton import from_rows, to_rows
from onenet.errors import ExportError
from onenet.export.flat import FlatForm


def flat_logits(network, image):
    """Of an image (c, h, w), through the rows of the flat form."""
    flat = FlatForm(network, image.dtype)
    tile = network.stride
    rows = flat(torch.from_numpy(to_rows(image.permute(1, 2, 0).numpy(), tile)))
    size = image.shape[1:]
    if len(rows) < image.shape[1] * image.shape[2]:  # logits at half size
        tile, size = tile // 2, (size[0] // 2, size[1] // 2)
    return torch.from_numpy(from_rows(rows.detach().numpy(), tuple(size), tile)).permute(2, 0, 1)


@pytest.mark.parametrize(
    "sizes",
    [
        dict(),
        dict(in_channels=1),
        dict(stem_repeat=1),
        dict(plain_top=True),
        dict(depth=1),
        dict(depth=5),
        dict(half=True),
        dict(half=True, full_size=False, depth=3),
    ],
    ids=str,
)
def test_every_variant_without_spatial_convolutions_equals_its_flat_form(sizes):
    network = uneven("onenet-ed-4", **sizes)
    image = torch.rand(sizes.get("in_channels", 3), 2 * network.stride, network.stride, dtype=torch.float64)
    with torch.no_grad():
        assert (flat_logits(network, image) - network(image[None])[0]).abs().max() < 1e-12


def test_a_channel_costs_a_second_column_only_where_its_phases_differ_in_sign():
    network = onenet.create_model("onenet-ed-4", width=4, num_classes=2).eval()
    plain = FlatForm(network)
    norm = network.decoder.first.norm
    norm.weight.data[4:8] = -1.0  # all four phases of channel 1
    assert FlatForm(network).ups[0][0].in_features == plain.ups[0][0].in_features
    norm.weight.data[8] = -1.0  # one phase of channel 2
    assert FlatForm(network).ups[0][0].in_features == plain.ups[0][0].in_features + 1


def test_a_network_is_not_changed_by_its_flat_form():
    network = uneven("onenet-ed-4", num_classes=2).train()
    before = copy.deepcopy(network.state_dict())
    FlatForm(network)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "sizes", "what"),
    [
        ("onenet-ed-4", dict(spatial_kernel=9), "spatial"),
        ("onenet-e-4", dict(), "2D"),
        ("unet-4", dict(), "2D"),
        ("resnet34-unet", dict(), "2D"),
        ("onenet-ed-4", dict(replaced="d"), "2D"),
    ],
)
def test_a_network_that_is_no_chain_of_channel_convolutions_is_refused(name, sizes, what):
    network = onenet.create_model(name, width=4, num_classes=2, **sizes)
    with pytest.raises(ExportError, match=rf"{name} has {what} convolutions.*use the conv form"):
        FlatForm(network)
