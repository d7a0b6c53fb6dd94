"""The reach of windows that slide over an image: convolutions, poolings, enlarging and reducing by whole factors."""

import math

from onenet.deploy.calls import Call, Regions
from onenet.deploy.regions import Axis, Region, interval, part, whole


def window(call: Call, _: int, region: Region) -> Regions:
    """Convolutions and poolings: output place o looks at o*stride - pad ... + (kernel - 1)*dilation."""
    if call.kind == "MaxPool" and len(call.results) > 1 and call.results[1]:
        raise call.refusal("gives the places of its maxima in the whole image")
    shape, count = call.shapes[0], len(call.shapes[0]) - 2
    kernel, strides, dilations, pads = _geometry(call)
    axes: list[Axis] = [region[0], whole(shape[1])]
    for axis in range(count):
        low, high = interval(region[2 + axis])
        first = low * strides[axis] - pads[axis]
        last = (high - 1) * strides[axis] - pads[axis] + (kernel[axis] - 1) * dilations[axis]
        axes.append(part(shape[2 + axis], first, last + 1))
    return [tuple(axes)] + [None] * (len(call.shapes) - 1)


def _geometry(call: Call) -> tuple[list[int], list[int], list[int], list[int]]:
    """Kernel, strides, dilations and the padding at the beginning of a window's axes."""
    shape, count = call.shapes[0], len(call.shapes[0]) - 2
    weight = 3 if call.kind == "QLinearConv" else 1
    kernel = list(call.attributes.get("kernel_shape") or call.shapes[weight][2:])
    strides = list(call.attributes.get("strides") or [1] * count)
    dilations = list(call.attributes.get("dilations") or [1] * count)
    pads = list(call.attributes.get("pads") or [0] * 2 * count)
    mode = call.attributes.get("auto_pad", b"NOTSET")
    if mode in (b"SAME_UPPER", b"SAME_LOWER"):
        for axis in range(count):
            reach_ = (kernel[axis] - 1) * dilations[axis] + 1
            size = shape[2 + axis]
            total = max((-(-size // strides[axis]) - 1) * strides[axis] + reach_ - size, 0)
            pads[axis] = total // 2 if mode == b"SAME_UPPER" else total - total // 2
    elif mode == b"VALID":
        pads = [0] * 2 * count
    return kernel, strides, dilations, pads


def transposed_window(call: Call, _: int, region: Region) -> Regions:
    """Transposed convolution: input place i reaches i*stride - pad ... + (kernel - 1)*dilation."""
    if call.attributes.get("output_shape") or call.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise call.refusal("pads as its output's size asks for")
    shape = call.shapes[0]
    kernel, strides, dilations, pads = _geometry(call)
    axes: list[Axis] = [region[0], whole(shape[1])]
    for axis in range(len(shape) - 2):
        low, high = interval(region[2 + axis])
        far = (kernel[axis] - 1) * dilations[axis]
        first = -((far - low - pads[axis]) // strides[axis])
        axes.append(part(shape[2 + axis], first, (high - 1 + pads[axis]) // strides[axis] + 1))
    return [tuple(axes)] + [None] * (len(call.shapes) - 1)


def _refuse_unsteady(call: Call) -> None:
    if call.attributes.get("antialias"):
        raise call.refusal("smooths before it resizes")
    if call.attributes.get("exclude_outside") or call.attributes.get("coordinate_transformation_mode") in (
        b"align_corners", b"tf_crop_and_resize", b"half_pixel_symmetric", b"tf_half_pixel_for_nn",
    ):  # fmt: skip
        raise call.refusal("resizes by a rule that depends on the image's size")


def resize(call: Call, _: int, region: Region) -> Regions:
    """Resize by a whole factor: the pixels that its formula (ONNX) reads for the first and last place."""
    _refuse_unsteady(call)
    mode = call.attributes.get("mode", b"nearest")
    axes: list[Axis] = []
    for size, result, axis in zip(call.shapes[0], call.results[0], region, strict=True):
        if size == result:
            axes.append(axis)
            continue
        if result % size and size % result:
            raise call.refusal(f"resizes {size} pixels to {result}, which is no whole factor")
        low, high = interval(axis)
        first, last = _source(call, low, size / result), _source(call, high - 1, size / result)
        if mode == b"nearest":
            axes.append(part(size, _nearest(call, first), _nearest(call, last) + 1))
        else:
            beyond = 1 if mode == b"cubic" else 0
            axes.append(part(size, math.floor(first) - beyond, math.floor(last) + 2 + beyond))
    return [tuple(axes)] + [None] * (len(call.shapes) - 1)


def _source(call: Call, place: int, factor: float) -> float:
    older = call.kind == "Upsample" or call.opset < 11
    rule = call.attributes.get("coordinate_transformation_mode", b"asymmetric" if older else b"half_pixel")
    return place * factor if rule == b"asymmetric" else (place + 0.5) * factor - 0.5


def _nearest(call: Call, place: float) -> int:
    older = call.kind == "Upsample" or call.opset < 11
    rule = call.attributes.get("nearest_mode", b"floor" if older else b"round_prefer_floor")
    if rule == b"floor":
        return math.floor(place)
    if rule == b"ceil":
        return math.ceil(place)
    return math.floor(place + 0.5) if rule == b"round_prefer_ceil" else math.ceil(place - 0.5)
