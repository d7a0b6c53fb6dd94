"""Auxiliary heads beside every network of the catalog, which itself stays as it is."""

import copy
import pickle

import pytest
import torch

import onenet
from onenet.config import load_config
from onenet.errors import ConfigError, ShapeError
from onenet.training.auxiliary import WithAuxiliary

NARROW = {name: 2 if "resnet" in name else 4 for name in onenet.list_models()}
INNER = {name: 4 if "-5" in name or "resnet" in name else 2 if "half" in name else 3 for name in NARROW}
# How often their last block's size must be doubled, where it is not the image's.
LEFT = {name: 2 if "-x-" in name else 1 for name in NARROW if "half" in name or "-x-" in name or name == "erfnet"}
INNER |= {name: 0 for name in NARROW if name.startswith("onenet-x")}  # the levels' logits are the network's own
INNER |= {"onenet-x-s-decoder": 1}
INNER |= {"dabnet": 0, "erfnet": 1, "u-lite": 4, "lraspp-mobilenet-v3-small": 0, "lraspp-mobilenet-v3-large": 0}


def build(name, **sizes):
    torch.manual_seed(0)
    return onenet.create_model(name, num_classes=3, width=NARROW[name], **sizes)


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", onenet.list_models())
def test_every_network_gives_its_logits_and_those_of_the_inner_blocks(name):
    network = build(name)
    heads = WithAuxiliary(network, 3).eval()
    image = torch.rand(2, 3, 45, 67)
    with torch.no_grad():
        logits, *others = heads(image)
        assert torch.equal(logits, network(image))
    finest = LEFT.get(name, 0)
    factors = [2**i for i in range(INNER[name] + finest, finest, -1)]
    assert [tuple(other.shape) for other in others] == [(2, 3, -(-45 // f), -(-67 // f)) for f in factors]


def test_the_heads_see_what_the_blocks_gave_without_the_padding():
    network = build("onenet-e-4").eval()
    heads = WithAuxiliary(network, 3)
    image = torch.rand(1, 3, 20, 30)
    features = network.encoder(network.standardise(network.pad(image)))
    x = network.decoder.first(features[-1])
    for level, block in enumerate(network.decoder.blocks[:-1]):
        x = block(x, features[-2 - level])
        expected = heads.heads[level](x)[:, :, : -(-20 // 2 ** (3 - level)), : -(-30 // 2 ** (3 - level))]
        torch.testing.assert_close(heads(image)[1 + level], expected)


def test_the_network_and_its_modes_come_out_unchanged():
    network = build("unet-4")
    network.encoder.eval()  # as one that freezes its norms
    before, modes = copy.deepcopy(network.state_dict()), [module.training for module in network.modules()]
    heads = WithAuxiliary(network, 3)
    assert heads.network is network
    assert equal(network.state_dict(), before)
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in heads.parameters())


def test_no_hook_stays_behind_even_when_an_image_is_refused():
    network = build("onenet-ed-4")
    heads = WithAuxiliary(network, 3)
    heads(torch.rand(1, 3, 32, 32))
    with pytest.raises(ShapeError):
        heads(torch.rand(1, 1, 32, 32))
    assert not any(module._forward_hooks for module in heads.modules())


def test_its_parameters_are_those_of_the_network_and_of_the_heads_and_all_are_trained():
    network = build("onenet-ed-4")
    heads = WithAuxiliary(network, 3)
    names = {name for name, _ in heads.named_parameters()}
    own = {f"heads.{i}.{kind}" for i in range(3) for kind in ("weight", "bias")}
    assert names == {f"network.{name}" for name, _ in network.named_parameters()} | own
    sum(level.square().mean() for level in heads(torch.rand(2, 3, 32, 32))).backward()
    assert all(parameter.grad is not None for parameter in heads.parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda heads: pickle.loads(pickle.dumps(heads))])
def test_it_can_be_copied_and_pickled(copied):
    heads = WithAuxiliary(build("onenet-e-4-half"), 3).eval()
    image = torch.rand(1, 3, 33, 47)
    twin = copied(heads)
    assert all(torch.equal(a, b) for a, b in zip(heads(image), twin(image), strict=True))


def test_what_is_saved_of_the_network_is_the_network_alone(tmp_path):
    network = build("onenet-e-4").eval()
    plain = copy.deepcopy(network)
    WithAuxiliary(network, 3)
    onenet.save(network, tmp_path / "model.safetensors")
    assert equal(onenet.load(tmp_path / "model.safetensors").state_dict(), plain.state_dict())


def test_a_network_of_one_level_has_no_inner_block():
    heads = WithAuxiliary(build("unet-4", depth=1), 3)
    assert [tuple(level.shape) for level in heads(torch.rand(2, 3, 8, 8))] == [(2, 3, 8, 8)]


def test_the_heads_have_the_precision_of_the_network():
    heads = WithAuxiliary(build("onenet-ed-4").double(), 3)
    assert {level.dtype for level in heads(torch.rand(2, 3, 16, 16).double())} == {torch.float64}


@pytest.mark.parametrize("name", ["onenet-x-n", "dabnet"])
def test_a_network_that_has_nowhere_to_put_heads_is_refused_before_anything_is_written(name, photos, tmp_path):
    root = photos(count=8, size=(24, 24))
    config = load_config("default", [f"data.root={root}", "data.size=16", f"model.name={name}", "loss.auxiliary=0.4"])
    with pytest.raises(
        ConfigError, match=rf"loss.auxiliary=0.4: {name} has no inner levels of a decoder .* leave it out"
    ):
        onenet.train(config, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
