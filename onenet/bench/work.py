"""How much a network computes for one image, and as which matrix products."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onenet.bench.rates import Shape, operations
from onenet.card import Card
from onenet.errors import OneNetError

if TYPE_CHECKING:
    from onenet.deploy.graph import Graph


@dataclass(frozen=True)
class Work:
    """What one image takes.

    Attributes:
        operations: 2 x multiply-adds of all convolutions and products.
        products: (rows, inputs, outputs) of each convolution of all channels as a matrix product, and how often.
    """

    operations: int
    products: Counter[Shape] = field(default_factory=Counter)


def work_of(card: Card, path: Path, size: tuple[int, int]) -> Work | None:
    """The work of a network of the catalogue, else of an ONNX graph of images; None where neither can be counted."""
    if card.architecture != "foreign" and find_spec("torch") and find_spec("jaxtyping"):
        return work_of_network(card, size)
    if path.suffix.lower() != ".onnx":
        return None
    from onenet.deploy.graph import read_graph

    try:
        return work_of_graph(read_graph(path), size)
    except OneNetError:  # onnx is not installed, or its operators are not known
        return None


def work_of_network(card: Card, size: tuple[int, int]) -> Work:
    """Counted on torch's meta device, where nothing is computed."""
    from onenet.models.catalog import arguments_of

    found = _work_of_network(card.architecture, json.dumps(arguments_of(card)), size)
    return replace(found, products=found.products.copy())


@lru_cache(maxsize=32)  # a network is timed in several files and runtimes
def _work_of_network(architecture: str, arguments_json: str, size: tuple[int, int]) -> Work:
    import torch
    from torch import nn

    from onenet.bench.complexity import measure
    from onenet.models.catalog import create_model

    arguments = json.loads(arguments_json)
    with torch.device("meta"):
        network = create_model(architecture, **arguments).eval()
        image = torch.zeros(1, network.in_channels, *size)
    products: Counter[Shape] = Counter()

    def count(module: Any, inputs: Any, output: torch.Tensor) -> None:
        kernel = prod(module.kernel_size)
        if isinstance(module, nn.ConvTranspose2d):
            products[prod(inputs[0].shape[2:]), module.in_channels, module.out_channels * kernel] += 1
        elif module.groups == 1:
            products[prod(output.shape[2:]), module.in_channels * kernel, module.out_channels] += 1

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(image)
    return Work(measure(lambda: create_model(architecture, **arguments), size).flops, products)


def work_of_graph(graph: "Graph", size: tuple[int, int]) -> Work:
    """Of an ONNX graph of images.

    Raises:
        ExportError: a shape cannot be worked out.
    """
    shapes = graph.at(size).shapes
    total, products = 0, Counter[Shape]()
    for node in graph.nodes:
        if node.op_type not in _COUNTED or not graph.from_image & set(node.input):
            continue
        first, second, out = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
        options = {attribute.name: attribute.i for attribute in node.attribute}
        groups = options.get("group", 1)
        if node.op_type == "Conv":
            shape = (out[0] * prod(out[2:]), prod(second[1:]), second[0])
        elif node.op_type == "ConvTranspose":
            shape = (first[0] * prod(first[2:]), first[1] // groups, prod(second[1:]) * groups)
        else:
            shape = (prod(out[:-1]), first[0 if options.get("transA") else -1], out[-1])
        total += operations(shape)
        if groups == 1:
            products[shape] += 1
    return Work(total, products)


_COUNTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
