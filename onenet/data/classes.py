"""A class table: a text file that says which mask value or colour is which class.

One class a line, in any of the usual forms (blank lines, lines that begin with # and a heading line are skipped):

    cat                        names alone: values 0, 1, 2, ... in this order     (VOC's classes.txt)
    cat,1    1 cat             name and value
    cat,64,128,64              name and colour; also cat,#408040                  (class_dict.csv)
    64 128 64 cat              colour and name, or name and colour                (CamVid's label_colors.txt)
    cat,1,64,128,64            name, value, and the colour in which it is shown

Commas may be semicolons or tabs. Without them a number after a name belongs to the name: "road 2". Lines called void,
ignore, unlabelled or don't care are not classes: their pixels are not counted.
"""

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path

from onenet.errors import DataError, describe_os_error

TABLE_NAMES = ("classes.txt", "classes.csv", "class_dict.csv", "label_colors.txt")

MOST_CLASSES = 254

_VOID = {"void", "ignore", "ignored", "unlabelled", "unlabeled", "don't care", "dont care"}
_HEADING = {"name", "class", "label", "id", "index", "value", "r", "g", "b", "red", "green", "blue", "color", "colour"}
_NAMES = {"name", "names", "class", "classes", "class_name", "class name"}  # the heading of a table of names alone
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_REMARK = re.compile(r"#(?![0-9a-fA-F]{6}\b)")
_MARK = r"#[0-9a-fA-F]{6}|\d+(?:\s+\d+){2,3}"  # a colour, with or without a value before it
_BEFORE = re.compile(rf"({_MARK}|\d+)\s+(\S.*)")
_AFTER = re.compile(rf"(.*\S)\s+({_MARK})")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """Names, mask values and colours of classes 0, 1, 2, ...

    Attributes:
        names: one per class.
        values: the raw mask value of each class; 0xRRGGBB where `coloured`.
        void: raw values that are not counted.
        colours: one per class in which to show it, or () where the table has none.
        coloured: masks hold colours, not values.
        lines: the raw value of every line, void or not.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    void: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    coloured: bool = False
    lines: tuple[int, ...] = ()

    def by_index(self) -> "ClassTable":
        """The same where masks hold the numbers of the lines; colours are then only those in which they are shown."""
        place = {value: index for index, value in enumerate(self.lines)}
        values, void = (tuple(place[value] for value in part) for part in (self.values, self.void))
        return replace(self, values=values, void=void, lines=tuple(place.values()), coloured=False)


@dataclass(frozen=True)
class _Line:
    number: int
    name: str
    value: int | None
    colour: Colour | None


def find_class_table(root: Path, given: str) -> Path | None:
    """The table named by `data.class_table` (relative to the data's folder, or absolute), else the one in `root`.

    Raises:
        DataError: it was named and is not there.
    """
    if given:
        path = root / Path(given).expanduser()
        if not path.is_file():
            raise DataError(f"{path}: no such file; data.class_table is a file of class names with values or colours")
        return path
    return next((root / name for name in TABLE_NAMES if (root / name).is_file()), None)


def read_class_table(path: Path) -> ClassTable:
    """Read a class table.

    Raises:
        DataError: it cannot be read, a line is of no known form, or two classes have one name, value or colour.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8; save it as such") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    numbered = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    kept = [(number, line) for number, line in numbered if not _REMARK.match(line) and _fields(line)]
    if kept and _is_heading(kept[0][1]):
        kept = kept[1:]
    lines = [_parse(path, number, line) for number, line in kept]
    classes = [line for line in lines if line.name.lower() not in _VOID]
    if not classes:
        raise DataError(f"{path}: names no class; write one per line, for example cat,1 or cat,#ff0000")
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{path}: names {len(classes)} classes, but {MOST_CLASSES} is the most; join or void some")
    return _table(path, lines, classes)


def _table(path: Path, lines: list[_Line], classes: list[_Line]) -> ClassTable:
    with_value, with_colour = ([line for line in lines if part(line)] for part in (_has_value, _has_colour))
    for some, what in ((with_value, "value"), (with_colour, "colour")):
        if some and len(some) != len(lines):
            lacking = next(line for line in lines if line not in some)
            raise DataError(f"{path}: line {lacking.number}, {lacking.name!r}, has no {what}, but line "
                            f"{some[0].number}, {some[0].name!r}, has one; write all lines as name,{what}")  # fmt: skip
    coloured = bool(with_colour) and not with_value
    raw = {line.number: _raw(line, index, coloured) for index, line in enumerate(lines)}
    _refuse_twice(path, [(line.number, line.name, True) for line in classes], "name")
    _refuse_twice(path, [(line.number, raw[line.number], line in classes) for line in lines], "value or colour")
    return ClassTable(
        names=tuple(line.name for line in classes),
        values=tuple(raw[line.number] for line in classes),
        void=tuple(raw[line.number] for line in lines if line not in classes),
        colours=tuple(line.colour for line in classes if line.colour is not None),
        coloured=coloured,
        lines=tuple(raw[line.number] for line in lines),
    )


def _refuse_twice(path: Path, entries: list[tuple[int, object, bool]], what: str) -> None:
    """Refuse equal keys of (line number, key, whether it is a class), but for two that are not counted anyway."""
    seen: dict[object, tuple[int, bool]] = {}
    for number, key, is_class in entries:
        before, was_class = seen.setdefault(key, (number, is_class))
        if before != number and (is_class or was_class):
            raise DataError(f"{path}: lines {before} and {number} have the same {what}; each class needs its own")


def _raw(line: _Line, index: int, coloured: bool) -> int:
    if coloured and line.colour is not None:
        return colour_number(line.colour)
    return index if line.value is None else line.value


def colour_number(colour: Colour) -> int:
    """A colour as the raw mask value 0xRRGGBB that `images.read_mask` gives."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def parse_colour(text: str) -> Colour | None:
    """#rrggbb as (r, g, b); None where it is something else."""
    if not _COLOUR.fullmatch(text):
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _has_value(line: _Line) -> bool:
    return line.value is not None


def _has_colour(line: _Line) -> bool:
    return line.colour is not None


def _fields(line: str) -> list[str]:
    """The entries of a line, quotes and empty ones removed."""
    separator = next((mark for mark in "\t;," if mark in line), None)
    if separator:
        fields = [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
        return [word for field in fields for word in (field.split() if _all_numbers(field) else [field]) if word]
    if _all_numbers(line):
        return line.split()
    for part in (_BEFORE, _AFTER):
        if found := part.fullmatch(line):
            first, last = (found[1], found[2]) if part is _BEFORE else (found[2], found[1])
            return [*first.split(), last.strip('"')]
    return [line.strip('"')] if line else []


def _is_heading(line: str) -> bool:
    fields = {field.lower() for field in _fields(line)}
    words = set(line.lower().split())
    return fields <= _NAMES or (len(fields) > 1 and fields <= _HEADING) or (len(words) > 3 and words <= _HEADING)


def _parse(path: Path, number: int, line: str) -> _Line:
    fields = _fields(line)
    numbers = [int(field) for field in fields if field.isdecimal()]
    colours = [colour for field in fields if (colour := parse_colour(field))]
    names = [field for field in fields if not field.isdecimal() and not parse_colour(field)]
    if len(names) != 1 or len(numbers) not in (0, 1, 3, 4) or len(colours) > 1 or (colours and len(numbers) > 1):
        raise DataError(
            f"{path}: line {number}, {line[:60]!r}, is not understood; write name,value or name,#rrggbb or name,r,g,b"
        )
    if len(numbers) >= 3:
        red, green, blue = numbers[-3:]
        if max(red, green, blue) > 255:
            raise DataError(f"{path}: line {number}, {line[:60]!r}: a colour lies between 0 and 255; mend the line")
        colours = [(red, green, blue)]
    return _Line(number, names[0], numbers[0] if len(numbers) in (1, 4) else None, colours[0] if colours else None)


def _all_numbers(field: str) -> bool:
    return bool(field) and all(word.isdecimal() for word in field.split())
