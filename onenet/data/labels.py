"""Raw mask values -> classes: what the configuration, a class table or the masks themselves say."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onenet.card import default_classes, default_colours
from onenet.config import DataConfig
from onenet.data.classes import ClassTable, Colour, colour_number, find_class_table, parse_colour, read_class_table
from onenet.data.mask_values import refuse_mixture, values_of
from onenet.data.sample import Item, shown_value
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED, lossy

NO_BACKGROUND = -1

_BLENDED = 12  # more different labels than these are seldom meant
_MOST_LISTED = 48  # values in a message, to be copied
_NO_LABELS = "it looks like a photo, or like a mask with smoothed outlines; masks hold class indices"
_BLACK_AND_WHITE = "masks hold 0 and 255: read as classes 0 and 1"


@dataclass(frozen=True)
class Labels:
    """How masks are read.

    Attributes:
        mapping: raw value -> class index, 255 for values that are not counted.
        encoding: of the mask files, see `onenet.images.read_mask`.
        classes, colours, background: as in the card.
        notes: what a user should be told, a line each.
        table: the class table, where there is one.
    """

    mapping: Mapping[int, int]
    encoding: str
    classes: tuple[str, ...]
    colours: tuple[Colour, ...]
    background: int | None
    notes: tuple[str, ...] = ()
    table: Path | None = None


def read_labels(config: DataConfig, items: Sequence[Item]) -> Labels:
    """Read every mask's values and decide which class each of them is.

    `data.class_values` is asked first, then a class table, then the masks: they hold 0, 1, 2, ... or 0 and 255.

    Raises:
        DataError: a mask is unreadable (unless `data.skip_unreadable`), or holds a value that is no class.
        ConfigError: the keys contradict each other or the masks.
    """
    path = find_class_table(Path(config.root), config.class_table)
    table = class_table(config, path)
    encoding = encoding_of(config, table)
    values, notes = values_of(items, encoding, config)
    if table and table.coloured and encoding == "colour" and _are_indices(table, values, items, config):
        encoding = "index"
        values, notes = values_of(items, encoding, config)
    if table and table.coloured and encoding != "colour":
        table = table.by_index()
    if items and not config.class_values:
        refuse_mixture(values, items, encoding)
    labels = labels_by(values, config, table, path, encoding)
    return dataclasses.replace(labels, notes=(*notes, *labels.notes))


def labels_by(
    values: Mapping[int, Item], config: DataConfig, table: ClassTable | None, path: Path | None, encoding: str = "index"
) -> Labels:
    """The classes of masks that hold `values`, each with one item that holds it: by a table, else by themselves.

    Raises:
        DataError: a value is no class.
        ConfigError: the keys contradict each other or the masks.
    """
    if table is not None:
        return dataclasses.replace(_by_table(table, path, values, encoding, config), table=path)
    mapping, notes = _by_values(values, config)
    count = config.num_classes or max(index for index in mapping.values() if index != IGNORED) + 1
    return describe_labels(mapping, encoding, count, config, notes=notes)


def class_table(config: DataConfig, path: Path | None) -> ClassTable | None:
    """What `data.class_values` say, with the names of a table of as many classes, else the table at `path`.

    Raises:
        DataError: the table cannot be read.
        ConfigError: `data.class_values` are no values.
    """
    table = read_class_table(path) if path else None
    if not config.class_values:
        return table
    given = _given_values(config)
    if table is None or len(table.names) != len(given.values):
        return given
    return dataclasses.replace(given, names=table.names, colours=given.colours or table.colours)


def encoding_of(config: DataConfig, table: ClassTable | None) -> str:
    """How masks are read: as `data.mask_encoding` says, or as the classes are given.

    Raises:
        ConfigError: the two contradict each other.
    """
    encoding = config.mask_encoding
    if encoding == "auto":
        return "colour" if table and table.coloured else "index"
    if encoding == "colour" and not (table and table.coloured):
        raise ConfigError("data.mask_encoding=colour: say which colour is which class, with data.class_values or "
                          "a class table (data.class_table)")  # fmt: skip
    if encoding == "index" and config.class_values and table and table.coloured:
        raise ConfigError("data.mask_encoding=index, but data.class_values are colours; give numbers, or leave it out")
    return encoding


def describe_labels(
    mapping: Mapping[int, int],
    encoding: str,
    count: int,
    config: DataConfig,
    names: Sequence[str] = (),
    colours: Sequence[Colour] = (),
    background: int | None = None,
    notes: tuple[str, ...] = (),
) -> Labels:
    """Labels of `count` classes; `names` and `background` stand in where the configuration says nothing of its own.

    Raises:
        ConfigError: there are not as many names as classes, two are equal, or the background is none of them.
    """
    names = config.class_names or tuple(names)
    if names and len(names) != count:
        raise ConfigError(f"data.class_names has {len(names)} names, but the masks have {count} classes")
    twice = next((name for name in names if not name.strip() or list(names).count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"data.class_names: {twice!r} is empty or stands there twice; each class needs its own name")
    if config.background > 0 or (background is None and config.background == 0):
        background = config.background
        if background >= count:
            raise ConfigError(
                f"data.background={background}: there are {count} classes, counted from 0; use -1 for none"
            )
    if config.background < 0 or background == NO_BACKGROUND:
        background = None
    classes = tuple(names) or default_classes(count, background)
    shown = tuple(colours) if len(set(colours)) == count else default_colours(count, background)
    return Labels(mapping, encoding, classes, shown, background, notes)


def background_of(names: Sequence[str]) -> int:
    """Which of the names is the background's; NO_BACKGROUND where none is."""
    known = ("background", "bg", "_background_")
    return next((index for index, name in enumerate(names) if name.lower() in known), NO_BACKGROUND)


