"""The footprint of a part of the logits: the part of the image that it depends on, read off an exported graph.

    rows [a, b) of the logits  --walk the graph backwards, operator by operator-->  rows [a', b') of the image

The walk is exact where one interval can say it (convolutions, poolings, shuffles, transposed convolutions), and never
too small. Networks that look at the whole image are refused with the operator that does.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onenet.deploy.calls import Call
from onenet.deploy.graph import Graph, Shape, Sized, read_graph
from onenet.deploy.reach import reach
from onenet.deploy.regions import Interval, Region, interval, is_whole, part, union, whole
from onenet.deploy.runner import Halo
from onenet.errors import ExportError

if TYPE_CHECKING:
    import onnx

_LARGE = 80640  # pixels: a multiple of every stride in use (2^8 * 315), and far more than any network looks


class Footprint:
    """How far a graph's logits look.

    Attributes:
        stride: windows that begin and end at multiples of it give what the whole image gives.
        scale: pixels of the logits for each pixel of the image, in both directions.

    Raises:
        ExportError: the network looks at the whole image, or has an operator whose reach is not known.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        base = graph.at((_LARGE, _LARGE))
        taller, wider = graph.at((2 * _LARGE, _LARGE)), graph.at((_LARGE, 2 * _LARGE))
        self._traits = _Traits.of(base, taller, wider)
        self._rows, self._columns = _image_axis(graph, base, taller), _image_axis(graph, base, wider)
        shape = base.shapes[graph.result]
        self.scale = Fraction(shape[self._rows], _LARGE), Fraction(shape[self._columns], _LARGE)
        self.stride = lcm(_stride(base, taller, graph), _stride(base, wider, graph))

    def needs(self, rows: Interval, columns: Interval, size: tuple[int, int]) -> tuple[Interval, Interval]:
        """The rows and columns of an image of `size` = (h, w) that some rows and columns of its logits depend on.

        Rows and columns are [first, one past last); `size` is in multiples of the stride, and the result lies in it.
        """
        return self._walk(rows, columns, self._graph.at(size))

    def halo(self) -> Halo:
        """How far the logits of any block of whole strides look beyond it, rounded up to the stride.

        Raises:
            ExportError: as far as the image goes.
        """
        stride, sized = self.stride, self._graph.at((_LARGE, _LARGE))
        first = _LARGE // 2 // stride * stride
        block = first, first + 2 * stride
        rows, columns = self._walk(self._scaled(block, 0), self._scaled(block, 1), sized)
        wide = columns == (0, _LARGE)
        if wide:  # then blocks are strips over the whole width
            rows, columns = self._walk(self._scaled(block, 0), self._scaled(columns, 1), sized)
        if rows == (0, _LARGE):
            raise ExportError(
                f"{self._graph.name}: each row looks at all rows of the image ({self._culprit(sized)}), so the network "
                "cannot be cut into tiles"
            )
        top, bottom = _beyond(block, rows, stride)
        left, right = (0, 0) if wide else _beyond(block, columns, stride)
        return Halo(top, bottom, left, right, whole_rows=wide)

    def _scaled(self, block: Interval, axis: int) -> Interval:
        return int(block[0] * self.scale[axis]), int(block[1] * self.scale[axis])

    def _walk(self, rows: Interval, columns: Interval, sized: Sized) -> tuple[Interval, Interval]:
        region = self._regions(rows, columns, sized)[self._graph.image]
        return interval(region[self._graph.rows]), interval(region[self._graph.columns])

    def _regions(self, rows: Interval, columns: Interval, sized: Sized) -> dict[str, Region]:
        """What a part of the logits needs of every tensor, in the order of the walk."""
        graph, shape = self._graph, sized.shapes[self._graph.result]
        asked = {self._rows: part(shape[self._rows], *rows), self._columns: part(shape[self._columns], *columns)}
        wanted: dict[str, Region] = {
            graph.result: tuple(asked.get(axis, whole(length)) for axis, length in enumerate(shape))
        }
        for node in reversed(graph.nodes):
            for output, name in enumerate(node.output):
                if name not in wanted or name not in graph.from_image or not name:
                    continue
                call = self._traits.call(node, graph, sized)
                found = reach(call, output, wanted[name])
                for source, region in zip(node.input, found, strict=False):
                    if region is not None and source in graph.from_image:
                        wanted[source] = union(wanted[source], region) if source in wanted else region
        if graph.image not in wanted:
            raise ExportError(f"{graph.name}: its logits do not depend on the image")
        return wanted

    def _culprit(self, sized: Sized) -> str:
        """The last operator before the logits that needs all rows of its input to give one of its output."""
        middle = _LARGE // 2 // self.stride * self.stride
        block = self._scaled((middle, middle + self.stride), 0)
        wanted = self._regions(block, block, sized)
        for node in reversed(self._graph.nodes):
            for name in node.input:
                axes = self._traits.taller.get(name, frozenset())
                if name in wanted and axes and all(is_whole(wanted[name][axis]) for axis in axes):
                    return f"{node.op_type} {node.name!r}"
        return "the whole graph"


