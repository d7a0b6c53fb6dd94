"""A model and a set of images with masks -> a report, and the page that shows it."""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onenet
from onenet.card import Card
from onenet.config import DataConfig, parse_spec
from onenet.data import Dataset, Item, open_dataset
from onenet.deploy.segmenter import Segmenter
from onenet.errors import DataError
from onenet.images import atomic_write
from onenet.metrics.evaluation import score
from onenet.metrics.page import Strip, write_page
from onenet.metrics.report import Report

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A report with what it was made from, so that pictures can be drawn of it.

    Attributes:
        notes: what a reader of the scores should know, a line each.
    """

    report: Report
    segmenter: Segmenter
    dataset: Dataset
    notes: tuple[str, ...] = ()

    def strips(self, count: int = 8) -> list[Strip]:
        """The best and the worst images with truth and prediction, from best to worst."""
        pairs = zip(self.dataset.split(self.report.split), self.report.per_image, strict=True)
        scored = [(item, value) for item, (_, value) in pairs if not math.isnan(value)]
        ranked = sorted(scored, key=lambda pair: -pair[1])
        half = count // 2
        strips = []
        for item, value in ranked if len(ranked) <= count else ranked[:half] + ranked[-(count - half) :]:
            sample = self.dataset.read(item)
            strips.append(Strip(item.name, sample.image, sample.mask, self.segmenter(sample.image).mask, value))
        return strips


def evaluate(model: "str | Path | nn.Module", data: DataConfig | str, split: str = "test") -> Evaluation:
    """Score a model on a split of a data set.

    Args:
        model: a file, the folder of a run, or a module with a card.
        data: a configuration, or a SPEC such as "folder:photos"; a SPEC that does not say how to split is split as
            for the model's training.
        split: "train", "val", "test" or "all".

    Raises:
        DataError: the data has other classes than the model, or cannot be read.
    """
    segmenter = onenet.Segmenter(model)
    card = segmenter.card
    if isinstance(data, str):
        data = parse_spec(data, base=card.training.get("split", {}))
    dataset = open_for(card, data)
    report = score(segmenter, dataset.samples(split), card, dataset.name, split)
    return Evaluation(report, segmenter, dataset, (*dataset.notes, *_cautions(card, dataset, split)))


def open_for(card: Card, data: DataConfig) -> Dataset:
    """Open a data set with the channels and classes of a model.

    Raises:
        DataError: its classes are not the model's.
    """
    if data.format == "folder" and not data.num_classes:
        background = -1 if card.background is None else card.background
        data = dataclasses.replace(data, num_classes=card.num_classes, class_names=card.classes, background=background)
    dataset = open_dataset(dataclasses.replace(data, in_channels=card.in_channels))
    if dataset.num_classes != card.num_classes:
        raise DataError(
            f"{dataset.name} has {dataset.num_classes} classes ({', '.join(dataset.classes)}), but the model has "
            f"{card.num_classes} ({', '.join(card.classes)}); use the data that it was trained for"
        )
    return dataset


def fingerprint(item: Item) -> str:
    """Eight characters that stand for an image's name in a card, so that a score on trained images is noticed."""
    return hashlib.sha256(item.name.encode(errors="replace")).hexdigest()[:8]


def _cautions(card: Card, dataset: Dataset, split: str) -> list[str]:
    cautions = []
    if dataset.classes != card.classes:
        theirs, ours = ", ".join(dataset.classes), ", ".join(card.classes)
        cautions.append(f"the data calls its classes {theirs}; the model calls them {ours}")
    seen = set(card.training.get("seen", ())) if card.training.get("data") == dataset.name else set()
    scored = dataset.split(split)
    known = sum(fingerprint(item) in seen for item in scored)
    if known and split == "test":
        cautions.append(
            f"{known} of these {len(scored)} images were used in training or validation, so the score is too good; "
            "the split differs from the one the model was trained with"
        )
    return cautions


def write_report(
    evaluation: Evaluation,
    folder: Path,
    log: Sequence[Mapping[str, float]] = (),
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write report.json and report.html into `folder`; returns the page's path."""
    with atomic_write(folder / "report.json") as file:
        file.write(evaluation.report.to_json().encode())
    card = evaluation.segmenter.card
    page = folder / "report.html"
    title = f"{card.architecture} on {evaluation.report.data}"
    write_page(
        page, title=title, report=evaluation.report, card=card, log=log, strips=evaluation.strips(), facts=facts or {}
    )
    return page
