"""Where images enter a network: their precision."""

import pytest
import torch

import onenet
from onenet.errors import ShapeError


@pytest.fixture
def network():
    return onenet.create_model("onenet-ed-4", width=4).eval()


def image(dtype):
    return torch.rand(1, 3, 16, 16).to(dtype)


@pytest.mark.parametrize(
    ("weights", "given"),
    [
        (torch.float32, torch.float64),
        (torch.float32, torch.float16),
        (torch.float64, torch.float32),
        (torch.bfloat16, torch.float32),
    ],
)
def test_another_precision_than_the_weights_have_is_refused_with_both(network, weights, given):
    with pytest.raises(ShapeError, match=f"the image is {given}, but the weights are {weights}") as caught:
        network.to(weights)(image(given))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_network_takes_the_precision_that_it_has(network, dtype):
    assert network.to(dtype)(image(dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_precisions_mix(network, dtype):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(image(dtype)).dtype == torch.bfloat16
        with pytest.raises(ShapeError, match="float64"):
            network(image(torch.float64))


@pytest.mark.parametrize("name", ["onenet-ed-4", "onenet-x-n", "unet-4"])
def test_features_are_what_the_decoder_gets(name):
    torch.manual_seed(0)
    network = onenet.create_model(name, width=8).eval()
    image = torch.rand(2, 3, 33, 50)
    features = network.features(image)
    heights = [level.shape[2] for level in features]
    assert heights == sorted(heights, reverse=True) and features[-1].shape[2:] == (3, 4)  # of 48x64, stride 16
    assert torch.equal(network.head(network.decoder(features))[:, :, :33, :50], network(image))
    with pytest.raises(ShapeError, match=r"not a tensor of shape \(2, 1, 33, 50\); for other channels make it with"):
        network.features(image[:, :1])
