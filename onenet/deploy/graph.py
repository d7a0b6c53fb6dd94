"""An ONNX graph and the shapes of all its tensors for an image of a given size.

Exporters compute shapes inside the graph (Shape, Div, Concat, Reshape), which ONNX's own inference does not follow;
here these few numbers are computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError, ExportError, OneNetError

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]

_MOST_COMPUTED = 4096  # elements: numbers about shapes, not weights
_LIKE_THEIR_INPUT = ("QuantizeLinear", "DequantizeLinear", "QLinearAdd", "QLinearMul", "QLinearSigmoid")
_SIZES = ("Shape", "Size")


@dataclass(frozen=True)
class Sized:
    """The tensors of a graph at one image size: every shape, and the values of those that do not hold weights."""

    shapes: dict[str, Shape]
    values: dict[str, NDArray]


class Graph:
    """An ONNX graph from images to logits, read without its weights.

    Attributes:
        image: the name of its input, (b, c, h, w) or (b, h, w, c).
        result: the name of its first output.
        rows, columns: the axes of `image` with height and width.
        from_image: tensors that hold something of the image's pixels.

    Raises:
        ExportError: it has several inputs, or images of one size only.
    """

    def __init__(self, model: "onnx.ModelProto", name: str) -> None:
        self.name, self.nodes = name, list(model.graph.node)
        self._opsets = list(model.opset_import)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in weights]
        if len(inputs) != 1:
            raise ExportError(f"{name}: takes {len(inputs)} inputs; only networks of one image can be cut into tiles")
        self.image, self.result = inputs[0].name, model.graph.output[0].name
        self._type = inputs[0].type
        self.rows, self.columns = self._image_axes(name)
        self._weights = _described(model)
        self.from_image = self._followed()

    def opset(self, domain: str = "") -> int:
        """The version of the operators of a domain."""
        return next((int(o.version) for o in self._opsets if o.domain == domain), 1)

    def at(self, size: tuple[int, int]) -> Sized:
        """All shapes for one image of `size` = (height, width).

        Raises:
            ExportError: a shape cannot be worked out.
        """
        types = {name: type_ for name, (type_, _) in self._weights.items()}
        values = {name: value for name, (_, value) in self._weights.items() if value is not None}
        types[self.image] = self._image_type(size)
        for node in self.nodes:
            found = self._known(node, types, values)
            if found is not None:
                for name, value in zip(node.output, found, strict=False):
                    values[name], types[name] = value, _type_of(value)
            else:
                types |= self._inferred(node, types, values)
        return Sized({name: shape_of(type_) for name, type_ in types.items()}, values)

    def _known(
        self, node: "onnx.NodeProto", types: dict[str, "onnx.TypeProto"], values: dict[str, NDArray]
    ) -> list[NDArray] | None:
        """What a node gives where it can be computed now: sizes, and arithmetic with them."""
        if node.op_type in _SIZES:
            return _sized_by(node, shape_of(types[node.input[0]]))
        known = [values[name] for name in node.input if name in values]
        if node.op_type == "ConstantOfShape" or len(known) < sum(map(bool, node.input)):
            return None
        return _computed(node, known)

    def _image_axes(self, name: str) -> tuple[int, int]:
        dims = self._type.tensor_type.shape.dim
        if len(dims) != 4:
            raise ExportError(f"{name}: its input has {len(dims)} axes; tiles need images (b, c, h, w)")
        fixed = [dim.HasField("dim_value") for dim in dims]
        last = fixed[3] and not fixed[1] and not fixed[2]
        rows, columns = (1, 2) if last else (2, 3)
        if fixed[rows] or fixed[columns]:
            size = "x".join(str(dims[axis].dim_value or "any") for axis in (rows, columns))
            raise ExportError(
                f"{name}: takes images of {size} only; export it with dynamic height and width to cut others in tiles"
            )
        return rows, columns

    def _image_type(self, size: tuple[int, int]) -> "onnx.TypeProto":
        made = type(self._type)()
        made.CopyFrom(self._type)
        for axis, dim in enumerate(made.tensor_type.shape.dim):
            given = {self.rows: size[0], self.columns: size[1]}.get(axis)
            if given is not None or not dim.HasField("dim_value"):
                dim.dim_value = 1 if given is None else given
        return made

    def _followed(self) -> set[str]:
        found = {self.image}
        for node in self.nodes:
            if node.op_type not in _SIZES and found & set(node.input):
                found |= {name for name in node.output if name}
        return found

    def _inferred(
        self, node: "onnx.NodeProto", types: dict[str, "onnx.TypeProto"], values: dict[str, NDArray]
    ) -> dict[str, "onnx.TypeProto"]:
        from onnx import defs, numpy_helper, shape_inference

        if node.domain not in ("", "ai.onnx"):
            if node.op_type not in _LIKE_THEIR_INPUT:
                raise ExportError(f"{self.name}: {node.domain}.{node.op_type} is an operator that tiles do not know")
            return {node.output[0]: types[node.input[0]]}
        given = {name: types[name] for name in node.input if name}
        constants = {name: numpy_helper.from_array(values[name], name) for name in given if name in values}
        try:
            schema = defs.get_schema(node.op_type, self.opset(), "")
            found = shape_inference.infer_node_outputs(schema, node, given, constants, opset_imports=self._opsets)
        except Exception as error:  # onnx raises kinds of its own
            reason = " ".join(str(error).split())[:120]
            raise ExportError(f"{self.name}: {node.op_type} {node.name!r} cannot be followed ({reason})") from None
        used = [name for name in node.output if name]
        if not used or used[0] not in found or shape_of(found[used[0]], lax=True) is None:
            raise ExportError(f"{self.name}: the size of what {node.op_type} {node.name!r} gives cannot be worked out")
        return dict(found)


def read_graph(source: "str | Path | bytes | onnx.ModelProto") -> Graph:
    """Read an ONNX file, its bytes, or a model in memory; weights beside the file are not needed.

    Raises:
        DataError: the file is missing or damaged.
        ExportError: it does not go from images of any size to logits.
        OneNetError: onnx is not installed.
    """
    try:
        import onnx
        from onnx import inliner
    except ModuleNotFoundError:
        raise OneNetError(
            "how far a network looks is read with onnx, which is not installed: pip install onnx"
        ) from None
    if isinstance(source, onnx.ModelProto):
        model, name = source, "the network"
    else:
        name = "the network" if isinstance(source, bytes) else str(source)
        try:
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
            model = onnx.load_model_from_string(data)
        except FileNotFoundError:
            raise DataError(f"{name}: no such file") from None
        except Exception:  # as many kinds as there are damages
            raise DataError(f"{name}: not an ONNX file that can be read; export it again") from None
    if not model.graph.output or not model.graph.input:
        raise DataError(f"{name}: not an ONNX file that can be read; export it again")
    return Graph(inliner.inline_local_functions(model) if model.functions else model, name)


def shape_of(type_: "onnx.TypeProto", lax: bool = False) -> Any:
    """The shape in a tensor's type; None where `lax` and it is not fully known."""
    dims = type_.tensor_type.shape.dim
    known = type_.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims)
    return tuple(int(dim.dim_value) for dim in dims) if known or not lax else None


