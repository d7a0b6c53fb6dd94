"""The validation after an epoch: scores, pictures, and a warning where a network has learned nothing but one class."""

import math
from pathlib import Path

import numpy as np

from onenet.data import Dataset, VolumeDataset
from onenet.deploy.segmenter import Segmenter
from onenet.metrics import confusion
from onenet.metrics.evaluation import score
from onenet.metrics.report import Report
from onenet.models.eager import EagerRunner
from onenet.models.network import Network
from onenet.training.examples import draw_examples, example_names
from onenet.training.images import Watched
from onenet.training.network import card_of


def validate(network: Network, dataset: Dataset, examples: int, picture: Path) -> tuple[Report, dict[str, str]]:
    """Score a network on the split "val"; of volumes slice by slice, as they are prepared.

    Args:
        network: with its card.
        dataset: whose images they are.
        examples: how many of them are drawn.
        picture: the file that they are drawn into.

    Returns:
        The report, and the images that were left out (name -> reason).

    Raises:
        DataError: an image cannot be read.
    """
    card = card_of(network)
    segmenter = Segmenter(EagerRunner(network), card)
    drawn = example_names(dataset.split("val"), examples)
    if isinstance(dataset, VolumeDataset):
        drawn = {item.name for item in dataset.telling("val", examples)}
    samples = Watched(dataset, "val", drawn)
    report = score(segmenter, samples, card, dataset.name, "val", absent=dataset.absent)
    if samples.kept:
        draw_examples(picture, samples.kept, segmenter)
    return report, samples.left_out()


def rank_of(report: Report) -> tuple[int, float]:
    """Higher is better: mean IoU without the background; where that is undefined, the lowest loss."""
    iou = report.foreground_iou
    if not math.isnan(iou):
        return 1, iou
    return 0, -math.inf if math.isnan(report.cross_entropy) else -report.cross_entropy


def one_class_only(report: Report) -> str | None:
    """A line where one class alone is predicted although there are others (where they may overlap: none at all)."""
    _, true, predicted = confusion.areas(report.matrix)
    found = np.flatnonzero(predicted)
    if np.count_nonzero(true) < (1 if report.overlapping else 2) or found.size > (0 if report.overlapping else 1):
        return None
    what = f"only {report.classes[found[0]]} is predicted" if found.size else "no class is predicted anywhere"
    return (
        f"{what}; if that stays so, try another train.learning_rate, loss.balance=enet or train.foreground=0.5, "
        "or see with train.overfit=2 whether the network can learn at all"
    )
