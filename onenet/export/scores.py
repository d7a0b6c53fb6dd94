"""What a file for a device scores, and how much INT8 may lose."""

import itertools

from onenet.card import Card
from onenet.data import Dataset
from onenet.deploy.runner import Runner
from onenet.deploy.segmenter import Segmenter
from onenet.errors import FailedCheckError
from onenet.metrics.evaluation import score

_SCORED = 200  # images at most


def refuse_drop(before: float, after: float, max_drop: float, dataset: Dataset) -> None:
    """Hold INT8 to its limit.

    Args:
        before, after: mean IoU in float and in INT8.
        max_drop: by how many points it may fall.

    Raises:
        FailedCheckError: it falls by more, or is no number because no pixel is counted.
    """
    drop = 100 * (before - after)
    if not drop <= max_drop:
        images = f"{images_scored(dataset)} {scored_split(dataset)} images"
        raise FailedCheckError(
            f"INT8 loses {drop:.2f} points of mean IoU on {images} of {dataset.name}, and --max-drop is {max_drop:g}; "
            "nothing was written for it"
        )


def scored_split(dataset: Dataset) -> str:
    """The split that files are scored on: validation, unless its images are trained on, too."""
    trained = set(dataset.items.get("train", ()))
    unseen = (split for split in ("val", "test") if set(dataset.items.get(split, ())) - trained)
    return next(unseen, "train")


def images_scored(dataset: Dataset) -> int:
    """How many of its images `scored_mean_iou` takes."""
    return min(_SCORED, len(dataset.split(scored_split(dataset))))


def scored_mean_iou(runner: Runner, card: Card, dataset: Dataset | None) -> float:
    """Mean IoU on that split, of at most 200 images."""
    assert dataset is not None
    split = scored_split(dataset)
    samples = itertools.islice(dataset.samples(split), _SCORED)
    return score(Segmenter(runner, card), samples, card, dataset.name, split).mean_iou
