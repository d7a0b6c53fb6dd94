"""Classifiers' weight files: as torchvision and timm name them, made here."""

import pytest
import safetensors.torch
import torch

import onenet
from onenet.errors import ConfigError, DataError
from onenet.models.backbones import ResNetEncoder
from onenet.training.backbone_weights import IMAGENET_MEAN, IMAGENET_STD
from onenet.training.starting import start_from

LAYERS = {"resnet34-unet": 34, "resnet50-unet": 50}


def classifier(name, channels=3):
    """A ResNet of the size of torchvision's, with statistics, and its state dict with the 1000 classes that it has."""
    torch.manual_seed(5)
    encoder = ResNetEncoder(LAYERS[name], channels)
    encoder.train()(torch.randn(2, channels, 64, 64))
    weights = encoder.state_dict()
    return encoder.eval(), {
        **weights,
        "fc.weight": torch.zeros(1000, encoder.channels[-1]),
        "fc.bias": torch.zeros(1000),
    }


@pytest.mark.parametrize(("name", "ending"), [("resnet34-unet", "pth"), ("resnet50-unet", "safetensors")])
def test_an_encoder_sees_what_the_classifier_saw(tmp_path, name, ending):
    encoder, weights = classifier(name)
    file = tmp_path / f"resnet.{ending}"
    torch.save(weights, file) if ending == "pth" else safetensors.torch.save_file(weights, file)
    network = onenet.create_model(name).eval()
    line = start_from(network, str(file)).line
    image = torch.rand(1, 3, 64, 64)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        wanted = encoder.bn1(encoder.conv1((image - mean) / deviation))
        found = network.encoder.bn1(network.encoder.conv1(network.standardise(image)))
        grey = torch.tensor(IMAGENET_MEAN)[:, None, None].expand(1, 3, 64, 64)
        deep = network.encoder(network.standardise(grey))[-1], encoder((grey - mean) / deviation)[-1]
    torch.testing.assert_close(found[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], rtol=1e-4, atol=1e-5)
    assert (deep[0] - deep[1]).abs().mean() < 0.2 * deep[1].abs().mean()  # the frame, where zeros are padded, differs
    learnt = [key for key, _ in network.named_parameters()]
    fits = sum(key.startswith("encoder.") for key in learnt)
    assert line.startswith(
        f"starts from {file} (a classifier's weights): {fits} of {len(learnt)} weights fit; new are "
    )
    assert torch.equal(network.state_dict()["encoder.layer4.1.conv1.weight"], weights["layer4.1.conv1.weight"])


def test_images_of_other_channels_get_the_mean_of_the_colours(tmp_path):
    _, weights = classifier("resnet34-unet")
    torch.save(weights, tmp_path / "resnet34.pth")
    one, three = (onenet.create_model("resnet34-unet", in_channels=channels) for channels in (1, 3))
    assert "images of 1 channels instead of 3" in start_from(one, str(tmp_path / "resnet34.pth")).line
    start_from(three, str(tmp_path / "resnet34.pth"))
    grey = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(one.encoder.conv1(grey), three.encoder.conv1(grey.expand(-1, 3, -1, -1)))


def test_what_does_not_fit_is_refused_in_one_line(tmp_path):
    _, weights = classifier("resnet34-unet")
    torch.save(weights, tmp_path / "resnet34.pth")
    with pytest.raises(ConfigError, match=r"it is a classifier's weights, whose first kernel does not fit onenet-x-n"):
        start_from(onenet.create_model("onenet-x-n"), str(tmp_path / "resnet34.pth"))
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "vgg.pth")
    with pytest.raises(ConfigError, match=r"vgg\.pth: load takes \.safetensors"):
        start_from(onenet.create_model("resnet34-unet"), str(tmp_path / "vgg.pth"))
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"broken\.pth: not a file of torch weights"):
        start_from(onenet.create_model("resnet34-unet"), str(tmp_path / "broken.pth"))
    safetensors.torch.save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"other\.safetensors: holds weights but no card"):
        start_from(onenet.create_model("resnet34-unet"), str(tmp_path / "other.safetensors"))
