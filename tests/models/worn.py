"""Parts of networks as training might leave them."""

import torch
from torch import nn

import onenet


def whole(name, num_classes=2, **sizes):
    """In its full width, without numbers."""
    with torch.device("meta"):
        return onenet.create_model(name, num_classes=num_classes, **sizes)


def worn(module):
    """In evaluation and double precision, with norms and slopes that do something."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
        elif isinstance(part, nn.PReLU):
            nn.init.uniform_(part.weight, -0.5, 0.5)
    return module.double().eval()


def tensor(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
