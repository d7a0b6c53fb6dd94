"""Raw mask values -> classes: what the configuration, a class table or the masks themselves say."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.card import default_classes, default_colours
from onenet.config import DataConfig
from onenet.data.classes import ClassTable, Colour, colour_number, find_class_table, parse_colour, read_class_table
from onenet.data.sample import Item
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED, read_mask


@dataclass(frozen=True)
class Labels:
    """How masks are read.

    Attributes:
        mapping: raw value -> class index, 255 for values that are not counted.
        encoding: of the mask files, see `onenet.images.read_mask`.
        classes, colours, background: as in the card.
        notes: what a user should be told, a line each.
    """

    mapping: Mapping[int, int]
    encoding: str
    classes: tuple[str, ...]
    colours: tuple[Colour, ...]
    background: int | None
    notes: tuple[str, ...] = ()


def read_labels(config: DataConfig, items: Sequence[Item]) -> Labels:
    """Read every mask's values and decide which class each of them is.

    `data.class_values` is asked first, then a class table, then the masks: they hold 0, 1, 2, ... or 0 and 255.

    Raises:
        DataError: a mask is unreadable, or holds a value that is no class.
        ConfigError: the keys contradict each other or the masks.
    """
    path = find_class_table(Path(config.root), config.class_table)
    table = ClassTable((), *_given_values(config)) if config.class_values else read_class_table(path) if path else None
    encoding = config.mask_encoding
    if encoding == "auto":
        encoding = "colour" if table and table.coloured else "index"
    elif table and encoding != "alpha" and table.coloured != (encoding == "colour"):
        raise ConfigError(f"data.mask_encoding={encoding}, but the classes are given by {_kind(table)}")
    values = mask_values(items, encoding)
    if table is not None:
        return _by_table(table, path, values, encoding, config)
    if encoding == "colour":
        raise ConfigError("data.mask_encoding=colour: say which colour is which class, with data.class_values or "
                          "a class table (data.class_table)")  # fmt: skip
    mapping, notes = _by_values(values, config, items)
    count = config.num_classes or max(index for index in mapping.values() if index != IGNORED) + 1
    return describe_labels(mapping, encoding, count, config, notes=notes)


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
        ConfigError: there are not as many names as classes, or the background is none of them.
    """
    names = config.class_names or tuple(names)
    if names and len(names) != count:
        raise ConfigError(f"data.class_names has {len(names)} names, but the masks have {count} classes")
    if background is None and config.background >= 0:
        background = config.background
        if background >= count:
            raise ConfigError(
                f"data.background={background}: there are {count} classes, counted from 0; use -1 for none"
            )
    if config.background < 0 or background == NO_BACKGROUND:
        background = None
    classes = tuple(names) or default_classes(count, background)
    shown = tuple(colours) if len(colours) == count else default_colours(count, background)
    return Labels(mapping, encoding, classes, shown, background, notes)


NO_BACKGROUND = -1


def background_of(names: Sequence[str]) -> int:
    """Which of the names is the background's; NO_BACKGROUND where none is."""
    return next((i for i, name in enumerate(names) if name.lower() in ("background", "bg", "_background_")), -1)


def _given_values(config: DataConfig) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Colour, ...], bool]:
    """`data.class_values` as values, void values, colours, and whether they are colours."""
    colours = [colour for text in config.class_values if (colour := parse_colour(text))]
    numbers = [int(text) for text in config.class_values if text.isdecimal()]
    wrong = next((t for t in config.class_values if not t.isdecimal() and not parse_colour(t)), None)
    if wrong is not None or (colours and numbers):
        shown = wrong if wrong is not None else config.class_values[0]
        raise ConfigError(f'data.class_values: {shown!r}; write numbers like 128 or colours like "#ff0000", not both')
    values = tuple(map(colour_number, colours)) if colours else tuple(numbers)
    if len(set(values)) != len(values):
        raise ConfigError("data.class_values: one value stands there twice")
    return values, (), tuple(colours), bool(colours)


