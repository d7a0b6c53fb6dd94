"""INT8 that keeps its score: layers that harm it are left in float, the most harmful first, until it holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onenet.deploy.runtime import Session
from onenet.export.int8 import MULTIPLIED, quantised


@dataclass(frozen=True)
class Quantised:
    """An INT8 graph and what it cost.

    Attributes:
        kept: places, among the layers with weights, of those left in float; `names` are their names.
        before, after: the score of the float graph and of this one.
    """

    model: onnx.ModelProto
    kept: tuple[int, ...]
    names: tuple[str, ...]
    before: float
    after: float


def quantised_within(
    model: onnx.ModelProto,
    batches: Sequence[NDArray],
    open_graph: Callable[[onnx.ModelProto], Session],
    score: Callable[[onnx.ModelProto], float],
    max_drop: float,
) -> Quantised:
    """Quantise a graph so that its score falls by at most `max_drop`; where even that fails, the last try is returned.

    Args:
        batches: what goes into the graph, from real images, to calibrate on.
        open_graph: makes a graph computable.
        score: of a graph, higher is better.
        max_drop: in the units of the score.
    """
    layers, before = layer_names(model), score(model)
    kept: tuple[int, ...] = ()
    harm: list[int] | None = None
    while True:
        names = tuple(layers[place] for place in sorted(kept))
        made = quantised(model, batches, names)
        after = score(made)
        if before - after <= max_drop or len(kept) == len(layers):
            return Quantised(made, tuple(sorted(kept)), names, before, after)
        harm = harm if harm is not None else most_harmful(model, batches, open_graph)
        kept = tuple(harm[: max(1, 2 * len(kept))])


def most_harmful(
    model: onnx.ModelProto, batches: Sequence[NDArray], open_graph: Callable[[onnx.ModelProto], Session]
) -> list[int]:
    """Places of the layers, the one first whose quantisation alone changes the output most.

    A few images say that as well as all of them, and each layer has to be tried.
    """
    layers, tried = layer_names(model), batches[:4]
    exact = [open_graph(model)(batch) for batch in tried]
    errors = []
    for name in layers:
        session = open_graph(quantised(model, tried, [other for other in layers if other != name]))
        errors.append(sum(_error(session(x), y) for x, y in zip(tried, exact, strict=True)))
    return [int(place) for place in np.argsort(errors)[::-1]]


def _error(output: NDArray, exact: NDArray) -> float:
    """Of logits the mean squared error; of classes the share of wrong ones."""
    return float((output != exact).mean() if exact.dtype == np.uint8 else np.square(output - exact).mean())


def layer_names(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that hold weights, in the graph's order."""
    return [node.name for node in model.graph.node if node.op_type in MULTIPLIED]
