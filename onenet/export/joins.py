"""Sums of convolutions: parallel branches become one, and a convolution of joined tensors can become a sum.

conv_a(x) + conv_b(x)       one convolution, where one kernel holds both (1x9 and 1x3, not 1x9 and 9x1)
conv(concatenate(x, y))     conv_x(x) + conv_y(y): no copy, but a sum. Quicker for kernels of one pixel
"""

import operator
from collections.abc import Sequence

import torch
from torch import fx, nn

from onenet.export.convolutions import ByChannel, Shifted, bias_of, convolution


def merge_branches(form: fx.GraphModule) -> fx.GraphModule:
    """Replace every sum of two convolutions of one tensor by one convolution, in place, where no kernel grows."""
    for node in list(form.graph.nodes):
        if node.op != "call_function" or node.target is not operator.add:
            continue
        one, other = node.args
        convs = [_conv(form, branch) for branch in (one, other)]
        if (
            convs[0] is None
            or convs[1] is None
            or one.args != other.args
            or not (len(one.users) == len(other.users) == 1)
        ):
            continue
        whole = merged(convs[0], convs[1])
        if whole is None:
            continue
        form.set_submodule(str(one.target), whole)
        node.replace_all_uses_with(one)
        form.graph.erase_node(node)
        form.graph.erase_node(other)
        form.delete_submodule(str(other.target))
    form.recompile()
    return form


def merged(one: nn.Conv2d, other: nn.Conv2d) -> nn.Conv2d | None:
    """The sum of two convolutions of one tensor as one; None where its kernel would be larger than both of theirs."""
    alike = all(getattr(one, key) == getattr(other, key) for key in ("stride", "dilation", "groups", "out_channels"))
    centred = all(conv.padding == tuple(d * (k // 2) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
                  and all(k % 2 for k in conv.kernel_size) for conv in (one, other))  # fmt: skip
    kernel = tuple(max(pair) for pair in zip(one.kernel_size, other.kernel_size, strict=True))
    if not (alike and centred and kernel in (one.kernel_size, other.kernel_size)):
        return None
    weight = sum(_widened(conv.weight, kernel) for conv in (one, other))
    assert isinstance(weight, torch.Tensor)
    padding = tuple(d * (k // 2) for d, k in zip(one.dilation, kernel, strict=True))
    return convolution(one, weight, bias_of(one) + bias_of(other), padding=padding)


def sum_joined(form: fx.GraphModule, only_pointwise: bool = True) -> fx.GraphModule:
    """Replace convolutions of concatenated tensors by a sum of convolutions of each, in place.

    Args:
        only_pointwise: those whose kernel is one pixel, rather than all.
    """
    for node in list(form.graph.nodes):
        conv = _conv(form, node)
        joined = node.args[0] if conv is not None else None
        if conv is None or conv.groups != 1 or not isinstance(joined, fx.Node) or joined.target is not torch.cat:
            continue
        if only_pointwise and conv.kernel_size != (1, 1):
            continue
        parts: list[fx.Node] = list(joined.args[0])  # type: ignore[arg-type]
        places = _sizes(form, parts)
        if places is None:
            continue
        with form.graph.inserting_before(node):
            terms = []
            for index, (weight, part) in enumerate(zip(conv.weight.split(places, dim=1), parts, strict=True)):
                name = f"{node.target}_{index}"
                bias = bias_of(conv) if index == 0 else torch.zeros_like(bias_of(conv))
                form.add_submodule(name, convolution(conv, weight, bias))
                terms.append(form.graph.call_module(name, (part,)))
            total = terms[0]
            for term in terms[1:]:
                total = form.graph.call_function(operator.add, (total, term))
        node.replace_all_uses_with(total)
        form.graph.erase_node(node)
        if not joined.users:
            form.graph.erase_node(joined)
    form.recompile()
    return form


def _conv(form: fx.GraphModule, node: object) -> nn.Conv2d | None:
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    module = form.get_submodule(str(node.target))
    return module if isinstance(module, nn.Conv2d) else None


def _widened(weight: torch.Tensor, kernel: tuple[int, ...]) -> torch.Tensor:
    """A kernel in the middle of zeros."""
    (up, left) = ((large - small) // 2 for large, small in zip(kernel, weight.shape[2:], strict=True))
    return nn.functional.pad(weight, (left, left, up, up))


def _sizes(form: fx.GraphModule, parts: Sequence[fx.Node]) -> list[int] | None:
    """Channels of each tensor that is joined; None where they cannot be read off the graph."""
    found = [_channels(form, part) for part in parts]
    return None if None in found else found  # type: ignore[return-value]


def _channels(form: fx.GraphModule, node: fx.Node) -> int | None:
    if node.target is operator.add:
        terms = [part for part in node.args if isinstance(part, fx.Node)]
        return next((found for part in terms if (found := _channels(form, part))), None)
    if node.op != "call_module":
        return None
    module = form.get_submodule(str(node.target))
    if isinstance(module, nn.Conv2d):
        return module.out_channels
    before = _channels(form, node.args[0])  # type: ignore[arg-type]
    if isinstance(module, nn.PixelShuffle) and before is not None:
        return before // module.upscale_factor**2
    return before if isinstance(module, nn.ReLU | nn.MaxPool2d | Shifted | ByChannel) else None
