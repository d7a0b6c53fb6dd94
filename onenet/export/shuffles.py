"""The convolution form with its shuffles as convolutions, exactly: for runtimes that must keep a network in one piece.

    pixel-shuffle      transposed convolution of its factor, weights 0 and 1 (in one group: see docs/notebook.md)
    conv 1x1, shuffle  one transposed convolution of the convolution's own weights, also with a ReLU between
    pixel-unshuffle    2x2 convolution of stride 2, each channel to four, weights 0 and 1
    repeat             transposed 2x2 convolution of ones
    scale and shift    1x1 convolution of each channel by itself

As views and transposes, a shuffle knows the image's size, and runtimes such as XNNPACK take those for one size only. As
convolutions they are the same at every size, and a multiplication by 1 or 0 changes no number.
"""

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from onenet.export.convolutions import ByChannel, Shifted, bias_of
from onenet.export.tracing import untyped
from onenet.layers.shuffle import Repeat, Shuffle, Unshuffle


def shuffles_as_convolutions(form: fx.GraphModule, in_channels: int, stride: int) -> fx.GraphModule:
    """Replace every shuffle, repetition and scale of a convolution form by a convolution, in place.

    Args:
        form: from `onenet.export.conv.conv_form`.
        in_channels: of its images.
        stride: images whose sizes are multiples of it are what the form takes.
    """
    dtype = next((parameter.dtype for parameter in form.parameters()), torch.float64)
    with untyped(), torch.no_grad():
        ShapeProp(form).propagate(torch.zeros(1, in_channels, stride, stride, dtype=dtype))
        for node in list(form.graph.nodes):
            if node.op == "call_module" and not _joined(form, node):
                module = form.get_submodule(str(node.target))
                made = _as_convolution(module, node.args[0].meta["tensor_meta"].shape[1])
                if made is not None:
                    form.set_submodule(str(node.target), made.to(dtype))
    form.recompile()
    return form.eval()


def _as_convolution(module: nn.Module, channels: int) -> nn.Module | None:
    """What computes the same for so many channels; None where there is nothing to be replaced."""
    match module:
        case Shuffle(upscale_factor=factor):
            places = factor**2
            spread = nn.ConvTranspose2d(channels, channels // places, factor, stride=factor, bias=False)
            group = torch.eye(channels // places, dtype=torch.float64).repeat_interleave(places, dim=0)
            return _with(spread, _phases(channels, factor) * group[:, :, None, None])
        case Unshuffle():
            gathered = nn.Conv2d(channels, 4 * channels, 2, stride=2, groups=channels, bias=False)
            return _with(gathered, _phases(4 * channels, 2))
        case Repeat():
            repeated = nn.ConvTranspose2d(channels, channels, 2, stride=2, groups=channels, bias=False)
            return _with(repeated, torch.ones(channels, 1, 2, 2))
        case ByChannel():
            return _with(nn.Conv2d(channels, channels, 1, groups=channels), module.scale[..., None], module.shift)
        case Shifted():
            return _with(nn.Conv2d(channels, channels, 1, groups=channels), torch.ones(channels, 1, 1, 1), module.shift)
    return None


def _phases(channels: int, factor: int) -> Tensor:
    """Weights that carry channel factor²*c + factor*row + column to place (row, column), or from it."""
    places = torch.arange(channels) % factor**2
    return nn.functional.one_hot(places, factor**2).view(channels, 1, factor, factor).to(torch.float64)


def _with(conv: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    conv.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().flatten().clone(), requires_grad=False)
    return conv


def _joined(form: fx.GraphModule, node: fx.Node) -> bool:
    """Make a 1x1 convolution and the shuffle behind it one transposed convolution; False where that cannot be."""
    shuffle = form.get_submodule(str(node.target))
    if not isinstance(shuffle, Shuffle) or shuffle.upscale_factor != 2:
        return False
    last = before = node.args[0]
    if isinstance(_module(form, before), nn.ReLU) and len(before.users) == 1:  # type: ignore[union-attr]
        before = before.args[0]  # type: ignore[union-attr]
    conv = _module(form, before)
    if not isinstance(conv, nn.Conv2d) or len(before.users) > 1 or len(last.users) > 1:  # type: ignore[union-attr]
        return False
    bias = bias_of(conv).view(-1, 4)
    if conv.kernel_size != (1, 1) or conv.stride != (1, 1) or conv.groups != 1 or not (bias == bias[:, :1]).all():
        return False  # a transposed convolution has one bias for its four phases
    weight = conv.weight[:, :, 0, 0].unflatten(0, (-1, 2, 2)).permute(3, 0, 1, 2)  # i o row column
    transposed = nn.ConvTranspose2d(conv.in_channels, conv.out_channels // 4, 2, stride=2)
    form.set_submodule(str(before.target), _with(transposed, weight, bias[:, 0]))  # type: ignore[union-attr]
    node.replace_all_uses_with(last)  # type: ignore[arg-type]
    form.graph.erase_node(node)
    form.delete_submodule(str(node.target))
    return True


def _module(form: fx.GraphModule, node: object) -> nn.Module | None:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return form.get_submodule(str(node.target))
    return None