def _are_indices(table: ClassTable, values: Mapping[int, Item], items: Sequence[Item], config: DataConfig) -> bool:
    """Whether masks hold class numbers although their table has colours: some colour is strange, but no number is."""
    known = {*table.values, *table.void}
    if config.mask_encoding != "auto" or config.class_values or known.issuperset(values):
        return False
    try:
        numbers, _ = values_of(items, "index", config)
    except DataError:
        return False  # the masks are in colours
    return {*range(len(known)), config.ignore_index}.issuperset(numbers)


def _given_values(config: DataConfig) -> ClassTable:
    """`data.class_values` as a table without names."""
    colours = [colour for text in config.class_values if (colour := parse_colour(text))]
    numbers = [int(text) for text in config.class_values if text.isdecimal()]
    wrong = next((t for t in config.class_values if not t.isdecimal() and not parse_colour(t)), None)
    if wrong is not None or (colours and numbers):
        shown = wrong if wrong is not None else config.class_values[0]
        raise ConfigError(f'data.class_values: {shown!r}; write numbers like 128 or colours like "#ff0000", not both')
    values = tuple(map(colour_number, colours)) if colours else tuple(numbers)
    if len(set(values)) != len(values):
        raise ConfigError("data.class_values: one value stands there twice; write one per class")
    return ClassTable((), values, (), tuple(colours), bool(colours))


def _by_table(
    table: ClassTable, path: Path | None, values: Mapping[int, Item], encoding: str, config: DataConfig
) -> Labels:
    source = "data.class_values" if config.class_values else str(path)
    count = len(table.values)
    if config.num_classes not in (0, count):
        raise ConfigError(f"data.num_classes={config.num_classes}, but {source} has {count} classes; leave it out")
    mapping = table_mapping(table, encoding, config)
    notes: tuple[str, ...] = ()
    if set(values) == {0, 255} and table.values == (0, 1):  # named 0 and 1, drawn as black and white
        mapping, notes = {0: 0, 255: 1}, (_BLACK_AND_WHITE,)
    elif set(values) == {0, 255} and count > 2 and mapping.get(255) == IGNORED:
        raise _only_black_and_white(values[255], count)
    strange = sorted(value for value in values if value not in mapping)
    if strange:
        shown = ", ".join(shown_value(value, encoding) for value in strange[:6]) + (", ..." if strange[6:] else "")
        raise DataError(f"{values[strange[0]].mask}: the mask holds {shown}, which {source} does not name"
                        f"{_table_hint(strange, values, count, encoding)}")  # fmt: skip
    return describe_labels(mapping, encoding, count, config, table.names, table.colours, _background(table), notes)