def _by_table(
    table: ClassTable, path: Path | None, values: Mapping[int, Item], encoding: str, config: DataConfig
) -> Labels:
    source = "data.class_values" if config.class_values else str(path)
    count = len(table.values)
    if config.num_classes not in (0, count):
        raise ConfigError(f"data.num_classes={config.num_classes}, but {source} has {count} classes")
    mapping = dict.fromkeys(table.void, IGNORED) | {value: index for index, value in enumerate(table.values)}
    if encoding != "colour":
        mapping.setdefault(config.ignore_index, IGNORED)
    notes: tuple[str, ...] = ()
    if set(values) == {0, 255} and count == 2 and mapping.get(1) == 1:  # named 0 and 1, drawn as black and white
        mapping = {0: 0, 255: 1}
        notes = ("masks hold 0 and 255: read as classes 0 and 1",)
    strange = sorted(value for value in values if value not in mapping)
    if strange:
        shown = ", ".join(_shown(value, encoding) for value in strange[:6]) + (", ..." if len(strange) > 6 else "")
        raise DataError(f"{values[strange[0]].mask}: the mask holds {shown}, which {source} does not name"
                        f"{_table_hint(strange, count, encoding)}")  # fmt: skip
    colours = table.colours if len(set(table.colours)) == count else ()
    # Names of a table say whether one of them is the background; bare values do not, so that class 0 is it.
    background = background_of(table.names) if table.names and config.background == 0 else None
    return describe_labels(mapping, encoding, count, config, table.names, colours, background, notes)


def _table_hint(strange: Sequence[int], count: int, encoding: str) -> str:
    if encoding == "colour":
        soft = "; are the outlines blended, or the file a JPEG?" if len(strange) > 12 else ""
        return f"; add it, or name it void{soft}"
    if strange[0] == count:
        return "; does the table lack the background as its first line?"
    return "; add it, or set data.ignore_index"


def _shown(value: int, encoding: str) -> str:
    return f"#{value:06x}" if encoding == "colour" else f"the value {value}"


def _kind(table: ClassTable) -> str:
    return "colours" if table.coloured else "numbers"


def mask_values(items: Sequence[Item], encoding: str) -> dict[int, Item]:
    """Every value that occurs in a mask, with one item that holds it."""
    with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside the interpreter lock
        found = pool.map(lambda item: distinct(read_mask(item.mask, encoding)), items)
        return {int(value): item for item, values in zip(items, found, strict=True) for value in values}


def distinct(raw: NDArray[np.integer]) -> NDArray[np.integer]:
    """The values that occur, in ascending order; quicker than `np.unique` for bytes."""
    return np.flatnonzero(np.bincount(raw.ravel())) if raw.dtype == np.uint8 else np.unique(raw)


def _by_values(
    values: Mapping[int, Item], config: DataConfig, items: Sequence[Item]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """What the masks themselves say: class indices, or 0 and 255."""
    counted = {value for value in values if value != config.ignore_index}
    if set(values) == {0, 255} and config.num_classes in (0, 2):
        return {0: 0, 255: 1}, ("masks hold 0 and 255: read as classes 0 and 1",)
    if not counted:
        raise DataError(f"{items[0].mask.parent}: every mask pixel is {config.ignore_index}, which is not counted")
    top = (config.num_classes or IGNORED - 1) - 1
    worst = max(counted)
    if worst > top:
        allowed = f"0 to {top}" + (f" and {config.ignore_index} for not counted" if config.ignore_index > top else "")
        hint = "set data.num_classes" if config.num_classes else "masks hold class indices; else set data.class_values"
        raise DataError(f"{values[worst].mask}: the mask holds the value {worst}; allowed are {allowed}; {hint}")
    if counted == {0} and not config.num_classes:
        raise DataError(f"{items[0].mask.parent}: every mask is 0 throughout, so there is nothing to learn")
    if not config.num_classes and counted != set(range(worst + 1)):
        raise DataError(_not_indices(sorted(counted), values))
    mapping = {index: index for index in range(max(worst, config.num_classes - 1) + 1)}
    return {**mapping, config.ignore_index: IGNORED}, ()


def _not_indices(counted: Sequence[int], values: Mapping[int, Item]) -> str:
    """Why values with gaps are refused: they would silently make a network with as many classes as the largest one."""
    shown = ", ".join(map(str, counted[:6])) + (", ..." if len(counted) > 6 else "")
    file = values[counted[-1]].mask
    if file.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        return f"{file}: masks hold {shown}: lossy compression has changed the labels; save masks as PNG"
    return (
        f"{file}: masks hold {shown}, which are not class indices 0, 1, 2, ...; say which value is which class, "
        f"data.class_values=[{shown}], or set data.num_classes if a class does not occur"
    )
