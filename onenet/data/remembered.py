"""How a training read its masks: kept in the model's card, and the base of a SPEC that says nothing of it.

train folder:photos,class_values=[255,0]    the card keeps class_values = ["255", "0"]
evaluate MODEL --data folder:photos         reads masks so too, unless the SPEC or a table of its own says otherwise
"""

from pathlib import Path
from typing import Any

from onenet.card import Card
from onenet.config import DataConfig
from onenet.data.classes import find_class_table
from onenet.data.labels import NO_BACKGROUND
from onenet.data.located import located
from onenet.data.sample import Dataset, shown_value
from onenet.data.voc import find_root
from onenet.images import IGNORED

_VALUES = ("class_values", "class_table", "mask_encoding")  # which value is which class: they go together
_CLASSES = ("class_names", "num_classes", "background")  # what a class table says of itself
_OTHERS = ("ignore_index", "border")


def to_remember(config: DataConfig, dataset: Dataset) -> dict[str, Any]:
    """The keys of [data] by which the masks of `dataset` are read, in plain values and without a path.

    A class table is kept by its name where it lies in the data's folder; of one that lies elsewhere the values are.
    """
    kept = {key: getattr(config, key) for key in (*_VALUES, *_CLASSES, *_OTHERS)}
    kept["class_table"] = ""
    if dataset.table is not None:
        folder = _table_folder(located(config))
        if folder is not None and dataset.table.resolve().parent == folder.resolve():
            kept["class_table"] = dataset.table.name
        else:
            kept["class_values"] = kept["class_values"] or _values_of(dataset, config.ignore_index)
            kept["class_names"] = dataset.classes
            kept["background"] = NO_BACKGROUND if dataset.background is None else dataset.background
    return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}


def _values_of(dataset: Dataset, ignore_index: int) -> tuple[str, ...]:
    """`data.class_values` that read masks alike; none where several values are of one class, or not counted."""
    values = {index: value for value, index in dataset.labels.items() if index != IGNORED}
    unknown = dataset.labels.keys() - values.values() - ({ignore_index} if dataset.encoding != "colour" else set())
    if unknown or len(values) != dataset.num_classes:
        return ()
    return tuple(shown_value(values[index], dataset.encoding, bare=True) for index in range(dataset.num_classes))


def remembered(card: Card, spec: DataConfig) -> dict[str, Any]:
    """What stands in where `spec` says nothing of how its masks are read: the settings of the model's training.

    Nothing where the data has another format. A class table of the data's own, which the training had not, says more;
    so do values or a table that `spec` gives.

    Raises:
        ConfigError: the data has no root.
        DataError: a table that `spec` names is not there.
    """
    kept = card.training.get("labels")
    if not isinstance(kept, dict) or card.training.get("format") != spec.format:
        return {}
    base = {key: kept[key] for key in (*_VALUES, *_CLASSES, *_OTHERS) if key in kept}
    name = Path(str(base.pop("class_table", ""))).name
    folder = _table_folder(located(spec))
    theirs = folder / name if folder and name and not spec.class_table else None
    if theirs is not None and theirs.is_file():
        base["class_table"] = name
        found = True
    else:
        found = folder is not None and find_class_table(folder, spec.class_table) is not None
        base = _without(base, _VALUES) if found else base
    base = _without(base, _VALUES) if spec.class_values or spec.class_table else base
    return _without(base, _CLASSES) if found and not card.overlapping else base


def _without(base: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in base.items() if key not in keys}


def _table_folder(config: DataConfig) -> Path | None:
    """Where a class table is looked for; None of a format that has none."""
    if config.format == "voc":
        return find_root(config)
    return Path(config.root) if config.format in ("folder", "camvid") else None


def shown(spec: DataConfig, used: DataConfig) -> str:
    """In which settings of masks `used` goes beyond `spec`, as "data.class_values=[255,0]"; "" where in none."""
    keys = (*_VALUES, *_OTHERS)
    return ", ".join(
        f"data.{key}={_text(getattr(used, key))}" for key in keys if getattr(used, key) != getattr(spec, key)
    )


def _text(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return "[" + ",".join(text if text.isdecimal() else f'"{text}"' for text in value) + "]"
