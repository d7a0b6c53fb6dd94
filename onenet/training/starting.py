"""What training starts from: the weights of another model as far as they fit, and the part of them that stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from onenet.card import Card
from onenet.checkpoint import load
from onenet.config import TrainConfig
from onenet.errors import ConfigError
from onenet.models.catalog import arguments_of
from onenet.models.eager import card_of
from onenet.models.network import Network
from onenet.training.backbone_weights import read_backbone


class FrozenNorm(nn.BatchNorm2d):
    """A batch norm in evaluation for good: its statistics are those that it came with."""

    def train(self, mode: bool = True) -> "FrozenNorm":
        return super().train(False)

    def reset_running_stats(self) -> None:
        """Nothing: `settle_norms` measures the others anew."""


@dataclass(frozen=True)
class Start:
    """What a network was given of another one.

    Attributes:
        line: says what was taken and what was not.
        new: names of the weights that were not.
        seen: "seen", the marks of the images that the other one was trained on, "seen_in", the names of their sets.
    """

    line: str
    new: tuple[str, ...]
    seen: dict[str, list[str]]


def begin(network: Network, train: TrainConfig) -> Start | None:
    """Do what `train.init` says; None where it says nothing.

    Raises:
        ConfigError: nothing fits, or `train.freeze` would keep weights that nothing was put into.
        DataError: the model cannot be read.
    """
    start = start_from(network, train.init) if train.init else None
    _check_freezing(train.freeze, start)
    return start


def freeze(network: Network, part: str) -> str:
    """Keep the weights and the norms' statistics of the "encoder" as they are; "none" keeps nothing.

    Returns a line that says what is kept and what is trained, "" where nothing is kept.
    """
    if part == "none":
        return ""
    kept, total = (sum(p.numel() for p in of.parameters()) for of in (network.encoder, network))
    for parameter in network.encoder.parameters():
        parameter.requires_grad_(False)
    for norm in network.encoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.__class__ = FrozenNorm
            norm.eval()
    return f"{kept:,} of {total:,} parameters stay as they are, the {part}'s; {total - kept:,} are trained"


def start_from(network: Network, source: str) -> Start:
    """Give a network the weights of another one wherever name and shape fit.

    Where only the images' channels differ, each of the new ones gets the mean of the old ones' weights.

    Args:
        source: what `onenet.load` takes, or a classifier's weights (`backbone_weights`).

    Raises:
        ConfigError: the encoder's first kernel or most of its kernels do not fit, which would be a start from scratch
            by another name.
        DataError: the model cannot be read.
    """
    other = _read(source)
    theirs, ours = other.weights, network.state_dict()
    stem = _first_convolution(network)
    taken: dict[str, Tensor] = {}
    for name, wanted in ours.items():
        if name not in theirs:
            continue
        if theirs[name].shape == wanted.shape:
            taken[name] = theirs[name]
        elif name == stem:
            adapted = _for_channels(theirs[name], other.in_channels, network.in_channels)
            if adapted.shape == wanted.shape:
                taken[name] = adapted
    learnt = [name for name, _ in network.named_parameters()]
    kernels = [name for name in learnt if name.startswith("encoder.") and ours[name].ndim > 1]
    few = sum(name in taken for name in kernels) < len(kernels) / 2
    if stem not in taken or few:  # what follows would get features that it has never seen
        why = "of whose kernels most do not" if stem in taken else "whose first kernel does not"
        with_sizes, own_sizes = _differing_sizes(other, network)
        found = f"train.init={source}: it is {other.name}{with_sizes}"
        advice = "choose the same network and sizes, or leave train.init out"
        raise ConfigError(f"{found}, {why} fit {_name(network)}{own_sizes}; {advice}")
    with torch.no_grad():
        for name, tensor in taken.items():
            ours[name].copy_(tensor)
    new = [name for name in learnt if name not in taken]
    line = f"starts from {source} ({other.name}): {len(learnt) - len(new)} of {len(learnt)} weights fit"
    if network.in_channels != other.in_channels:
        line += f"; images of {network.in_channels} channels instead of {other.in_channels}"
    return Start(line + (f"; new are {_few(new)}" if new else ""), tuple(new), other.seen)


@dataclass(frozen=True)
class _Source:
    """What is started from."""

    name: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    in_channels: int
    seen: dict[str, list[str]]


def _read(source: str) -> _Source:
    if weights := read_backbone(source):
        channels = weights["encoder.conv1.weight"].shape[1]
        return _Source("a classifier's weights", {}, weights, channels, {"seen": [], "seen_in": []})
    other = load(source)
    training = card_of(other).training
    names = {training.get("data", ""), *training.get("seen_in", ())} - {""}
    seen = {"seen": list(training.get("seen", ())), "seen_in": sorted(names)}
    return _Source(_name(other), arguments_of(card_of(other)), other.state_dict(), other.in_channels, seen)


def _differing_sizes(other: _Source, network: Network) -> tuple[str, str]:
    """What the arguments of two networks of one name are, where they differ: of what is started from, of `network`."""
    ours = arguments_of(card_of(network))
    if other.name != _name(network):
        return "", ""
    shared = [key for key in ours if key not in ("in_channels", "num_classes")]
    differ = [key for key in shared if other.arguments[key] != ours[key]]
    named = [", ".join(f"{key}={of[key]!r}" for key in differ) for of in (other.arguments, ours)]
    return (f" with {named[0]}", f" with {named[1]}") if differ else ("", "")


def _for_channels(weight: Tensor, before: int, after: int) -> Tensor:
    """The first convolution's weights for images of other channels: their mean, so that grey gives what grey gave."""
    by_channel = weight.unflatten(1, (before, -1))  # o channel phase kh kw: an unshuffle keeps a channel together
    mean = by_channel.mean(1, keepdim=True) * (before / after)
    return mean.expand(-1, after, *by_channel.shape[2:]).flatten(1, 2)


def _first_convolution(network: Network) -> str:
    """The name of the weights that see the image."""
    return next(
        f"{name}.weight"
        for name, part in network.encoder.named_modules(prefix="encoder")
        if isinstance(part, nn.Conv2d)
    )


def _name(network: Network) -> str:
    return card_of(network).architecture


def _few(names: list[str]) -> str:
    parts = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    shown = ", ".join(parts[:4])
    return f"{shown} and {len(parts) - 4} more" if len(parts) > 4 else shown


def _check_freezing(part: str, start: Start | None) -> None:
    """Weights that nothing was put into must not stay as they are.

    Raises:
        ConfigError: they would.
    """
    if part == "none":
        return
    if start is None:
        raise ConfigError(f"train.freeze={part} keeps what train.init gives; name a model with train.init=MODEL")
    if new := [name for name in start.new if name.startswith(part)]:
        raise ConfigError(f"train.freeze={part}: {_few(new)} found no weights to keep ({start.line}); leave it out")


def with_seen(card: Card, seen: Mapping[str, Sequence[str]]) -> Card:
    """A card that also remembers the images that the weights it started from were trained on (`Start.seen`)."""
    if not seen:
        return card
    marks = sorted({*card.training["seen"], *seen["seen"]})
    return card.replace(training={**card.training, "seen": marks, "seen_in": list(seen["seen_in"])})
