"""A model and a set of images with masks -> a report, and the page that shows it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onenet
from onenet.card import Card
from onenet.config import DataConfig
from onenet.data import Dataset, open_dataset
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
    """A report with what it was made from, so that pictures can be drawn of it."""

    report: Report
    segmenter: Segmenter
    dataset: Dataset

    def strips(self, count: int = 8) -> list[Strip]:
        """The best and the worst images with truth and prediction, from best to worst."""
        ranked = sorted((row for row in self.report.per_image if row[1] == row[1]), key=lambda row: -row[1])
        half = count // 2
        chosen = ranked if len(ranked) <= count else ranked[:half] + ranked[-(count - half) :]
        items = {item.name: item for item in self.dataset.split(self.report.split)}
        strips = []
        for name, value in chosen:
            sample = self.dataset.read(items[name])
            strips.append(Strip(name, sample.image, sample.mask, self.segmenter(sample.image).mask, value))
        return strips


def evaluate(model: "str | Path | nn.Module", data: DataConfig, split: str = "test") -> Evaluation:
    """Score a model on a split of a data set: "train", "val", "test" or "all".

    Raises:
        DataError: the data has other classes than the model, or cannot be read.
    """
    segmenter = onenet.Segmenter(model)
    dataset = open_for(segmenter.card, data)
    report = score(segmenter, dataset.samples(split), segmenter.card, dataset.name, split)
    return Evaluation(report, segmenter, dataset)


def open_for(card: Card, data: DataConfig) -> Dataset:
    """Open a data set with the channels and classes of a model.

    Raises:
        DataError: its classes are not the model's.
    """
    if data.format == "folder" and not data.num_classes:
        data = dataclasses.replace(
            data, num_classes=card.num_classes, class_names=card.classes, background=_index(card.background)
        )
    dataset = open_dataset(dataclasses.replace(data, in_channels=card.in_channels))
    if dataset.num_classes != card.num_classes:
        raise DataError(
            f"{dataset.name} has {dataset.num_classes} classes ({', '.join(dataset.classes)}), but the model has "
            f"{card.num_classes} ({', '.join(card.classes)}); use the data that it was trained for"
        )
    return dataset


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


def _index(background: int | None) -> int:
    return -1 if background is None else background
