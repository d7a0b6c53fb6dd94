"""Untrained networks, whose activations must be like those of trained ones."""

import torch
from torch import nn

import onenet
from onenet.bench.candidates import literal_candidate, open_candidate
from onenet.bench.fresh_networks import fresh_network, literal_network
from onenet.bench.photos import photo_in_memory, prepared

SMALL = "onenet-ed-4,width=4,depth=2,stem_repeat=1"
LITERAL = dict(num_classes=2, width=4, depth=2, stem_repeat=1, in_channels=3)


def test_activations_of_fresh_networks_neither_vanish_nor_grow():
    seen = []
    for network in (fresh_network("onenet-ed-4,width=8"), literal_network(LITERAL)):
        for norm in (part for part in network.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))):
            assert norm.weight.std() > 0.1 or len(norm.weight) < 20
            norm.register_forward_hook(lambda module, inputs, output: seen.append(output.std().item()))
        with torch.no_grad():
            network(torch.from_numpy(prepared(photo_in_memory(3, 64), onenet.create_model("unet-4", width=4).card)))
    assert len(seen) > 20 and all(0.05 < value < 20 for value in seen), seen


def test_fresh_networks_are_the_same_each_time_and_of_the_sizes_asked_for():
    one, two = fresh_network(SMALL), fresh_network(SMALL)
    assert one.card.arguments["width"] == 4 and one.stride == 4 and not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert fresh_network("onenet-ed-4,width=4,half=true").card.arguments["half"] is True


def test_the_literal_form_has_spatial_convolutions_and_the_sizes_of_the_model():
    card = fresh_network(SMALL).card
    candidate = literal_candidate(card)
    assert candidate.literal == LITERAL
    network = literal_network(candidate.literal)
    assert sum("spatial" in name and name.endswith("weight") for name in network.state_dict()) == 4  # 2 down, 2 up
    assert candidate.megabytes == sum(4 * parameter.numel() for parameter in network.parameters()) / 1e6
    assert open_candidate(candidate, 1)(photo_in_memory(3, 32)).mask.shape == (32, 32)
