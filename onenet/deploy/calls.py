"""One operator of an ONNX graph at one image size: what the rules of its reach are asked about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from onenet.deploy.graph import Shape
from onenet.deploy.regions import Region
from onenet.errors import ExportError

Regions = list[Region | None]  # one for each input, None for those that do not matter


@dataclass(frozen=True)
class Call:
    """One operator of a graph, at one image size.

    Attributes:
        kind, name: of the operator.
        attributes: those that are written in the file.
        shapes: of the inputs; () for one that is left out.
        values: of the inputs, where they are known.
        from_image: which inputs hold something of the image.
        growing: the axes of each input whose length depends on the image's size.
        varying: which of the inputs depend on the image's size, in their shape or their numbers.
        results: shapes of the outputs.
        opset: version of ONNX's own operators.
    """

    kind: str
    name: str
    attributes: dict[str, Any]
    shapes: list[Shape]
    values: list[NDArray | None]
    from_image: list[bool]
    growing: list[frozenset[int]]
    varying: list[bool]
    results: list[Shape]
    opset: int

    def refusal(self, reason: str) -> ExportError:
        """An error that names the operator."""
        return ExportError(f"{self.kind} {self.name!r} {reason}, so the network cannot be cut into tiles")

    def number(self, key: str, default: int) -> int:
        """An attribute that is a whole number."""
        return int(self.attributes.get(key, default))

    def numbers(self, key: str, place: int) -> list[int] | None:
        """Whole numbers that older versions have as an attribute, newer ones as an input; None where there are none.

        Raises:
            ExportError: they are computed from the image.
        """
        if key in self.attributes:
            return [int(value) for value in self.attributes[key]]
        if place >= len(self.shapes) or (self.values[place] is None and self.shapes[place] in ((), (0,))):
            return None
        value = self.values[place]
        if value is None:
            raise self.refusal(f"computes its {key}")
        return [int(number) for number in value.ravel()]


Rule = Callable[[Call, int, Region], Regions]  # the call, which of its outputs, a region of that
