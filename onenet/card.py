"""The card: what a trained model is. It travels inside the file of weights, so nothing else must be remembered."""

import colorsys
import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from onenet.errors import DataError

# Kept apart for colour-blind readers: Okabe and Ito's palette, then its darker half.
_PALETTE = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
    (115, 80, 0), (43, 90, 116), (0, 79, 58), (120, 114, 33), (0, 57, 89), (107, 47, 0), (102, 60, 83),
)  # fmt: skip


def default_colours(count: int, background: int | None = 0) -> tuple[tuple[int, int, int], ...]:
    """`count` colours (r, g, b) in 0..255: black for the background, distinct ones for the other classes."""
    hues = (colorsys.hsv_to_rgb(n * 0.618034 % 1, 0.9 - n % 3 * 0.25, 0.95 - n % 2 * 0.3) for n in range(count))
    more = tuple((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in hues)
    colours = iter(_PALETTE + more)
    return tuple((0, 0, 0) if index == background else next(colours) for index in range(count))


def default_classes(count: int, background: int | None = 0) -> tuple[str, ...]:
    """Names for `count` classes of which nothing is known: "background", "class 1", "class 2"."""
    return tuple("background" if index == background else f"class {index}" for index in range(count))


@dataclass(frozen=True)
class Card:
    """What a model is, apart from its weights.

    Attributes:
        architecture: a name of `onenet.list_models()`.
        arguments: what `onenet.create_model` takes beside the name, `in_channels` and `num_classes` included.
        classes: one name per output channel.
        colours: one (r, g, b) in 0..255 per class, for masks and overlays.
        background: index of the class that is "nothing", or None where there is no such class.
        stride: images are padded inside the network to multiples of this.
        size: (height, width) of the training samples.
        fit: "cover" where images are scaled until they just cover `size`, "none" where they are used as they are.
        value_range: pixel values that become 0 and 1; (0, 0) for the whole range of 8 or 16 bits.
        overlapping: classes may overlap: a sigmoid per class instead of one softmax; masks are bit codes.
        training: the data, the split and the recipe it was trained with (names and numbers, never paths).
        scores: the figures of `onenet evaluate` on data that was not trained on.
        about: of a shipped model what it "knows", its "limits" and its "licence", for people; "unsure" is the share of
            pixels of little certainty above which an image may be unlike those that it was trained on.
        volume: of a model of volumes: "axis" of its slices in closest canonical orientation (0, 1, 2), "spacing" of
            their pixels in mm along the other two axes, or None, "intensity" (a rule of onenet.volumes.normalise),
            "neighbours" (slices on either side that are further channels), and "postprocess", steps of
            onenet.volumes.components.
        version: the version of this package that wrote the card.
    """

    architecture: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    background: int | None = 0
    stride: int = 1
    size: tuple[int, int] = (256, 256)
    fit: str = "none"
    value_range: tuple[float, float] = (0.0, 0.0)
    overlapping: bool = False
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    volume: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def in_channels(self) -> int:
        return int(self.arguments["in_channels"])

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def last_epoch(self) -> int:
        """The epoch by which the training that gave this model was to end; with `train.patience` by what it knew."""
        last, patience = self.training.get("epochs", 0), self.training.get("patience", 0)
        if patience:  # so many validations without a better score end a run
            last = min(last, self.training.get("best_epoch", 0) + patience * self.training.get("validate_every", 1))
        return int(last)

    def replace(self, **changes: Any) -> "Card":
        """The same card with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str, file: str) -> "Card":
        """Read a card back; `file` is named in the error where the text is not a card."""
        try:
            values = json.loads(text)
            known = {f.name for f in dataclasses.fields(Card)}
            values = {key: value for key, value in values.items() if key in known}
            height, width = values["size"]
            black, white = values.get("value_range", (0, 0))
            values |= {
                "classes": tuple(str(name) for name in values["classes"]),
                "colours": tuple((int(r), int(g), int(b)) for r, g, b in values["colours"]),
                "size": (int(height), int(width)),
                "value_range": (float(black), float(white)),
            }
            _check(values)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DataError(f"{file}: its card cannot be read ({error}); was it written by onenet?") from error
        return Card(**values)


def _check(values: dict[str, Any]) -> None:
    """Refuse fields of a card that do not make sense, alone or together."""
    kinds = {
        "architecture": str,
        "arguments": dict,
        "stride": int,
        "overlapping": bool,
        "training": dict,
        "scores": dict,
        "about": dict,
        "volume": dict,
        "version": str,
    }
    for key, kind in kinds.items():
        if type(values.get(key, kind())) is not kind:
            raise TypeError(f"{key} is no {kind.__name__}")
    channels, classes = values["arguments"]["in_channels"], values["arguments"]["num_classes"]
    if not values["architecture"] or not classes == len(values["classes"]) == len(values["colours"]):
        raise ValueError("it needs an architecture, and as many classes and colours as outputs")
    if type(channels) is not int or min(channels, values.get("stride", 1), *values["size"]) < 1:
        raise ValueError("channels, stride and size are whole numbers above 0")
    if not all(0 <= value <= 255 for colour in values["colours"] for value in colour):
        raise ValueError("a colour lies outside 0 to 255")
    background = values.get("background", 0)
    if background is not None and (type(background) is not int or not 0 <= background < classes):
        raise ValueError(f"background {background!r} is no class")
    if values.get("volume"):
        _check_volume(values["volume"], channels, classes)
    if values.get("fit", "none") not in ("cover", "none"):
        raise ValueError(f"unknown fit {values['fit']!r}")


def _check_volume(volume: dict[str, Any], channels: int, classes: int) -> None:
    """Refuse what does not say how slices are made."""
    spacing, neighbours = volume.get("spacing"), volume.get("neighbours", 0)
    if volume.get("axis") not in (0, 1, 2) or type(neighbours) is not int or neighbours < 0:
        raise ValueError("the axis of slices is 0, 1 or 2, and their neighbours are a whole number")
    if channels % (2 * neighbours + 1):
        raise ValueError(f"{channels} channels are not those of {2 * neighbours + 1} slices")
    if spacing is not None and not (len(spacing) == 2 and all(0 < float(mm) < math.inf for mm in spacing)):
        raise ValueError(f"the spacing of slices {spacing!r} is not two lengths")
    if not _is_rule(**volume["intensity"]):
        raise ValueError(f"unknown rule of grey values {volume['intensity']!r}")
    for step, indices in volume.get("postprocess", {}).items():
        if step not in ("largest", "holes") or not all(type(n) is int and 0 <= n < classes for n in indices):
            raise ValueError(f"unknown post-processing {step!r} of the classes {indices!r}")


def _is_rule(kind: str, **numbers: Any) -> bool:
    """Whether it is a rule of onenet.volumes.normalise."""
    if not all(math.isfinite(number) for number in numbers.values()):
        return False
    if kind == "zscore":
        return set(numbers) <= {"reach"} and numbers.get("reach", 1) > 0
    if kind == "window" and "width" in numbers:
        return set(numbers) == {"centre", "width"} and numbers["width"] > 0
    low, high = numbers.get("low", 0), numbers.get("high", 100)
    if kind == "window":
        return set(numbers) == {"low", "high"} and low < high
    return kind == "percentiles" and set(numbers) <= {"low", "high"} and 0 <= low < high <= 100
