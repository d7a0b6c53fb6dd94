"""Every network by name, in the order of the paper's Table 2, and `create_model`, which builds one.

After the paper's networks stand small ones by others, for comparison.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any, SupportsIndex

import torch

from onenet.card import Card, default_classes, default_colours
from onenet.errors import ConfigError, did_you_mean
from onenet.models.backbones import LAYOUTS, resnet_unet
from onenet.models.dabnet import dabnet
from onenet.models.erfnet import erfnet
from onenet.models.lraspp import lraspp
from onenet.models.network import Network
from onenet.models.onenet import effective, onenet
from onenet.models.onenet_x import onenet_x
from onenet.models.u_lite import u_lite
from onenet.models.unet import mobilenet_unet, unet
from onenet.weights import shipped_names

Builder = Callable[..., Network]

MOST_PARAMETERS = 2_000_000_000  # 8 GB; Table 2 ends at a tenth of it, and more is a slip of the keyboard

CATALOG: dict[str, tuple[Builder, dict[str, Any]]] = {
    "unet-4": (unet, dict(width=64, depth=4, stem_repeat=2)),
    "unet-5": (unet, dict(width=64, depth=5, stem_repeat=2)),
    "resnet34-unet": (resnet_unet, dict(layers=34, width=64)),
    "resnet50-unet": (resnet_unet, dict(layers=50, width=64)),
    "mobilenet-unet-4": (mobilenet_unet, dict(width=64, depth=4, stem_repeat=3)),
    "onenet-e-4": (onenet, dict(replaced="e", width=64, depth=4, stem_repeat=3)),
    "onenet-e-5": (onenet, dict(replaced="e", width=64, depth=5, stem_repeat=3)),
    "onenet-ed-4": (onenet, dict(replaced="ed", width=64, depth=4, stem_repeat=3)),
    "onenet-ed-5": (onenet, dict(replaced="ed", width=64, depth=5, stem_repeat=3)),
    "onenet-e-4-spatial": (onenet, dict(replaced="e", width=64, depth=4, stem_repeat=3, spatial_kernel=9)),
    "onenet-e-5-spatial": (onenet, dict(replaced="e", width=64, depth=5, stem_repeat=3, spatial_kernel=9)),
    "onenet-ed-4-spatial": (onenet, dict(replaced="ed", width=64, depth=4, stem_repeat=3, spatial_kernel=9)),
    "onenet-ed-5-spatial": (onenet, dict(replaced="ed", width=64, depth=5, stem_repeat=3, spatial_kernel=9)),
    "onenet-e-4-half": (onenet, dict(replaced="e", width=64, depth=4, stem_repeat=3, half=True)),
    "onenet-ed-4-half": (onenet, dict(replaced="ed", width=64, depth=4, stem_repeat=3, half=True)),
    "onenet-d-4": (onenet, dict(replaced="d", width=64, depth=4, stem_repeat=3)),
    "onenet-x-n": (onenet_x, dict(width=48, deepest=192, expansion=1, encoder="3r|3r|3r 3r", decoder="3r|3r",
                                  logits="every")),
    "onenet-x-s": (onenet_x, dict(width=96, deepest=384, expansion=1, encoder="3r|3r|3r|3r 3r", decoder="3r|3r|3r",
                                  logits="every")),
    "onenet-x-m": (onenet_x, dict(width=128, deepest=512, expansion=1, encoder="3r|3r|3r 3r 3r|3r 3r",
                                  decoder="3r|3r|3r", logits="every")),
    "onenet-x-s-decoder": (onenet_x, dict(width=64, deepest=160, expansion=2, encoder="3|3 3 3|3 3", decoder="3|3",
                                          logits="finest")),
    "dabnet": (dabnet, dict(width=32)),
    "erfnet": (erfnet, dict(width=16)),
    "lraspp-mobilenet-v3-small": (lraspp, dict(trunk="small", width=16, reduced=True)),
    "lraspp-mobilenet-v3-large": (lraspp, dict(trunk="large", width=16, reduced=True)),
    "u-lite": (u_lite, dict(width=16)),
}  # fmt: skip


def list_models(trained: bool = False) -> list[str]:
    """The names that `create_model` takes: in the order of the paper's Table 2, then variants and others' networks.

    Args:
        trained: those of the models that come with their weights instead, which `load` and `Segmenter` take.
    """
    return shipped_names() if trained else list(CATALOG)


def create_model(name: str, in_channels: SupportsIndex = 3, num_classes: SupportsIndex = 2, **sizes: Any) -> Network:
    """Build a network with fresh weights, in train mode; it stands wherever a U-Net stands.

    Args:
        name: one of `list_models()`.
        in_channels: channels of the images.
        num_classes: classes, background included; the logits have as many channels.
        sizes: any argument of the network in place of its default: width, depth, stem_repeat, spatial_kernel, ...

    Returns:
        A module that takes images (b, in_channels, h, w) in [0, 1], of any height and width, and gives logits
        (b, num_classes, h, w). Its `card` says what it is.

    Raises:
        ConfigError: unknown name or argument (the nearest one is suggested), a value out of range, or sizes that
            make more than 2e9 parameters; nothing is allocated then.
    """
    if not isinstance(name, str):
        raise ConfigError(f"the name of a model is a word such as 'onenet-ed-4', not {name!r}")
    if name not in CATALOG:
        if name in shipped_names():
            raise ConfigError(f"{name!r} is a trained model of the package: onenet.load({name!r}) gives it")
        raise ConfigError(f"unknown model {name!r}: {did_you_mean(name, CATALOG)}")
    builder, defaults = CATALOG[name]
    known = inspect.signature(builder).parameters
    arguments = {"in_channels": _plain(in_channels), "num_classes": _plain(num_classes), **defaults}
    arguments |= {key: _plain(value) for key, value in sizes.items()}
    for key, value in arguments.items():
        if key == "pretrained":
            others = "onenet.load('pet') gives a trained model, train.init=pet trains on from one (docs/training.md)"
            raise ConfigError(f"pretrained={value!r}: create_model makes fresh weights; leave it out ({others})")
        if key not in known:
            raise ConfigError(f"model {name} has no argument {key!r}: {did_you_mean(key, known)}")
        default = known[key].default
        if type(value) is not type(default):
            raise ConfigError(f"model.{key}={value!r}: expected {type(default).__name__}, for example {default!r}")
    _check_sizes(arguments)
    with torch.device("meta"):  # shapes only: too large a network is known before it takes memory
        count = sum(parameter.numel() for parameter in builder(**arguments).parameters())
    if count > MOST_PARAMETERS:
        raise ConfigError(f"model {name}: these sizes make {count:,} parameters; lower width, depth or stem_repeat")
    model = builder(**arguments)
    model.card = Card(
        architecture=name,
        arguments=arguments,
        classes=default_classes(arguments["num_classes"]),
        colours=default_colours(arguments["num_classes"]),
        stride=model.stride,
    )
    return model


def arguments_of(card: Card) -> dict[str, Any]:
    """A card's arguments for `create_model`, with those that did not exist yet when it was written.

    Those are the builder's defaults, which stay what a network was before it could be said; what the name means now,
    the catalogue's, may be another network.
    """
    if card.architecture not in CATALOG:
        return dict(card.arguments)
    builder = CATALOG[card.architecture][0]
    known = inspect.signature(builder).parameters
    arguments = {name: argument.default for name, argument in known.items()} | card.arguments
    return effective(arguments) if builder is onenet else arguments


def _plain(value: Any) -> Any:
    """NumPy's integers as Python's; all else as it is."""
    if isinstance(value, bool):
        return value
    try:
        return operator.index(value)
    except TypeError:
        return value


def _check_sizes(sizes: dict[str, Any]) -> None:
    least = {"spatial_kernel": 0}
    most = {"depth": 8, "num_classes": 254}  # 255 is the label that is not counted
    for key, value in sizes.items():
        if key == "layers" and value not in LAYOUTS:
            raise ConfigError(f"layers={value}: choose from {', '.join(map(str, LAYOUTS))}")
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if value < least.get(key, 1):
            raise ConfigError(f"{key}={value}: must be at least {least.get(key, 1)}")
        if value > most.get(key, 1 << 16):
            why = " (255 marks what is not counted)" if key == "num_classes" else ""
            raise ConfigError(f"{key}={value}: must be at most {most.get(key, 1 << 16)}{why}")
