"""The report of a set of volumes: the scores of every case, their means over cases, and how sure these are."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.metrics.bootstrap import mean_interval
from onenet.metrics.confusion import mean_over_classes
from onenet.metrics.report import json_number, short_score, table_row
from onenet.metrics.volume import NAMES, CaseScores

SURFACE = "edge voxels (MONAI's default), distances in millimetres"
SHORT_NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "hd95_mm": "HD95 mm",
    "surface_dice": "surface Dice",
    "sensitivity": "sensitivity",
    "lesion_sensitivity": "lesions found",
    "false_lesions": "false lesions",
    "volume_error_ml": "volume error ml",
}


@dataclass(frozen=True)
class CaseReport:
    """What was measured of a set of cases, each in its own grid.

    Attributes:
        data, split: which cases.
        classes: names.
        background: index of the class without scores, or None.
        tolerance: millimetres of surface Dice.
        cases: in the order of the split.
    """

    data: str
    split: str
    classes: tuple[str, ...]
    background: int | None
    tolerance: float
    cases: tuple[CaseScores, ...]

    def values(self, name: str) -> NDArray[np.float64]:
        """One score of every case and class (n, k); NaN where there is none."""
        return np.array([case.values[name] for case in self.cases]).reshape(len(self.cases), len(self.classes))

    def per_case(self, name: str) -> NDArray[np.float64]:
        """The mean of a score over the classes that have one in a case (n,)."""
        return np.array([mean_over_classes(row) for row in self.values(name)])

    def mean(self, name: str, index: int | None = None) -> float:
        """Mean over the cases that have the score: of a class, or of each case's mean over the classes."""
        values = self.per_case(name) if index is None else self.values(name)[:, index]
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")

    def interval(self, name: str, index: int | None = None) -> tuple[float, float] | None:
        """The 95 % interval of that mean over cases (metrics/bootstrap.py); None for fewer than two cases."""
        return mean_interval(self.per_case(name) if index is None else self.values(name)[:, index])

    @property
    def foreground(self) -> tuple[int, ...]:
        """The classes that have scores."""
        return tuple(index for index in range(len(self.classes)) if index != self.background)

    def missed(self, index: int) -> int:
        """In how many cases a class is there, and nothing of it is predicted."""
        return int(sum(case.missed[index] for case in self.cases))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: what is not a number becomes null."""
        return {
            "data": self.data,
            "split": self.split,
            "cases": len(self.cases),
            "tolerance_mm": self.tolerance,
            "surface": SURFACE,
            "mean": self._summary(None),
            "classes": [
                {
                    "name": self.classes[index],
                    "cases": int((self.values("true_ml")[:, index] > 0).sum()),
                    "missed": self.missed(index),
                    **self._summary(index),
                }
                for index in self.foreground
            ],
            "per_case": [
                {"name": case.name, "classes": [self._of_case(case, index) for index in self.foreground]}
                for case in self.cases
            ],
        }

    def _summary(self, index: int | None) -> dict[str, Any]:
        found = {}
        for name in NAMES:
            interval = self.interval(name, index)
            found[name] = {
                "mean": json_number(self.mean(name, index)),
                "interval": None if interval is None else [json_number(edge) for edge in interval],
            }
        return found

    def _of_case(self, case: CaseScores, index: int) -> dict[str, Any]:
        return {"name": self.classes[index], **{name: json_number(case.values[name][index]) for name in NAMES}}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_markdown(self) -> str:
        """A table of the classes and their mean, then the intervals and how it was measured."""
        heads = ["class", "cases", *SHORT_NAMES.values(), "missed"]
        lines = [table_row(heads), "|---|" + "---:|" * (len(heads) - 1)]
        for index in self.foreground:
            count = int((self.values("true_ml")[:, index] > 0).sum())
            scores = [short_score(self.mean(name, index)) for name in SHORT_NAMES]
            lines.append(table_row([self.classes[index], str(count), *scores, str(self.missed(index))]))
        means = [f"**{short_score(self.mean(name))}**" for name in SHORT_NAMES]
        missed = sum(self.missed(index) for index in self.foreground)
        lines.append(table_row(["**mean**", str(len(self.cases)), *means, str(missed)]))
        return "\n".join([*lines, "", *self.remarks()])

    def remarks(self) -> list[str]:
        """Lines below the table: which cases, how sure the means are, what is false, how surfaces were measured."""
        count, each = ("1 case", "") if len(self.cases) == 1 else (f"{len(self.cases)} cases", "each ")
        lines = [f"{count} of {self.data}, split {self.split}, {each}in its own grid"]
        ranges = [
            f"{SHORT_NAMES[name]} {short_score(interval[0])} to {short_score(interval[1])}"
            for name in ("dice", "hd95_mm", "surface_dice")
            if (interval := self.interval(name)) is not None
        ]
        if ranges:
            lines.append(f"95 % confidence interval over cases: {', '.join(ranges)}")
        for index in self.foreground:
            false = self.values("false_volume_ml")[:, index]
            some, without = int((false > 0).sum()), int((false >= 0).sum())
            if some:
                lines.append(f"{self.classes[index]} is predicted where a case has none of it: in {some} of {without}, "
                             f"{short_score(float(np.nanmean(false)))} ml on average")  # fmt: skip
        lines.append(f"surface Dice at {self.tolerance:g} mm; surfaces are {SURFACE}; HD95 without missed cases")
        return lines
