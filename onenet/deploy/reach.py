"""How far each operator of ONNX looks: from a part of its output to the parts of its inputs that it is made of.

Parts may come out too large, never too small.
"""

from collections.abc import Callable, Sequence

from onenet.deploy import moves, windows
from onenet.deploy.calls import Call, Regions, Rule
from onenet.deploy.regions import Axis, Region, whole


def reach(call: Call, output: int, region: Region) -> Regions:
    """The regions of the inputs that a region of the `output`-th output is made of.

    Raises:
        ExportError: the operator looks at the whole image, or is not known.
    """
    rule = _RULES.get(call.kind)
    if rule is None:
        raise call.refusal("is an operator whose reach is not known")
    return rule(call, output, region)


def _each(call: Call, _: int, region: Region) -> Regions:
    """Element by element; shorter inputs are repeated."""
    if any(varies and not image for varies, image in zip(call.varying, call.from_image, strict=True)):
        raise call.refusal("takes numbers that depend on the image's size or on the place in it")
    if call.kind == "BatchNormalization" and call.number("training_mode", 0):
        raise call.refusal("is in train mode and computes its statistics over the whole image")
    regions: Regions = []
    for shape, image in zip(call.shapes, call.from_image, strict=True):
        last = region[len(region) - len(shape) :]
        pairs = zip(shape, last, strict=True)
        regions.append(tuple(whole(1) if size == 1 else axis for size, axis in pairs) if image else None)
    return regions


def _mixing(axes_of: Callable[[Call], Sequence[int]], kept: bool = True) -> Rule:
    """A rule for operators in which everything along some axes meets; `kept` where the output has these axes."""

    def rule(call: Call, _: int, region: Region) -> Regions:
        shape, axes = call.shapes[0], {axis % len(call.shapes[0]) for axis in axes_of(call)}
        if axes & call.growing[0]:
            raise call.refusal("looks at the whole image")
        here = iter(region)
        keeps = kept or call.number("keepdims", 1)
        found: list[Axis] = []
        for axis, size in enumerate(shape):
            own = next(here) if keeps or axis not in axes else None
            found.append(whole(size) if own is None or axis in axes else own)
        return [tuple(found)] + [None] * (len(call.shapes) - 1)

    return rule


def _one_axis(default: int) -> Callable[[Call], Sequence[int]]:
    return lambda call: [call.number("axis", default)]


def _from_axis(call: Call) -> Sequence[int]:
    rank = len(call.shapes[0])
    return range(call.number("axis", -1) % rank, rank)


def _softmax_axes(call: Call) -> Sequence[int]:
    rank = len(call.shapes[0])
    if call.opset >= 13:
        return [call.number("axis", -1)]
    return range(call.number("axis", 1) % rank, rank)


def _reduced_axes(call: Call) -> Sequence[int]:
    axes = call.numbers("axes", 1)
    every = range(len(call.shapes[0]))
    return axes if axes is not None else [] if call.number("noop_with_empty_axes", 0) else every


def _spatial_axes(call: Call) -> Sequence[int]:
    return range(2, len(call.shapes[0]))


def _all_axes(call: Call) -> Sequence[int]:
    return range(len(call.shapes[0]))


def _products(call: Call, _: int, region: Region) -> Regions:
    """Matrix products: rows of the first factor, columns of the second."""
    weights = {"QLinearMatMul": 3}.get(call.kind, 1)
    turned = bool(call.number("transA", 0)), bool(call.number("transB", 0))
    regions: Regions = [None] * len(call.shapes)
    for place, summed, turn in ((0, -1, turned[0]), (weights, -2, turned[1])):
        shape = call.shapes[place]
        if not call.from_image[place]:
            continue
        if len(shape) < 2 or len(shape) != len(region):
            raise call.refusal("multiplies tensors of different axes")
        axes = [whole(1) if size == 1 else axis for size, axis in zip(shape, region, strict=True)]
        along = len(shape) - (1 if (summed == -1) != turn else 2)
        if turn:
            axes[-1], axes[-2] = axes[-2], axes[-1]
        if along in call.growing[place]:
            raise call.refusal("looks at the whole image")
        axes[along] = whole(shape[along])
        regions[place] = tuple(axes)
    if call.kind == "Gemm" and len(call.shapes) > 2 and call.from_image[2]:
        raise call.refusal("adds something computed from the image")
    return regions


_ELEMENTWISE = (
    "Abs Add And BatchNormalization BitShift Cast CastLike Ceil Celu Clip Cos DequantizeLinear Div Dropout Elu Equal "
    "Erf Exp Expand Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsNaN LRN LeakyRelu Less "
    "LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow QLinearAdd QLinearMul QLinearSigmoid "
    "QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu "
    "Where Xor"
)
_REDUCTIONS = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
)
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _each),
    **dict.fromkeys(_REDUCTIONS.split(), _mixing(_reduced_axes, kept=False)),
    **dict.fromkeys(("AveragePool", "Conv", "ConvInteger", "LpPool", "MaxPool", "QLinearConv"), windows.window),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), moves.reshape),
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul"), _products),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _mixing(_spatial_axes)),
    **dict.fromkeys(("GroupNormalization", "InstanceNormalization"), _mixing(_spatial_axes)),
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), _mixing(_softmax_axes)),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _mixing(_from_axis)),
    **dict.fromkeys(("ArgMax", "ArgMin"), _mixing(_one_axis(0), kept=False)),
    **dict.fromkeys(("Resize", "Upsample"), windows.resize),
    "ConvTranspose": windows.transposed_window,
    "DynamicQuantizeLinear": _mixing(_all_axes),
    "LpNormalization": _mixing(_one_axis(-1)),
    "MeanVarianceNormalization": _mixing(_all_axes),
    "Concat": moves.concat,
    "DepthToSpace": moves.depth_to_space,
    "Pad": moves.pad,
    "Slice": moves.slice_,
    "SpaceToDepth": moves.space_to_depth,
    "Split": moves.split,
    "Transpose": moves.transpose,
}
