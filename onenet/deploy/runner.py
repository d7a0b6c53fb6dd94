"""What computes a network, whichever library does it, and how far its results look."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Halo:
    """How many pixels beyond a block of whole strides the block's logits depend on, in multiples of the stride.

    Attributes:
        whole_rows: results depend on the whole width ("-S": the flattened rows run on into each other), so that only
            strips over the full width are exact; `left` and `right` mean nothing then.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    whole_rows: bool = False


@runtime_checkable
class Runner(Protocol):
    """Whatever computes a network: images (b, c, h, w) float32 in [0, 1] in, logits (b, k, h, w) float32 out.

    Attributes:
        stride: images whose sizes are multiples of it are not padded.
    """

    stride: int

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the logits of a batch; any height and width. Any number of threads may call it at once."""
        ...

    def halo(self) -> Halo:
        """How far a result looks.

        Raises:
            ExportError: it looks at the whole image, or that is not known; the message says why.
        """
        ...
