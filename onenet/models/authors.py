"""The authors' checkpoints: their names for our weights, both ways.

Kind and sizes are worked out from keys and shapes alone. Their Conv1d weights (n, 1, c) and (n, c, 1) are our 1x1
convolutions (n, c, 1, 1). Their modules also hold one head per upper level which is never run: it is dropped on
the way in and written as zeros on the way out, so that their code loads the file.
"""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from onenet.errors import DataError
from onenet.models.network import Network

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_CONV = ("weight", "bias")


def read_arguments(state: dict[str, Tensor], source: str) -> tuple[str, dict[str, Any]]:
    """The catalog name and the arguments of the network that an authors' state dict belongs to.

    Raises:
        DataError: it is not a state dict of the authors' OneNet.
    """
    try:
        first = state["encoder.bottleneck.blocks.0.conv.weight"]
        depth = _count(state, r"encoder\.convs\.channel_1_(\d+)\.conv\.weight")
        kind = "e" if "decoder.convs.up_1.conv.weight" in state else "ed"
        kernels = {
            part: state.get(f"{part}.convs.spatial_{i}.conv.weight") for part, i in (("encoder", 0), ("decoder", 1))
        }
        head = state["decoder.convs.head_1.conv.weight"]
        if (
            depth < 1
            or first.ndim != 3
            or head.ndim < 3
            or any(k is not None and k.ndim != 3 for k in kernels.values())
            or (kind == "ed" and "decoder.bottleneck.conv.weight" not in state)
        ):
            raise KeyError("decoder.bottleneck.conv.weight")
    except KeyError as error:
        key = error.args[0]
        raise DataError(f"{source}: not a checkpoint of the authors' OneNet (it has no {key})") from None
    found = [part for part, kernel in kernels.items() if kernel is not None]
    kernel = kernels[found[0]] if found else None
    arguments: dict[str, Any] = {
        "in_channels": first.shape[2],
        "num_classes": head.shape[0],
        "width": first.shape[0],
        "depth": depth,
        "stem_repeat": _count(state, r"encoder\.bottleneck\.blocks\.(\d+)\.conv\.weight"),
        "spatial_kernel": 0 if kernel is None else kernel.shape[2],
        "spatial_in": found[0] if len(found) == 1 else "both",
        "replaced": kind,
    }
    if kind == "e" and found == ["encoder"]:
        arguments["spatial_in"] = "both"  # the 2D decoder has no place for one
    return f"onenet-{kind}-{5 if depth == 5 else 4}{'-spatial' if found else ''}", arguments


def from_authors(state: dict[str, Tensor], model: Network, source: str) -> dict[str, Tensor]:
    """The authors' weights under our names and in our shapes.

    Raises:
        DataError: a weight is missing, has another size, or is none of the network's.
    """
    wanted = model.state_dict()
    renamed = {}
    for ours, theirs in _names(model):
        if theirs not in state:
            raise DataError(f"{source}: lacks {theirs}; the file is incomplete")
        tensor = state[theirs]
        if tensor.shape != _as_theirs(wanted[ours], theirs).shape:
            raise DataError(f"{source}: {theirs} has shape {tuple(tensor.shape)}, which does not fit the other weights")
        renamed[ours] = tensor.reshape(wanted[ours].shape)
    known = {theirs for _, theirs in _names(model)}
    for key in state:
        if key not in known and not re.fullmatch(r"decoder\.convs\.head_\d+\.conv\.(weight|bias)", key):
            raise DataError(f"{source}: holds {key}, which the authors' OneNet has not")
    return renamed


