"""An axis of a picture: values to places."""

import math


class LogAxis:
    """A logarithmic axis for values from `low` to `high`, drawn from the place `start` to the place `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high if high > low else 2 * low
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Where a value stands."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self._start + share * (self._end - self._start), 1)

    def powers(self) -> list[float]:
        """The powers of two on it."""
        first, last = math.ceil(math.log2(self.low) - 1e-9), math.floor(math.log2(self.high) + 1e-9)
        return [2.0**power for power in range(first, last + 1)]
