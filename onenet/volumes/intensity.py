"""Grey values -> [0, 1], by a rule that a card can carry, so that prediction does what training did.

{"kind": "percentiles", "low": 0.5, "high": 99.5}   the percentiles of a channel become 0 and 1 (MR, anything); where
                                                    nearly all is one value, its least and its greatest value do
{"kind": "zscore", "reach": 3}                      mean and standard deviation of the body's voxels (not 0, where there
                                                    are zeros); so many deviations either way become 0 and 1
{"kind": "window", "low": -160, "high": 240}        these values become 0 and 1 (CT); or "centre" and "width"

What lies beyond is cut off. All but the window look at the whole volume, and at each channel by itself.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("percentiles", "zscore", "window")
_USUAL = {"percentiles": {"low": 0.5, "high": 99.5}, "zscore": {"reach": 3.0}, "window": {}}


def normalise(array: NDArray[Any], rule: Mapping[str, Any]) -> NDArray[np.float32]:
    """Voxels (x, y, z) or (x, y, z, c) in [0, 1]; a channel of one value alone becomes 0."""
    if array.ndim == 4:
        return np.stack([normalise(array[..., index], rule) for index in range(array.shape[3])], axis=-1)
    black, white = _bounds(array, {**_USUAL[str(rule["kind"])], **rule})
    if not white > black:
        return np.zeros(array.shape, dtype=np.float32)
    found = array.astype(np.float32)
    found -= np.float32(black)
    found *= np.float32(1 / (white - black))
    return np.clip(found, 0, 1, out=found)


def _bounds(array: NDArray[Any], rule: Mapping[str, Any]) -> tuple[float, float]:
    """The values that become 0 and 1."""
    if rule["kind"] == "percentiles":
        low, high = np.percentile(array, (float(rule["low"]), float(rule["high"])))
        if not high > low:  # PET, or an angiogram behind a mask
            low, high = array.min(), array.max()
        return float(low), float(high)
    if rule["kind"] == "zscore":
        body = array[array != 0]
        body = body if body.size else array
        mean, reach = float(body.mean(dtype=np.float64)), float(rule["reach"]) * float(body.std(dtype=np.float64))
        return mean - reach, mean + reach
    if "centre" in rule:
        half = float(rule["width"]) / 2
        return float(rule["centre"]) - half, float(rule["centre"]) + half
    return float(rule["low"]), float(rule["high"])
