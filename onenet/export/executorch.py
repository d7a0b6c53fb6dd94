"""A network -> ExecuTorch programs whose every operator XNNPACK computes, in one delegate.

images of any size   convolution form | shuffles as convolutions | [quantised] | XNNPACK | model.pte
blocks of rows       flat form                                   | [quantised] | XNNPACK | model.pte
"""

import operator
from collections import Counter
from collections.abc import Sequence

import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.export import Dim, ExportedProgram

from onenet.card import Card
from onenet.deploy.description import Description
from onenet.deploy.executorch import LARGEST
from onenet.deploy.exported import block_rows
from onenet.deploy.silence import silent_commands
from onenet.errors import ExportError
from onenet.export.conv import conv_form
from onenet.export.flat import FlatForm
from onenet.export.shuffles import shuffles_as_convolutions
from onenet.export.tracing import untyped
from onenet.models.network import Network


def program_form(network: Network, description: Description) -> nn.Module:
    """The form of a network that XNNPACK takes whole: of rows, or of images. The network itself is not changed.

    Raises:
        ExportError: the network holds an operation that the convolution form does not know.
    """
    if description.input == "pixels":
        return FlatForm(network)
    form = conv_form(network, torch.float64)
    return shuffles_as_convolutions(form, network.in_channels, network.stride).float()


def program(form: nn.Module, card: Card, description: Description) -> bytes:
    """The program (.pte) of a form.

    It takes images (1, c, h, w) whose sides are whole strides, with at most `LARGEST` pixels, or rows (n, c), as many
    as `onenet.deploy.exported.block_rows` says.

    Raises:
        ExportError: XNNPACK does not take the whole network in one delegate.
    """
    with silent_commands():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        traced = _traced(form, card, description, fixed=True)
        lowered = to_edge_transform_and_lower(traced, partitioner=[XnnpackPartitioner()])
        check_whole(lowered.exported_program().graph, card)
        return lowered.to_executorch().buffer


def integers(form: nn.Module, card: Card, description: Description, batches: Sequence[NDArray]) -> nn.Module:
    """A form in INT8, weights by channel, with the scales that `batches` of what goes into it ask for."""
    with silent_commands(), torch.no_grad():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(_traced(form, card, description, fixed=False).module(), quantiser)
        for batch in batches:
            prepared(torch.from_numpy(batch))
        return convert_pt2e(prepared)


def _traced(form: nn.Module, card: Card, description: Description, fixed: bool) -> ExportedProgram:
    """Rows of a `fixed` number are what XNNPACK can see as views; to calibrate any number will do."""
    stride = card.stride
    if description.input == "pixels":
        example = torch.zeros(block_rows(stride), card.in_channels)
        sizes = None if fixed else ({0: stride**2 * Dim("tiles", min=1)},)
    else:
        most = int(LARGEST**0.5) // stride
        example = torch.zeros(1, card.in_channels, 2 * stride, 3 * stride)
        sizes = ({2: stride * Dim("rows", min=1, max=most), 3: stride * Dim("columns", min=1, max=most)},)
    with untyped(), torch.no_grad():
        return torch.export.export(form, (example,), dynamic_shapes=sizes, strict=False)


def check_whole(graph: fx.Graph, card: Card) -> None:
    """Make sure that nothing but one delegate is left of a graph.

    Raises:
        ExportError: there is more.
    """
    called = Counter(
        str(getattr(node.target, "__name__", node.target))
        for node in graph.nodes
        if node.op == "call_function" and node.target is not operator.getitem
    )
    delegates = called.pop("executorch_call_delegate", 0)
    if delegates != 1 or called:
        outside = f" and leaves out {len(called)} operators ({', '.join(sorted(called)[:3])}, ...)" if called else ""
        raise ExportError(f"{card.architecture}: XNNPACK takes it in {delegates} pieces{outside}; only networks that "
                          "it takes whole become ExecuTorch programs, so leave executorch out of --to")  # fmt: skip
