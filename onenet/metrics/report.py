"""The report: the figures of one model on one set of images, as JSON and as Markdown."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.metrics import confusion
from onenet.metrics.confusion import Matrix

_FEWEST = 8  # images of which an interval says anything
AUTHORS_NOTE = (
    "The authors' figures are computed as the paper's authors' evaluator does. They are not IoU, Dice or average "
    "precision, and can be compared with the paper's tables only."
)


@dataclass(frozen=True)
class Details:
    """What takes longer to compute than the counts.

    Attributes:
        calibration_error: gap between confidence and share of right pixels, 0 to 1 (metrics/calibration.py).
        boundary_f: boundary F-score per class (k,), mean over the images in which it has one (metrics/boundary.py).
        average_precision: of connected components at IoU 0.5, per class (k,) (metrics/objects.py).
        intervals: (low, high) of the 95 % confidence interval over images, of "mean_iou" and "foreground_iou".
    """

    calibration_error: float
    boundary_f: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was measured. Every score follows from one confusion matrix over the whole set.

    Attributes:
        data, split: which images ("nuclei", "test").
        images: how many.
        classes: names, in the order of the matrix.
        background: index of the background class, or None.
        matrix: pixel counts, rows the truth, columns the prediction; (k, 2, 2) where classes overlap.
        cross_entropy: mean over all counted pixels, unweighted, in nats; of overlapping classes the binary
            cross-entropy, mean over pixels and classes.
        per_image: (name, mean IoU of the image) of every image, for the best and the worst.
        weighted_cross_entropy: the same with the class weights of the training; NaN where there were none.
        details: what takes longer; None where it was not asked for.
        authors: the figures of the paper's authors, by names that say so; empty where they were not asked for.
        absent: classes of which the data has no image; they have no score and are in no mean, even where predicted.
    """

    data: str
    split: str
    images: int
    classes: tuple[str, ...]
    background: int | None
    matrix: Matrix
    cross_entropy: float
    per_image: tuple[tuple[str, float], ...] = field(default=())
    weighted_cross_entropy: float = math.nan
    details: Details | None = None
    authors: Mapping[str, float] = field(default_factory=dict)
    absent: tuple[int, ...] = ()

    def of_decisions(self) -> "Report":
        """The report of a model that decides without saying how surely: what follows from certainty is no number."""
        details = self.details and replace(
            self.details,
            calibration_error=math.nan,
            average_precision=np.full_like(self.details.average_precision, np.nan),
        )
        return replace(self, cross_entropy=math.nan, weighted_cross_entropy=math.nan, details=details)

    @property
    def overlapping(self) -> bool:
        """Whether classes may overlap."""
        return self.matrix.ndim == 3

    @property
    def mean_iou(self) -> float:
        """Mean over all classes that occur."""
        return confusion.mean_over_classes(self.per_class()["iou"])

    @property
    def foreground_iou(self) -> float:
        """Mean over the classes without background: the score by which the best weights are chosen."""
        return confusion.mean_over_classes(self.per_class()["iou"], self.background)

    @property
    def mean_dice(self) -> float:
        return confusion.mean_over_classes(self.per_class()["dice"])

    @property
    def foreground_dice(self) -> float:
        return confusion.mean_over_classes(self.per_class()["dice"], self.background)

    def shares(self) -> NDArray[np.float64]:
        """Share of the counted pixels that are of each class, (k,)."""
        return confusion.areas(self.matrix)[1] / max(1, confusion.counted_pixels(self.matrix))

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """The scores that every class has, (k,) each, by name; NaN where a class has none."""
        scores = {
            "iou": confusion.iou(self.matrix),
            "dice": confusion.dice(self.matrix),
            "precision": confusion.precision(self.matrix),
            "recall": confusion.recall(self.matrix),
        }
        if self.details is not None:
            scores |= {"boundary_f": self.details.boundary_f, "average_precision": self.details.average_precision}
        absent = np.isin(np.arange(len(self.classes)), self.absent)
        return {name: np.where(absent, np.nan, values) for name, values in scores.items()}

    def means(self, without_background: bool = False) -> dict[str, float]:
        """The mean of each score of `per_class` over the classes that have one."""
        without = self.background if without_background else None
        return {name: confusion.mean_over_classes(values, without) for name, values in self.per_class().items()}

    def figures(self) -> dict[str, float]:
        """The single numbers, by name."""
        found = {
            "mean_iou": self.mean_iou,
            "foreground_iou": self.foreground_iou,
            "mean_dice": self.mean_dice,
            "foreground_dice": self.foreground_dice,
            "pixel_accuracy": confusion.pixel_accuracy(self.matrix),
            "cross_entropy": self.cross_entropy,
            "weighted_cross_entropy": self.weighted_cross_entropy,
        }
        if self.overlapping:
            binary = {"right_decisions": confusion.right_decisions(self.matrix)}
            found |= binary | {"cross_entropy": math.nan, "binary_cross_entropy": self.cross_entropy}
        for name in ("precision", "recall", *(("boundary_f", "average_precision") if self.details else ())):
            found |= {f"mean_{name}": self.means()[name], f"foreground_{name}": self.means(True)[name]}
        if self.details is not None:
            found["calibration_error"] = self.details.calibration_error
        return found

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: what is not a number becomes null."""
        found: dict[str, Any] = {
            "data": self.data,
            "split": self.split,
            "images": self.images,
            **{name: json_number(value) for name, value in self.figures().items()},
            "background": self.background,
            "overlapping": self.overlapping,
            "classes": list(self._class_rows()),
            "confusion_matrix": self.matrix.tolist(),
            "per_image": [{"name": name, "mean_iou": json_number(value)} for name, value in self.per_image],
        }
        if self.details is not None:
            intervals = self.details.intervals.items()
            found["confidence_intervals"] = {
                name: [json_number(low), json_number(high)] for name, (low, high) in intervals
            }
        if self.authors:
            found["authors"] = {name: json_number(value) for name, value in self.authors.items()}
        return found

    def _class_rows(self) -> Iterator[dict[str, Any]]:
        scores, shares = self.per_class(), self.shares()
        for index, name in enumerate(self.classes):
            row = {score: json_number(values[index]) for score, values in scores.items()}
            yield {"name": name, "pixels": json_number(shares[index]), **row}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_markdown(self) -> str:
        """A table of the classes, the means and the single figures; what is not a number is shown as a dash."""
        scores, shares = self.per_class(), self.shares()
        heads = ["class", "pixels", *(SHORT_NAMES[name] for name in scores)]
        lines = [table_row(heads), "|---|" + "---:|" * (len(heads) - 1)]
        for index, name in enumerate(self.classes):
            lines.append(
                table_row([name, f"{100 * shares[index]:.1f} %", *(short_score(v[index]) for v in scores.values())])
            )
        means = [short_score(value) for value in self.means().values()]
        lines.append(table_row(["**mean**", "", *(f"**{value}**" for value in means)]))
        if self.background is not None:
            means = [short_score(value) for value in self.means(True).values()]
            lines.append(table_row([f"mean without {self.classes[self.background]}", "", *means]))
        place = f"{self.images} image{'s' if self.images != 1 else ''} of {self.data}, split {self.split}"
        lines += ["", f"{place}; {', '.join(self._count_figures())}", *self._detail_figures()]
        if self.authors:
            theirs = ", ".join(f"{name} {short_score(value)}" for name, value in self.authors.items())
            lines += ["", f"{theirs}. {AUTHORS_NOTE}"]
        return "\n".join(lines)

    def _count_figures(self) -> Iterator[str]:
        if self.overlapping:
            yield f"right decisions {short_score(confusion.right_decisions(self.matrix))}"
            yield f"binary cross-entropy {short_score(self.cross_entropy)}"
            return
        yield f"pixel accuracy {short_score(confusion.pixel_accuracy(self.matrix))}"
        weighted = short_score(self.weighted_cross_entropy)
        also = "" if weighted == "-" else f" unweighted, {weighted} weighted as trained"
        yield f"cross-entropy {short_score(self.cross_entropy)}{also}"

    def of_few(self) -> str:
        """A word of caution for an interval of few images."""
        return f" (of {self.images} only, from which little follows)" if self.images < _FEWEST else ""

    def _detail_figures(self) -> Iterator[str]:
        if self.details is None:
            return
        names = {"mean_iou": "mean IoU"}
        if self.background is not None:
            names["foreground_iou"] = f"without {self.classes[self.background]}"
        found = {shown: self.details.intervals[name] for name, shown in names.items() if name in self.details.intervals}
        ranges = ", ".join(f"{shown} {short_score(low)} to {short_score(high)}" for shown, (low, high) in found.items())
        interval = f"; 95 % confidence interval over images{self.of_few()}: {ranges}" if ranges else ""
        yield f"calibration error {short_score(self.details.calibration_error)}{interval}"


SHORT_NAMES = {
    "iou": "IoU",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "boundary_f": "boundary F",
    "average_precision": "AP at IoU 0.5",
}


def table_row(cells: list[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def json_number(value: float) -> float | None:
    """Six decimals, or None for what is not a number."""
    return None if math.isnan(value) or math.isinf(value) else float(np.round(value, 6))


def short_score(value: float) -> str:
    """Three decimals, or a dash for what is not a number."""
    return "-" if math.isnan(value) or math.isinf(value) else f"{value:.3f}"