@dataclass(frozen=True)
class _Traits:
    """How the tensors of a graph change with the image's size."""

    taller: dict[str, frozenset[int]]
    growing: dict[str, frozenset[int]]
    varying: set[str]

    @staticmethod
    def of(base: Sized, taller: Sized, wider: Sized) -> "_Traits":
        by_rows, by_columns = (
            {name: _changed(shape, other.shapes[name]) for name, shape in base.shapes.items()}
            for other in (taller, wider)
        )
        growing = {name: by_rows[name] | by_columns[name] for name in base.shapes}
        values = {
            name
            for name, value in base.values.items()
            if any(
                name not in other.values or not np.array_equal(value, other.values[name]) for other in (taller, wider)
            )
        }
        return _Traits(by_rows, growing, values | {name for name, axes in growing.items() if axes})

    def call(self, node: "onnx.NodeProto", graph: Graph, sized: Sized) -> Call:
        from onnx import helper

        inputs = list(node.input)
        return Call(
            kind=node.op_type,
            name=node.name or node.output[0],
            attributes={attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
            shapes=[sized.shapes[name] if name else () for name in inputs],
            values=[sized.values.get(name) for name in inputs],
            from_image=[name in graph.from_image for name in inputs],
            growing=[self.growing[name] if name else frozenset() for name in inputs],
            varying=[name in self.varying for name in inputs],
            results=[sized.shapes.get(name, ()) for name in node.output],
            opset=graph.opset(),
        )


def graph_footprint(source: "str | Path | bytes | onnx.ModelProto") -> Footprint:
    """The footprint of an ONNX file, foreign ones too.

    Raises:
        DataError: the file is missing or damaged.
        ExportError: the network takes images of one size only, looks at all of them, or has an operator whose reach
            is not known.
    """
    return Footprint(read_graph(source))


def halo_of_file(path: str | Path) -> Halo:
    """How far the logits of an ONNX file look; raises as `graph_footprint` and `Footprint.halo` do."""
    return graph_footprint(path).halo()


def _changed(shape: Shape, other: Shape) -> frozenset[int]:
    if len(shape) != len(other):
        return frozenset(range(len(shape)))
    return frozenset(axis for axis, (a, b) in enumerate(zip(shape, other, strict=True)) if a != b)


def _image_axis(graph: Graph, base: Sized, other: Sized) -> int:
    """The axis of the logits along which the images of two sizes differ."""
    small, large = base.shapes[graph.result], other.shapes[graph.result]
    axes = list(_changed(small, large))
    if len(axes) != 1:
        raise ExportError(f"{graph.name}: what it gives is no image of logits with rows and columns")
    if large[axes[0]] != 2 * small[axes[0]]:
        raise ExportError(
            f"{graph.name}: its logits are no whole multiple or part of the image's size (it crops or pads)"
        )
    return axes[0]


def _stride(base: Sized, other: Sized, graph: Graph) -> int:
    """The least number of pixels that is a whole number of places in every tensor."""
    found = 1
    for name in graph.from_image & base.shapes.keys():
        for axis in _changed(base.shapes[name], other.shapes[name]):
            found = lcm(found, Fraction(_LARGE, abs(other.shapes[name][axis] - base.shapes[name][axis])).numerator)
    return found


def _beyond(block: Interval, needed: Interval, stride: int) -> tuple[int, int]:
    before, after = block[0] - needed[0], needed[1] - block[1]
    return max(-(-before // stride) * stride, 0), max(-(-after // stride) * stride, 0)
