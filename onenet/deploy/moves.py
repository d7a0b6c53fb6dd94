"""The reach of operators that move pixels without computing: reshape, transpose, concatenate, cut, pad."""

from onenet.deploy.calls import Call, Regions
from onenet.deploy.regions import Axis, Interval, Region, interval, length, part, reshaped, whole


def depth_to_space(call: Call, _: int, region: Region) -> Regions:
    """Shuffle: `blocksize` places of the output come from one."""
    block = call.number("blocksize", 1)
    spans = [interval(axis) for axis in region[2:]]
    return _on_image(call, region, [(low // block, (high - 1) // block + 1) for low, high in spans])


def space_to_depth(call: Call, _: int, region: Region) -> Regions:
    """Unshuffle: a place of the output comes from `blocksize`."""
    block = call.number("blocksize", 1)
    spans = [interval(axis) for axis in region[2:]]
    return _on_image(call, region, [(low * block, high * block) for low, high in spans])


def _on_image(call: Call, region: Region, spans: list[Interval]) -> Regions:
    _, channels, *sizes = call.shapes[0]
    return [(region[0], whole(channels), *(part(size, *span) for size, span in zip(sizes, spans, strict=True)))]


def reshape(call: Call, _: int, region: Region) -> Regions:
    """The same elements in another shape (Reshape, Flatten, Squeeze, Unsqueeze)."""
    return [reshaped(region, call.shapes[0])] + [None] * (len(call.shapes) - 1)


def transpose(call: Call, _: int, region: Region) -> Regions:
    """The axes in another order."""
    order = call.attributes.get("perm") or range(len(region))[::-1]
    axes: list[Axis] = [whole(1)] * len(region)
    for place, source in enumerate(order):
        axes[source] = region[place]
    return [tuple(axes)]


def concat(call: Call, _: int, region: Region) -> Regions:
    """Inputs one after the other along an axis that the image does not have."""
    axis, start = call.number("axis", 0) % len(region), 0
    regions: Regions = []
    for shape, image in zip(call.shapes, call.from_image, strict=True):
        found = _shifted(region, axis, start, shape[axis])
        regions.append(found if image else None)
        start += shape[axis]
    if any(axis in growing for growing in call.growing):
        raise call.refusal("puts images beside each other")
    return regions


def _shifted(region: Region, axis: int, start: int, size: int) -> Region | None:
    """What lies in [start, start + size) of an axis, counted from there."""
    if size == length(region[axis]):
        return region
    low, high = interval(region[axis])
    if high <= start or low >= start + size:
        return None
    return (*region[:axis], part(size, low - start, high - start), *region[axis + 1 :])


def split(call: Call, output: int, region: Region) -> Regions:
    """Pieces of an axis."""
    axis = call.number("axis", 0) % len(region)
    start = sum(shape[axis] for shape in call.results[:output])
    low, high = interval(region[axis])
    moved = part(call.shapes[0][axis], low + start, high + start)
    return [(*region[:axis], moved, *region[axis + 1 :])] + [None] * (len(call.shapes) - 1)


def slice_(call: Call, _: int, region: Region) -> Regions:
    """A cut along some axes."""
    starts, steps = call.numbers("starts", 1), call.numbers("steps", 4)
    axes = call.numbers("axes", 3)
    if starts is None:
        raise call.refusal("computes its starts")
    shape, moved = call.shapes[0], list(region)
    for place, (axis, start) in enumerate(zip(axes or range(len(starts)), starts, strict=True)):
        size, step = shape[axis], steps[place] if steps else 1
        if step != 1:
            raise call.refusal(f"takes every {step}th element")
        first = max(start + size, 0) if start < 0 else min(start, size)
        low, high = interval(region[axis])
        if first or size != call.results[0][axis]:
            moved[axis] = part(size, low + first, high + first)
    return [tuple(moved)] + [None] * (len(call.shapes) - 1)


def pad(call: Call, _: int, region: Region) -> Regions:
    """More around it: zeros, the edge, a mirror image, or the other end."""
    pads = call.numbers("pads", 1)
    if pads is None:
        raise call.refusal("computes its pads")
    shape, mode = call.shapes[0], call.attributes.get("mode", b"constant")
    axes = call.numbers("axes", 3) or range(len(shape))
    moved = list(region)
    for place, axis in enumerate(axes):
        before, after = pads[place], pads[place + len(pads) // 2]
        if before or after:
            moved[axis] = _unpadded(interval(region[axis]), shape[axis], before, mode)
    return [tuple(moved)] + [None] * (len(call.shapes) - 1)


def _unpadded(span: Interval, size: int, before: int, mode: bytes) -> Axis:
    """What stands at the places of a padded axis."""
    low, high = span[0] - before, span[1] - before
    if mode == b"wrap" and (low < 0 or high > size):
        return whole(size)
    if mode == b"reflect":  # place -n shows pixel n
        low, high = min(low, 2 * size - 1 - high), max(high, 1 - low)
    return part(size, low, high)
