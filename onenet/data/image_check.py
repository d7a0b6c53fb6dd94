"""Whether images are as large as their masks, and whether their channels and values go together."""

from collections import Counter
from collections.abc import Mapping, Sequence

from onenet.config import DataConfig
from onenet.data.findings import Finding, Sizes
from onenet.data.probe import ImageFacts, MaskFacts, Pair
from onenet.images.reading import FULL_RANGE

_TOO_SMALL, _TOO_LARGE = 2, 6  # times that images are enlarged or reduced to data.size before it is worth a hint

Size = tuple[int, int]


def image_sizes(pairs: Sequence[Pair]) -> Sizes | None:
    """Of the images that can be read."""
    sizes = sorted((pair.image.size for pair in pairs if pair.image), key=lambda size: (size[0] * size[1], size))
    return Sizes(sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else None


def count_by(pairs: Sequence[Pair], what: str) -> Mapping[str, int]:
    """How many images have each "channels" or each "kind", how many masks are "stored" in each way."""
    found: Counter[str] = Counter()
    for pair in pairs:
        holder: ImageFacts | MaskFacts | None = pair.mask if what == "stored" else pair.image
        if holder is not None:
            found[str(getattr(holder, what))] += 1
    return dict(found)


def size_problems(pairs: Sequence[Pair]) -> list[Finding]:
    """Masks that are not as large as their images, and why they may be."""
    found = []
    for pair in pairs:
        if pair.image and pair.mask and pair.image.size != pair.mask.size:
            image, mask = pair.image.size, pair.mask.size
            text = f"{pair.item.mask}: the mask is {_text(mask)}, but its image is {_text(image)} (height x width)"
            found.append(Finding("size", f"{text}; {_reason(pair.image, mask)}", str(pair.item.mask)))
    return found


def _reason(image: ImageFacts, mask: Size) -> str:
    if mask == image.size[::-1]:
        if image.orientation >= 5:
            return (f"EXIF turns the photo (orientation {image.orientation}), but the mask was drawn on the unturned "
                    "one: turn the mask likewise, or save the photo without its EXIF data")  # fmt: skip
        return "height and width are swapped: turn the mask"
    down, across = image.size[0] / mask[0], image.size[1] / mask[1]
    if abs(down - across) < 0.02 * down and not 0.9 < down < 1.1:
        return "the same proportions: resize the mask to its image by nearest neighbour (or the image to the mask)"
    return "is it the mask of another image? make them the same size"


def turned_photos(pairs: Sequence[Pair]) -> list[Finding]:
    """Photos that EXIF turns, whose masks are as large as they are: right only if drawn on the upright photo."""
    turned = [pair for pair in pairs if pair.image and pair.mask and pair.image.orientation > 1
              and pair.image.size == pair.mask.size]  # fmt: skip
    if not turned:
        return []
    first = turned[0].item.image
    wrong = any(pair.image and pair.mask and pair.image.orientation >= 5 and pair.image.size != pair.mask.size
                for pair in pairs)  # fmt: skip
    like = ", unlike those below" if wrong else ""
    others = f" and {len(turned) - 1} others" if len(turned) > 1 else ""
    return [Finding("size", f"{first}{others}: EXIF turns or mirrors the photo; its mask must be drawn on the upright "
                            f"one{like} (see `onenet data show`)", str(first))]  # fmt: skip


def channel_problems(pairs: Sequence[Pair], config: DataConfig) -> list[Finding]:
    """Images with other channels than the network will take."""
    read = [pair for pair in pairs if pair.image]
    counts = Counter(pair.image.channels for pair in read if pair.image)
    if not counts or (set(counts) <= {1, 3} and config.in_channels in (0, 1, 3)):
        return []
    most = config.in_channels or counts.most_common(1)[0][0]
    found = []
    for pair in read:
        have = pair.image.channels if pair.image else most
        if have != most and not (have == 1 and most == 3):
            wanted = f"data.in_channels={most}" if config.in_channels else f"most others have {most}"
            found.append(Finding("channels", f"{pair.item.image}: has {have} channel{'s' if have > 1 else ''}, but "
                                             f"{wanted}; all images must have the same number",
                                 str(pair.item.image)))  # fmt: skip
    return found


def value_problems(pairs: Sequence[Pair], config: DataConfig) -> list[Finding]:
    """Floats or signed numbers of which nothing says what is black and white."""
    unscaled = [(pair, pair.image) for pair in pairs if pair.image and pair.image.unscaled]
    if not unscaled:
        return []
    low, high = min(image.low for _, image in unscaled), max(image.high for _, image in unscaled)
    pair, image = unscaled[0]
    setting = f"value_range=[{low:.6g},{high:.6g}]"
    others = f" (and {len(unscaled) - 1} others)" if len(unscaled) > 1 else ""
    return [Finding("channels", f"{pair.item.image}{others}: holds {image.kind} values, in all {low:.6g} to {high:.6g}"
                                f"; say which of them are black and white, for example data.{setting}",
                    str(pair.item.image), setting)]  # fmt: skip


def deep_range(pairs: Sequence[Pair]) -> tuple[float, float] | None:
    """Lowest and highest value of images deeper than 8 bits."""
    deep = [pair.image for pair in pairs if pair.image and pair.image.kind != "8 bits"]
    return (min(image.low for image in deep), max(image.high for image in deep)) if deep else None


def image_hints(pairs: Sequence[Pair], config: DataConfig) -> list[str]:
    """What works better when it is set otherwise: a range of values that is half empty, a size far from the images'."""
    hints = []
    sixteen = deep_range([pair for pair in pairs if pair.image and pair.image.kind == "16 bits"])
    if sixteen and config.value_range == FULL_RANGE and 0 < sixteen[1] < 32768:
        top = 2 ** int(sixteen[1]).bit_length() - 1
        hints.append(f"images hold values up to {sixteen[1]:.0f} of 65535 and would be nearly black; "
                     f"data.value_range=[0,{top}] uses their whole range")  # fmt: skip
    bits = count_by(pairs, "kind")
    if len(bits) > 1:
        hints.append(f"images of {' and '.join(sorted(bits))} are mixed; each is scaled by its own range")
    if {pair.image.channels for pair in pairs if pair.image} == {1, 3}:
        grey = sum(pair.image.channels == 1 for pair in pairs if pair.image)
        hints.append(f"{grey} of the images {'is' if grey == 1 else 'are'} grey, the others in colour: read as colour")
    sizes = image_sizes(pairs)
    if sizes and config.fit == "cover":
        factor = max(config.size[0] / sizes.median[0], config.size[1] / sizes.median[1])
        wanted = f"data.size={min(config.size)}" if config.size[0] == config.size[1] else f"data.size={[*config.size]}"
        if factor > _TOO_SMALL:
            near = max(16, round(max(sizes.median) / 16) * 16)
            hints.append(f"images are enlarged {factor:.1f} times to {wanted}; data.size={near} would be quicker")
        elif factor < 1 / _TOO_LARGE:
            hints.append(f"images are reduced {1 / factor:.0f} times to {wanted}; small objects vanish: a larger "
                         "data.size, or data.fit=none, keeps them")  # fmt: skip
    return hints


def plain_images(pairs: Sequence[Pair]) -> list[Finding]:
    """Images that are one colour throughout: an empty frame, or a file that was exported wrongly."""
    plain = [pair.item.image for pair in pairs if pair.image and pair.image.plain]
    return [Finding("channels", f"{path}: one colour throughout; is it meant?", str(path)) for path in plain]


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
