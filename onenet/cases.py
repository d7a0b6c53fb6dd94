"""Volumes that a model is scored on: opened as it needs them, and segmented whole, one after the other."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from onenet.card import Card
from onenet.config import DataConfig
from onenet.data.cases import Case
from onenet.data.preparation import Preparation
from onenet.data.slices import VolumeDataset, open_volumes
from onenet.data.volume_reading import classes_of, read_labelled
from onenet.deploy.segmenter import Segmenter
from onenet.deploy.volume import segment_volume
from onenet.errors import ConfigError, DataError
from onenet.metrics.case_scoring import SegmentedCase
from onenet.metrics.postprocessing import choose_steps
from onenet.volumes import Volume


def open_cases(card: Card, data: DataConfig) -> VolumeDataset:
    """Open volumes as a model needs them: cut, resampled and scaled as in its training.

    Raises:
        ConfigError: the model was not trained on volumes.
        DataError: the volumes have other channels than the model, or cannot be read.
    """
    if not card.volume:
        raise ConfigError(f"{data.format}:{data.root}: volumes, but the model was trained on images; use one that was "
                          "trained on volumes")  # fmt: skip
    preparation = Preparation.from_card(card.volume)
    dataset = open_volumes(dataclasses.replace(data, in_channels=0), preparation)
    if dataset.in_channels != card.in_channels:
        seen = 2 * preparation.neighbours + 1
        raise DataError(f"{dataset.name} has {dataset.channels} channel(s), but the model takes "
                        f"{card.in_channels // seen}; use the data that it was trained for")  # fmt: skip
    return dataset


def segmented_cases(
    segmenter: Segmenter,
    dataset: VolumeDataset,
    cases: Iterable[Case],
    steps: Mapping[str, Sequence[int]] | None = None,
) -> Iterator[SegmentedCase]:
    """Cases with truth and prediction at their own voxels; unreadable ones are left out where `skip_unreadable`.

    Args:
        segmenter: of a model of volumes.
        dataset: that the cases are of.
        cases: which ones.
        steps: of post-processing; None: those of the card.

    Raises:
        DataError: a case cannot be read, or its files do not fit each other.
    """
    for case in cases:
        try:
            volume = read_labelled(case, dataset.channels)
            truth = classes_of(volume.mask, dataset.labels, case)
        except DataError:
            if not dataset.skip_unreadable:
                raise
            continue
        whole = Volume(array=volume.image, affine=volume.grid.affine, file=case.image)
        prediction = np.asarray(segment_volume(segmenter, whole, steps), dtype=np.uint8)
        yield SegmentedCase(case.name, volume.image, truth, prediction, volume.grid.spacing, dataset.preparation.axis)


def chosen_steps(segmenter: Segmenter, dataset: VolumeDataset) -> tuple[dict[str, list[int]], str]:
    """The post-processing that raises the mean Dice of the validation cases most, and a line that says so.

    Raises:
        DataError: there are no validation cases, or one cannot be read.
    """
    cases, card = dataset.sources("val"), segmenter.card
    found = segmented_cases(segmenter, dataset, cases, steps={})
    steps, dice = choose_steps(found, card.num_classes, card.background, card.overlapping)
    words = [
        f"{card.classes[index]} {' and '.join(step for step in steps if index in steps[step])} "
        f"(Dice {dice[0, index]:.3f} to {dice[:, index].max():.3f})"
        for index in range(card.num_classes)
        if any(index in indices for indices in steps.values())
    ]
    return steps, f"post-processing chosen on {len(cases)} validation cases: {', '.join(words) or 'none helps'}"
