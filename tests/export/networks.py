"""Networks as training might leave them, for the tests of their rewrites."""

import torch
from torch import nn

import onenet


def uneven(name, **sizes):
    """A small network in double precision whose norms are anything: negative, zero, of any mean and variance."""
    torch.manual_seed(1)
    network = onenet.create_model(name, **{"width": 4, "num_classes": 3, **sizes})
    for norm in (part for part in network.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.weight.data.normal_()
        norm.weight.data[0] = 0.0
        norm.bias.data.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.1, 2)
    return network.double().eval()
