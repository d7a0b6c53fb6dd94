"""What an exported file is, beside its card: which graph, what goes in and what comes out."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from onenet.deploy.runner import Halo
from onenet.errors import DataError

CARD, DESCRIPTION = "onenet.card", "onenet.export"  # keys of the metadata


@dataclass(frozen=True)
class Description:
    """How an exported graph is to be used.

    Attributes:
        form: "flat", "conv" or "plain".
        input: "image" (b, c, h, w) float in [0, 1]; "bytes" (b, h, w, c) uint8; "pixels" (n, c) float in [0, 1], the
            pixels of whole tiles in Morton order.
        output: "logits" of the same axes as the input, or "classes" (b, h, w) uint8; of graphs that were not written by
            onenet also "sigmoid" or "softmax", probabilities instead of logits.
        precision: "float" or "int8".
        tile: side of the tiles whose pixels are rows; 0 for images.
        halo: how far its results look, where it was found.
        kept_float: layers that were left in float so that the score holds.
    """

    form: str = "plain"
    input: str = "image"
    output: str = "logits"
    precision: str = "float"
    tile: int = 0
    halo: Halo | None = None
    kept_float: tuple[str, ...] = ()

    def replace(self, **changes: Any) -> "Description":
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str, file: str) -> "Description":
        """Read a description back; `file` is named in the error where the text is none."""
        try:
            values = json.loads(text)
            known = {field.name for field in dataclasses.fields(Description)}
            values = {key: value for key, value in values.items() if key in known}
            halo = values.get("halo")
            values["halo"] = None if halo is None else Halo(**halo)
            values["kept_float"] = tuple(map(str, values.get("kept_float", ())))
            return Description(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{file}: its description cannot be read ({error}); was it written by onenet?") from error
