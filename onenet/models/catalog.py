"""Every network by name, in the order of the paper's Table 2, and `create_model`, which builds one."""

import inspect
from collections.abc import Callable
from typing import Any

from onenet.card import Card, default_classes, default_colours
from onenet.errors import ConfigError, did_you_mean
from onenet.models.backbones import LAYOUTS, resnet_unet
from onenet.models.network import Network
from onenet.models.onenet import onenet
from onenet.models.unet import mobilenet_unet, unet

Builder = Callable[..., Network]

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
}  # fmt: skip


def list_models() -> list[str]:
    """The names that `create_model` takes, in the order of the paper's Table 2, variants after."""
    return list(CATALOG)


def create_model(name: str, in_channels: int = 3, num_classes: int = 2, **sizes: Any) -> Network:
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
        ConfigError: unknown name or argument (the nearest one is suggested), or a value out of range.
    """
    if name not in CATALOG:
        raise ConfigError(f"unknown model {name!r}: {did_you_mean(name, CATALOG)}")
    builder, defaults = CATALOG[name]
    known = inspect.signature(builder).parameters
    for key, value in {"in_channels": in_channels, "num_classes": num_classes, **sizes}.items():
        if key not in known:
            raise ConfigError(f"model {name} has no argument {key!r}: {did_you_mean(key, known)}")
        default = known[key].default
        if type(value) is not type(default):
            raise ConfigError(f"model.{key}={value!r}: expected {type(default).__name__}, for example {default!r}")
    sizes = {**defaults, **sizes}
    _check_sizes({"in_channels": in_channels, "num_classes": num_classes, **sizes})
    model = builder(in_channels=in_channels, num_classes=num_classes, **sizes)
    model.card = Card(
        architecture=name,
        arguments={"in_channels": in_channels, "num_classes": num_classes, **sizes},
        classes=default_classes(num_classes),
        colours=default_colours(num_classes),
        stride=model.stride,
    )
    return model


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
            raise ConfigError(f"{key}={value}: must be at most {most.get(key, 1 << 16)}")
