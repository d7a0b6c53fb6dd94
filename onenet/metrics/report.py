"""The report: the figures of one model on one set of images, as JSON and as Markdown."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onenet.metrics import confusion
from onenet.metrics.confusion import Matrix


@dataclass(frozen=True)
class Report:
    """What was measured. Every figure follows from one confusion matrix over the whole set.

    Attributes:
        data, split: which images ("nuclei", "test").
        images: how many.
        classes: names, in the order of the matrix.
        background: index of the background class, or None.
        matrix: pixel counts, rows the truth, columns the prediction.
        cross_entropy: mean over all counted pixels, unweighted, in nats.
        per_image: (name, mean IoU of the image) of every image, for the best and the worst.
    """

    data: str
    split: str
    images: int
    classes: tuple[str, ...]
    background: int | None
    matrix: Matrix
    cross_entropy: float
    per_image: tuple[tuple[str, float], ...] = field(default=())

    @property
    def mean_iou(self) -> float:
        """Mean over all classes that occur."""
        return confusion.mean_over_classes(confusion.iou(self.matrix))

    @property
    def foreground_iou(self) -> float:
        """Mean over the classes without background: the score by which the best weights are chosen."""
        return confusion.mean_over_classes(confusion.iou(self.matrix), self.background)

    @property
    def mean_dice(self) -> float:
        return confusion.mean_over_classes(confusion.dice(self.matrix))

    @property
    def foreground_dice(self) -> float:
        return confusion.mean_over_classes(confusion.dice(self.matrix), self.background)

    def figures(self) -> dict[str, float]:
        """The single numbers, by name."""
        return {
            "mean_iou": self.mean_iou,
            "foreground_iou": self.foreground_iou,
            "mean_dice": self.mean_dice,
            "foreground_dice": self.foreground_dice,
            "pixel_accuracy": confusion.pixel_accuracy(self.matrix),
            "cross_entropy": self.cross_entropy,
        }

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: what is not a number becomes null."""
        ious, dices = confusion.iou(self.matrix), confusion.dice(self.matrix)
        pixels = self.matrix.sum(1) / max(1, self.matrix.sum())
        return {
            "data": self.data,
            "split": self.split,
            "images": self.images,
            **{name: _number(value) for name, value in self.figures().items()},
            "background": self.background,
            "classes": [
                {"name": name, "iou": _number(ious[i]), "dice": _number(dices[i]), "pixels": _number(pixels[i])}
                for i, name in enumerate(self.classes)
            ],
            "confusion_matrix": self.matrix.tolist(),
            "per_image": [{"name": name, "mean_iou": _number(value)} for name, value in self.per_image],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_markdown(self) -> str:
        """A table of the classes and a line of the means; a class that does not occur is shown as a dash."""
        rows = self.to_dict()
        lines = ["| class | pixels | IoU | Dice |", "|---|---:|---:|---:|"]
        for row in rows["classes"]:
            lines.append(
                f"| {row['name']} | {_percent(row['pixels'])} | {_score(row['iou'])} | {_score(row['dice'])} |"
            )
        lines.append(f"| **mean** | | **{_score(rows['mean_iou'])}** | **{_score(rows['mean_dice'])}** |")
        if self.background is not None:
            lines.append(
                f"| mean without {self.classes[self.background]} | | {_score(rows['foreground_iou'])} "
                f"| {_score(rows['foreground_dice'])} |"
            )
        lines += ["", f"{self.images} images of {self.data}, split {self.split}; pixel accuracy "
                  f"{_score(rows['pixel_accuracy'])}, cross-entropy {_score(rows['cross_entropy'])}"]  # fmt: skip
        return "\n".join(lines)


def _number(value: float) -> float | None:
    return None if math.isnan(value) or math.isinf(value) else float(np.round(value, 6))


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