def to_authors(model: Network) -> dict[str, Tensor]:
    """Our weights under the authors' names, in their shapes, unused heads included.

    Raises:
        DataError: the network is a variant that the authors' code does not have.
    """
    arguments = model.card.arguments if model.card else {}
    if not _is_authors(arguments):
        name = model.card.architecture if model.card else type(model).__name__
        raise DataError(
            f"{name}: the authors' code has no such network; only onenet-e and onenet-ed as they wrote them"
        )
    ours = model.state_dict()
    state = {}
    for name, theirs in _names(model):
        state[theirs] = _as_theirs(ours[name], theirs).clone()
    classes, *kernel = state["decoder.convs.head_1.conv.weight"].shape
    for i in range(2, int(arguments["depth"]) + 1):
        channels = arguments["width"] * 2**i if arguments["replaced"] == "ed" else arguments["width"] * 2 ** (i - 1)
        state[f"decoder.convs.head_{i}.conv.weight"] = torch.zeros(classes, channels, *kernel[1:])
        state[f"decoder.convs.head_{i}.conv.bias"] = torch.zeros(classes)
    return state


def _is_authors(arguments: dict[str, Any]) -> bool:
    theirs = {"spatial_place": "before", "spatial_order": "pixel", "plain_top": False, "half": False}
    varied = any(arguments.get(key, value) != value for key, value in theirs.items())
    return arguments.get("replaced") in ("e", "ed") and not varied


def _as_theirs(tensor: Tensor, theirs: str) -> Tensor:
    """A weight of ours in their shape."""
    if tensor.shape[2:] == (1, 1):
        return tensor.flatten(1)[:, None] if _slides(theirs) else tensor.flatten(2)
    return tensor


def _slides(theirs: str) -> bool:
    """Whether the authors' Conv1d slides over the flattened tensor (n, 1, c) or takes channels (n, c, 1)."""
    first_of_block = r"encoder\.bottleneck\.blocks\.0\.|decoder\.bottleneck\.|.*convs\.channel_1_"
    return re.match(first_of_block, theirs) is not None


def _names(model: Network) -> Iterator[tuple[str, str]]:
    """(our name, their name) of every weight of the network."""
    modules = dict(model.named_modules())

    def pair(ours: str, theirs: str, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        return ((f"{ours}.{kind}", f"{theirs}.{kind}") for kind in kinds)

    def channel(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
        yield from pair(f"{ours}.conv", f"{theirs}.conv", _CONV)
        yield from pair(f"{ours}.norm", f"{theirs}.bn", _NORM)

    def conv(ours: str, theirs: str, plain: bool) -> Iterator[tuple[str, str]]:
        yield from pair(ours if plain else f"{ours}.0", f"{theirs}.conv.conv", _CONV)
        if not plain:
            yield from pair(f"{ours}.1", f"{theirs}.bn", _NORM)

    for r in range(len(list(modules["encoder.stem"].children())) - 1):
        yield from channel(f"encoder.stem.{r + 1}", f"encoder.bottleneck.blocks.{r}")
    depth = len(list(modules["encoder.blocks"].children()))
    if "decoder.first.conv" in modules:
        yield from channel("decoder.first", "decoder.bottleneck")
    levels = [("encoder", i, i) for i in range(depth)] + [("decoder", i, depth - i) for i in range(depth)]
    for part, ours, theirs in levels:
        block, convs = f"{part}.blocks.{ours}", f"{part}.convs"
        if f"{block}.spatial_1.conv" in modules:
            yield from pair(f"{block}.spatial_1.conv", f"{convs}.spatial_{theirs}.conv", _CONV)
        if f"{block}.convs" in modules:
            yield from pair(f"{block}.up", f"{convs}.up_{theirs}.conv", _CONV)
        for n in (1, 2):
            if f"{block}.convs" in modules:
                yield from conv(f"{block}.convs.{n - 1}", f"{convs}.channel_{n}_{theirs}", plain=theirs == 1)
            else:
                yield from channel(f"{block}.channel_{n}", f"{convs}.channel_{n}_{theirs}")
    yield from pair("head", "decoder.convs.head_1.conv", _CONV)


def _count(state: dict[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, key) is not None for key in state)