def _described(model: "onnx.ModelProto") -> dict[str, tuple["onnx.TypeProto", NDArray | None]]:
    """Type and, where it is small, value of each stored tensor."""
    from onnx import helper, numpy_helper

    found = {}
    for tensor in model.graph.initializer:
        small = int(np.prod(tensor.dims)) <= _MOST_COMPUTED and not tensor.external_data
        value = numpy_helper.to_array(tensor) if small else None
        found[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims)), value
    return found


def _sized_by(node: "onnx.NodeProto", shape: Shape) -> list[NDArray]:
    if node.op_type == "Size":
        return [np.array(np.prod(shape), np.int64)]
    ends = {attribute.name: attribute.i for attribute in node.attribute}
    return [np.array(shape[ends.get("start", 0) : ends.get("end", len(shape))], np.int64)]


def _computed(node: "onnx.NodeProto", known: Sequence[NDArray]) -> list[NDArray] | None:
    """Values of a node all of whose inputs are known; None where that would be long work or is not possible."""
    from onnx.reference import ReferenceEvaluator

    if sum(value.size for value in known) > _MOST_COMPUTED:
        return None
    try:
        results = ReferenceEvaluator(node).run(None, dict(zip(filter(None, node.input), known, strict=True)))
    except Exception:  # as many kinds as operators; its shape may be known all the same
        return None
    values = [np.asarray(result) for result in results]
    return values if sum(value.size for value in values) <= _MOST_COMPUTED else None


def _type_of(value: NDArray) -> "onnx.TypeProto":
    from onnx import helper

    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
