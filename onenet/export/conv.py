"""The convolution form: the same network with as few operations as it can be written in, exactly.

    norm after a convolution            into its weights
    norm after convolution and ReLU     |s| into the convolution before, the sign of s and the shift into those after
    standardisation                     into the stem
    unshuffle, 1x1 convolution          one 2x2 convolution of stride 2
    2x2 transposed convolution          1x1 convolution, shuffle (which the integer kernels of every runtime have)
    1x1 convolution of joined tensors   a sum of convolutions of each

A shift cannot go through what puts zeros around its input: there one addition stays. A norm whose four phases differ
stays in front of the pixel-shuffle that mixes them (the flat form has a way around that). Dropout is gone; activations,
poolings and products of tensors read what was put off as it was meant.
"""

import copy
import operator
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from onenet.errors import ExportError
from onenet.export import convolutions
from onenet.export.convolutions import Affine, ByChannel, Shifted
from onenet.export.joins import merge_branches, sum_joined
from onenet.export.tracing import untyped
from onenet.layers.shuffle import Repeat, Shuffle, Unshuffle
from onenet.layers.spatial import SpatialConv
from onenet.models.network import MEAN, STD, Network, Standardise

REWRITES = ("norm", "unshuffle", "transposed", "joined")  # by their names for `leave`

_PLAIN = (  # what keeps its channels apart, in the number in which they came
    nn.ReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, SpatialConv,
)  # fmt: skip
_ARITHMETIC = (operator.add, operator.mul)

_WHOLE = (Standardise, Unshuffle, Shuffle, Repeat, SpatialConv)  # what is not looked into