def table_mapping(table: ClassTable, encoding: str, config: DataConfig) -> dict[int, int]:
    """Raw value -> class index, 255 for what is not counted."""
    mapping = dict.fromkeys(table.void, IGNORED) | {value: index for index, value in enumerate(table.values)}
    if encoding != "colour":
        mapping.setdefault(config.ignore_index, IGNORED)
    return mapping


def _background(table: ClassTable) -> int | None:
    """Names of a table say whether one of them is the background; bare values do not, so that class 0 is it."""
    return background_of(table.names) if table.names else None


def _table_hint(strange: Sequence[int], values: Mapping[int, Item], count: int, encoding: str) -> str:
    if lossy(values[strange[0]].mask) and len(strange) > 1:
        return ": lossy compression has changed the labels; save masks as PNG"
    if len(strange) > _BLENDED:
        return "; are its outlines blended, or does it belong to other data? Save masks without smoothing"
    if encoding == "colour":
        return "; add it, or name it void"
    if strange[0] == count:
        return "; does the table lack the background as its first line?"
    return "; add it, or set data.ignore_index"


def _by_values(values: Mapping[int, Item], config: DataConfig) -> tuple[dict[int, int], tuple[str, ...]]:
    """What the masks themselves say: class indices, or 0 and 255."""
    counted = sorted(value for value in values if value != config.ignore_index)
    if set(values) == {0, 255} and config.num_classes in (0, 2):
        return {0: 0, 255: 1}, (_BLACK_AND_WHITE,)
    if set(values) == {0, 255} and config.num_classes > 2 and config.ignore_index == 255:
        raise _only_black_and_white(values[255], config.num_classes)
    if not counted:
        where = f"{values[config.ignore_index].mask.parent}: " if values else ""
        raise DataError(f"{where}every mask pixel is {config.ignore_index}, which is not counted (data.ignore_index)")
    top = (config.num_classes or IGNORED - 1) - 1
    worst = counted[-1]
    file = values[worst].mask
    setting = ",".join(map(str, counted))
    shown = ", ".join(map(str, counted[:6])) + (", ..." if counted[6:] else "")
    if lossy(file) and counted != list(range(worst + 1)):
        raise DataError(f"{file}: masks hold {shown}: lossy compression has changed the labels; save masks as PNG")
    if worst > top:
        allowed = f"0 to {top}" + (f" and {config.ignore_index} for not counted" if config.ignore_index > top else "")
        hint = "set data.num_classes" if config.num_classes else "masks hold class indices; else set data.class_values"
        if len(counted) > _MOST_LISTED and not config.num_classes:
            hint = _NO_LABELS
        raise DataError(f"{file}: the mask holds the value {worst}; allowed are {allowed}; {hint}")
    if counted == [0] and not config.num_classes:
        raise DataError(f"{file.parent}: every mask is 0 throughout, so there is nothing to learn")
    if not config.num_classes and counted != list(range(worst + 1)):
        advice = f"say which value is which class, data.class_values=[{setting}]"
        advice = advice if len(counted) <= _MOST_LISTED else _NO_LABELS
        raise DataError(f"{file}: masks hold {shown}, which are not class indices 0, 1, 2, ...; {advice}, or set "
                        "data.num_classes if a class does not occur; onenet data check names the files with stray "
                        "values")  # fmt: skip
    mapping = {index: index for index in range(max(worst, config.num_classes - 1) + 1)}
    return {**mapping, config.ignore_index: IGNORED}, ()


def _only_black_and_white(item: Item, count: int) -> DataError:
    """Of more than two classes: all that is white would not be counted, and the rest be one class."""
    return DataError(f"{item.mask}: masks hold only 0 and 255, but there are {count} classes; save them with 0, 1, 2, "
                     "..., or name two classes")  # fmt: skip
