"""Which lesions of a volume are found: every connected component of a class is a lesion.

Voxels that touch, at a corner too (26-connected), are one lesion. A true lesion is found where the prediction has at
least one voxel of it; a predicted one that meets no voxel of the truth is a false positive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Solid = NDArray[np.bool_]


@dataclass(frozen=True)
class LesionCounts:
    """How many lesions the truth of a case has, how many of them are found, and how many predicted ones are false."""

    true: int
    found: int
    false: int

    @property
    def sensitivity(self) -> float:
        """The share of the true lesions that are found; NaN where there are none."""
        return self.found / self.true if self.true else float("nan")


def count_lesions(truth: Solid, prediction: Solid) -> LesionCounts:
    """The lesions of one class in one case; both (x, y, z)."""
    from scipy.ndimage import label

    touching = np.ones((3,) * truth.ndim, dtype=bool)
    true_ids, true = label(truth, touching)
    drawn_ids, drawn = label(prediction, touching)
    both = truth & prediction
    found, right = (np.unique(ids[both]).size for ids in (true_ids, drawn_ids))
    return LesionCounts(int(true), int(found), int(drawn) - int(right))