class Padded(nn.Module):
    """A network without its pad, crop and checks: images whose sizes are multiples of its stride."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.standardise, self.head = network.standardise, network.head
        self.encoder, self.decoder = network.encoder, network.decoder

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k ho wo"]:
        return self.head(self.decoder(self.encoder(self.standardise(image))))


def plain_form(network: Network) -> Padded:
    """A copy of a network as it was trained, norms and all, in evaluation mode, for images of whole strides."""
    return Padded(copy.deepcopy(network)).eval()


def conv_form(network: Network, dtype: torch.dtype = torch.float32, leave: Collection[str] = ()) -> fx.GraphModule:
    """A network's convolution form, for images (b, c, h, w) in [0, 1] whose sizes are multiples of its stride.

    The network itself is not changed; the folding is computed in double precision.

    Args:
        leave: which of `REWRITES` to leave out, to measure what each is worth.

    Raises:
        ExportError: the network holds an operation that this does not know.
    """
    padded = plain_form(network).double()
    with untyped():
        graph = _Tracer().trace(padded)
    with torch.no_grad():
        form = merge_branches(_Rewriter(padded, graph, network.in_channels, leave).rewritten())
        return (form if "joined" in leave else sum_joined(form)).to(dtype).eval()


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, _WHOLE) or super().is_leaf_module(module, name)


@dataclass(frozen=True)
class _Value:
    """A tensor of the network: what the new graph holds, and what that stands for."""

    stored: fx.Node
    affine: Affine
    halved: bool = False  # pixel-unshuffle of what is stored; the affine is of the unshuffled channels


class _Rewriter:
    """Goes through a traced network once and writes the new graph."""

    def __init__(self, network: Padded, traced: fx.Graph, in_channels: int, leave: Collection[str]) -> None:
        self.network, self.traced, self.in_channels, self.leave = network, traced, in_channels, leave
        self.root, self.graph = nn.Module(), fx.Graph()
        self.values: dict[fx.Node, _Value] = {}
        self.shifted: dict[tuple[fx.Node, int], _Value] = {}

    def rewritten(self) -> fx.GraphModule:
        for node in self.traced.nodes:
            if node.op == "placeholder":
                self.values[node] = _Value(self.graph.placeholder("image"), Affine.nothing(self.in_channels))
            elif node.op == "call_module":
                self.values[node] = self._module(node, self.network.get_submodule(str(node.target)))
            elif node.op == "call_function":
                self.values[node] = self._function(node)
            elif node.op == "output":
                self.graph.output(self._settled(self._input(node)))
            else:
                raise ExportError(f"the convolution form does not know {node.target}; use --form plain")
        return fx.GraphModule(self.root, self.graph)

    def _module(self, node: fx.Node, module: nn.Module) -> _Value:
        value = self._input(node)
        match module:
            case nn.Identity() | nn.Dropout() | nn.Dropout2d():
                return value
            case Standardise():
                mean, scale = -MEAN / STD, 1 / STD
                return self._put_off(value, Affine(value.affine.scale * 0 + scale, value.affine.scale * 0 + mean))
            case nn.Conv2d():
                return self._convolution(value, module)
            case nn.ConvTranspose2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), groups=1) if (
                "transposed" not in self.leave
            ):
                conv = self._convolution(value, convolutions.unshuffling(module))
                return self._added(Shuffle(), conv.stored, Affine.nothing(module.out_channels))
            case nn.ConvTranspose2d():
                return self._added(module, self._settled(value), Affine.nothing(module.out_channels))
            case nn.BatchNorm2d():
                return self._norm(node, value, Affine.of_norm(module))
            case Unshuffle() if not value.halved:
                halved = _Value(value.stored, value.affine.in_four(), halved=True)
                return self._whole(halved) if "unshuffle" in self.leave else halved
            case Shuffle() if not value.halved and (quarter := value.affine.shuffled(module.upscale_factor)):
                return self._added(module, value.stored, quarter)
            case nn.MaxPool2d() if not value.halved and bool((value.affine.scale > 0).all()):
                return self._added(module, value.stored, value.affine)
            case Repeat() | nn.Upsample() if not value.halved:  # what is between pixels has their affine
                return self._added(module, value.stored, value.affine)
            case Shuffle():
                left = len(value.affine.scale) // module.upscale_factor**2
                return self._added(module, self._settled(value), Affine.nothing(left))
        if isinstance(module, _PLAIN):
            return self._added(module, self._settled(value), Affine.nothing(len(value.affine.scale)))
        raise ExportError(f"the convolution form does not know {type(module).__name__}; use --form plain")

    def _function(self, node: fx.Node) -> _Value:
        if node.target is torch.cat and node.kwargs.get("dim") == 1:
            if len(node.args[0]) == 1:  # type: ignore[arg-type]
                return self.values[node.args[0][0]]  # type: ignore[index]
            parts = [self._whole(self.values[tensor]) for tensor in node.args[0]]  # type: ignore[union-attr, index]
            if any(
                isinstance(conv := self._traced_module(user), nn.Conv2d) and any(conv.padding) for user in node.users
            ):
                parts = [self._shifted(part) for part in parts]  # now, while there are fewer channels
            scale = torch.cat([part.affine.scale for part in parts])
            shift = torch.cat([part.affine.shift for part in parts])
            return _Value(
                self.graph.call_function(torch.cat, ([part.stored for part in parts], 1)), Affine(scale, shift)
            )
        if node.target in _ARITHMETIC and all(isinstance(argument, fx.Node) for argument in node.args):
            parts = [self.values[argument] for argument in node.args]  # type: ignore[index]
            made = self.graph.call_function(node.target, tuple(self._settled(part) for part in parts))
            return _Value(made, Affine.nothing(max(len(part.affine.scale) for part in parts)))
        raise ExportError(f"the convolution form does not know {node.target}; use --form plain")

    def _convolution(self, value: _Value, conv: nn.Conv2d) -> _Value:
        nothing = Affine.nothing(conv.out_channels)
        pointwise = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1
        if value.halved and pointwise:
            return self._added(convolutions.strided(convolutions.reading(conv, value.affine)), value.stored, nothing)
        value = self._shifted(value) if any(conv.padding) else self._whole(value)
        return self._added(convolutions.reading(conv, value.affine), value.stored, nothing)

    def _shifted(self, value: _Value) -> _Value:
        """With its shift done, once for all that read it, so that zeros stand for zeros."""
        value, affine = self._whole(value), value.affine
        if affine.is_scale:
            return value
        key = value.stored, id(affine)
        if key not in self.shifted:
            scale = Affine(affine.scale, torch.zeros_like(affine.shift))
            self.shifted[key] = self._added(Shifted(affine.shift / affine.scale), value.stored, scale)
        return self.shifted[key]

    def _norm(self, node: fx.Node, value: _Value, norm: Affine) -> _Value:
        """A norm goes into the convolution that it follows, as far as a ReLU between them lets it."""
        before = node.args[0]
        act = isinstance(self._traced_module(before), nn.ReLU)
        conv = before.args[0] if act else before  # type: ignore[union-attr]
        alone = len(before.users) == 1 and (not act or len(conv.users) == 1)  # type: ignore[union-attr]
        convolved = isinstance(self._traced_module(conv), nn.Conv2d | nn.ConvTranspose2d)
        name = str(self.values[conv].stored.target) if convolved else ""  # type: ignore[index]
        made = self.root.get_submodule(name)
        if not (alone and isinstance(made, nn.Conv2d | nn.ConvTranspose2d)) or "norm" in self.leave:
            value = self._put_off(value, norm)
            return _Value(self._settled(value), Affine.nothing(len(norm.scale))) if "norm" in self.leave else value
        if not act:
            self.root.set_submodule(name, convolutions.giving(made, norm))
            return value
        sign = torch.where(norm.scale < 0, -torch.ones_like(norm.scale), torch.ones_like(norm.scale))
        size = Affine(norm.scale.abs(), torch.zeros_like(norm.shift))
        self.root.set_submodule(name, convolutions.giving(made, size))
        return _Value(value.stored, Affine(sign, norm.shift))

    def _traced_module(self, node: Any) -> nn.Module | None:
        is_module = isinstance(node, fx.Node) and node.op == "call_module"
        return self.network.get_submodule(str(node.target)) if is_module else None

    def _input(self, node: fx.Node) -> _Value:
        return self.values[node.args[0]]  # type: ignore[index]

    def _put_off(self, value: _Value, affine: Affine) -> _Value:
        return _Value(value.stored, affine.after(value.affine), value.halved)

    def _whole(self, value: _Value) -> _Value:
        """With the unshuffle, if there was one to be done, done."""
        return self._added(Unshuffle(), value.stored, value.affine) if value.halved else value

    def _settled(self, value: _Value) -> fx.Node:
        """The tensor itself: all that was put off is done."""
        value = self._whole(value)
        if value.affine.is_nothing:
            return value.stored
        return self._added(ByChannel(value.affine), value.stored, value.affine).stored

    def _added(self, module: nn.Module, stored: fx.Node, affine: Affine) -> _Value:
        """What a module makes of a stored tensor, and what that stands for."""
        name = f"{type(module).__name__.lower()}_{len(self.graph.nodes)}"
        self.root.add_module(name, module)
        return _Value(self.graph.call_module(name, (stored,)), affine)
