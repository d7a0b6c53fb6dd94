"""Untrained networks whose activations are like those of trained ones: what they cost is what a trained one costs.

Norms have random factors, above zero as training leaves them nearly always, and the statistics of what really arrives
at them, so that no activation vanishes (a processor computes with the tiniest numbers much more slowly) or grows.
"""

from typing import Any

import torch
from torch import nn

from onenet.bench.literal import LiteralOneNet
from onenet.errors import ConfigError
from onenet.models.catalog import create_model
from onenet.models.network import Network


def fresh_network(model: str) -> Network:
    """A network by name, `NAME[,key=value...]`, the same each time, in evaluation mode.

    Raises:
        ConfigError: unknown name or key.
    """
    name, *changes = model.split(",")
    sizes: dict[str, Any] = dict(_change(model, change) for change in changes)
    torch.manual_seed(0)
    network = create_model(name, **sizes)
    settle(network, network.in_channels, network.stride)
    return network.eval()


def literal_network(sizes: dict[str, int]) -> LiteralOneNet:
    """The authors' formulation with its spatial convolutions, the same each time, in evaluation mode."""
    torch.manual_seed(0)
    network = LiteralOneNet(**sizes)
    settle(network, sizes["in_channels"], 2 ** sizes["depth"])
    return network.eval()


def settle(network: nn.Module, in_channels: int, stride: int) -> None:
    """Give the norms random factors, and the statistics that smooth images lead to."""
    norms = [part for part in network.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.normal_(std=0.2)
        norm.momentum = 1.0  # the statistics of one batch
    coarse = torch.rand(2, in_channels, 8, 8)
    images = nn.functional.interpolate(coarse, size=4 * stride, mode="bilinear", antialias=False)
    network.train()
    with torch.no_grad():
        network(images)
    for norm in norms:
        norm.momentum = 0.1


def _change(model: str, change: str) -> tuple[str, object]:
    key, separator, value = change.partition("=")
    if not separator:
        raise ConfigError(f"{model}: after the name come key=value pairs, not {change!r}")
    if value in ("true", "false"):
        return key, value == "true"
    try:
        return key, int(value)
    except ValueError:
        return key, value
