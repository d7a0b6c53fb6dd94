"""A set of images or volumes, opened as a model needs it."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from onenet.card import Card
from onenet.cases import open_cases
from onenet.config import VOLUMES, DataConfig, parse_spec
from onenet.data import Dataset, VolumeDataset, open_dataset
from onenet.data.classes import find_class_table
from onenet.data.remembered import remembered, shown
from onenet.deploy.ensemble import files_of_folds
from onenet.deploy.opening import is_exported
from onenet.errors import ConfigError, DataError, OneNetError
from onenet.weights import shipped_file

_NAMED = 5  # classes or files that a message names


def config_of_run(model: str | Path) -> Path | None:
    """The config.toml of the run that a model is from, of folds that of the first one; None where there is none.

    A file is a run's by its place and by the name that training and export give it, which begins with "model.".
    """
    path = Path(model)
    if path.is_file() or is_exported(path):
        folder = path.parent if path.name.startswith("model.") else None
    else:
        folder = next(
            (file.parent for file in (path / "model.safetensors", *files_of_folds(path)) if file.is_file()), None
        )
    found = folder / "config.toml" if folder and not shipped_file(model) else None
    return found if found and found.is_file() else None


def open_data(card: Card, model: object, spec: str) -> tuple[Dataset, tuple[str, ...]]:
    """Open what a SPEC names, as `open_spec` does, or with an empty one the data of the run that the model is from.

    Raises:
        ConfigError: no SPEC, and no run.
        OneNetError: as `open_spec`.
    """
    if spec:
        return open_spec(card, spec)
    found = config_of_run(model) if isinstance(model, (str, Path)) else None
    if found is None:
        if not isinstance(model, (str, Path)):
            raise ConfigError("a module has no run with data; name them as FORMAT:PATH, for example folder:photos")
        raise ConfigError(f"{model}: has no config.toml of a run beside it; say what to score on with --data "
                          "FORMAT:PATH, for example --data folder:photos")  # fmt: skip
    try:
        dataset, notes = open_spec(card, str(found))
    except OneNetError as error:
        raise type(error)(f"{error} (the data of the run, as {found} says; name others with --data)") from None
    return dataset, (f"the data are those of the run, as {found} says", *notes)


def open_spec(card: Card, spec: str) -> tuple[Dataset, tuple[str, ...]]:
    """Open what a SPEC names; where it does not say how to split or how masks are read, as in the model's training.

    Returns:
        The data set, and a note where its masks are read by what the model remembers.

    Raises:
        OneNetError: as `parse_spec` and `open_for`.
    """
    alone = parse_spec(spec)
    data = parse_spec(spec, base={**card.training.get("split", {}), **remembered(card, alone)})
    settings = shown(alone, data)
    note = f"masks are read as in the model's training: {settings}"
    try:
        return open_for(card, data), (note,) if settings else ()
    except OneNetError as error:
        raise type(error)(f"{error} ({note})") if settings else error from None


def open_for(card: Card, data: DataConfig) -> Dataset:
    """Open a data set as a model needs it: its channels and range of values, and its classes where the data name none.

    Raises:
        DataError: its classes are not the model's.
    """
    if data.overlapping and not card.overlapping:
        raise DataError(f"{data.root}: its classes may overlap (data.overlapping), but the model gives each pixel one "
                        "class; use a model that was trained with data.overlapping=true")  # fmt: skip
    if data.format not in VOLUMES:
        data = dataclasses.replace(data, in_channels=card.in_channels, overlapping=card.overlapping)
        if data.value_range == (0, 0):
            data = dataclasses.replace(data, value_range=card.value_range)
    dataset = _opened(card, data)
    if card.volume and not isinstance(dataset, VolumeDataset):
        raise DataError(f"{dataset.name} holds images, but the model was trained on volumes; use volumes")
    if dataset.num_classes != card.num_classes:
        raise DataError(_other_classes(dataset, card))
    if card.overlapping != dataset.overlapping:
        theirs, ours = "has one class per pixel", "model's classes may overlap"
        if dataset.overlapping:
            theirs, ours = "has classes that may overlap", "model gives each pixel one class"
        raise DataError(f"{dataset.name} {theirs}, but the {ours}; use the data that it was trained for")
    return dataset


def _opened(card: Card, data: DataConfig) -> Dataset:
    """The data, with the model's classes where it names none.

    Raises:
        DataError: it cannot be opened; where its masks hold another number of classes, that is said, too.
    """

    def opened(data: DataConfig) -> Dataset:
        return open_cases(card, data) if data.format in VOLUMES else open_dataset(data)

    lent = _with_classes(card, data)
    named = data.class_names == card.classes and not data.num_classes and not data.class_values
    alone = dataclasses.replace(data, class_names=()) if named else data
    try:
        return opened(lent)
    except OneNetError as error:
        own = _or_none(opened, alone) if lent != alone else None
        if own is None or own.num_classes == card.num_classes:
            raise
        raise DataError(f"{_other_classes(own, card)}, or mend what does not belong there: {error}") from None


def _other_classes(dataset: Dataset, card: Card) -> str:
    return (
        f"{dataset.name} has {dataset.num_classes} classes ({few(dataset.classes)}), but the model has "
        f"{card.num_classes} ({few(card.classes)}); use the data that it was trained for"
    )


def _or_none(opened: Callable[[DataConfig], Dataset], data: DataConfig) -> Dataset | None:
    try:
        return opened(data)
    except OneNetError:
        return None


def _with_classes(card: Card, data: DataConfig) -> DataConfig:
    """The model's classes stand in where a folder says nothing of its own; the other formats say which they have."""
    if data.format not in ("folder", "volumes") or find_class_table(Path(data.root).expanduser(), data.class_table):
        return data
    if not data.class_values and not data.num_classes:
        background = -1 if card.background is None else card.background
        data = dataclasses.replace(data, num_classes=card.num_classes, background=background)
    if not data.class_names and (data.num_classes or len(data.class_values)) == card.num_classes:
        data = dataclasses.replace(data, class_names=card.classes)
    return data


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
