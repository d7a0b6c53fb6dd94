"""Split lists: text files that name the images of a split, one per line."""

import re
import unicodedata
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path, PurePosixPath

from onenet.data.sample import SPLITS, Item
from onenet.errors import DataError, describe_os_error
from onenet.images import SUFFIXES

Refuse = Callable[[DataError], None]  # what is done about a file that does not fit

_FLAGS = {"-1", "0", "1"}  # after a name in VOC's lists of a class


def find_lists(root: Path) -> dict[str, Path]:
    """train.txt, val.txt (or valid.txt) and test.txt in ROOT or ROOT/splits; {} where there is no train.txt.

    Raises:
        DataError: there is a val.txt or test.txt without a train.txt.
    """
    for folder in (root, root / "splits"):
        names = {"train": ("train.txt",), "val": ("val.txt", "valid.txt"), "test": ("test.txt",)}
        found = {
            split: next((folder / n for n in files if (folder / n).is_file()), None) for split, files in names.items()
        }
        lists = {split: path for split, path in found.items() if path}
        if lists and "train" not in lists:
            present = next(iter(lists.values()))
            raise DataError(f"{folder / 'train.txt'}: missing, although {present.name} is there; write both or none")
        if lists:
            return lists
    return {}


def read_list(path: Path, layout: str = "") -> tuple[str, ...]:
    """The lines of a list, in order, each once; empty ones and those that begin with # are left out.

    Raises:
        DataError: it cannot be read, or it is empty; `layout` says what the data should look like.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8; save it as such") from None
    except OSError as error:
        hint = f"; {layout}" if layout else ""
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)}){hint}") from None
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not kept:
        raise DataError(f"{path}: the list is empty; write one name per line, or remove it")
    return tuple(dict.fromkeys(kept))


def stem_of(name: str) -> str:
    """A file's name without folders and without the ending of an image; equal letters are one, however composed."""
    last = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).name)
    return last[: -len(PurePosixPath(last).suffix)] if PurePosixPath(last).suffix.lower() in SUFFIXES else last


def named_stem(line: str, known: Container[str]) -> str | None:
    """Which of the `known` stems a line of a list names, None where it names none of them.

    The name may have an ending and folders; after it may follow the mask's name, or a flag as in VOC's lists.
    """
    whole = line.strip("\"'")
    if stem_of(whole) in known:
        return stem_of(whole)
    for separator in (r"[,;\t]", r"\s+"):
        first, *rest = (word.strip("\"' ") for word in re.split(separator, whole))
        stem = stem_of(first)
        paired = stem != first or (rest and stem_of(rest[0]) == stem) or all(word in _FLAGS for word in rest)
        if rest and paired and stem in known:  # "cat 2.jpg" is no line of the image cat
            return stem
    return None


def split_by_lists(
    items: Sequence[Item], lists: Mapping[str, Path], refuse: Refuse
) -> tuple[dict[str, tuple[Item, ...]], tuple[str, ...]]:
    """Items per split as the lists say, and a note where some are in none.

    Raises:
        DataError: (through `refuse`) a line names no image, or one that another list names too.
    """
    by_stem = {item.name: item for item in items}
    owner: dict[str, str] = {}
    split_of: dict[str, list[Item]] = {split: [] for split in SPLITS}
    for split, path in lists.items():
        for line in read_list(path):
            stem = named_stem(line, by_stem)
            if stem is None:
                refuse(DataError(f"{path}: names {line!r}, but there is no image of this name; mend the line"))
            elif stem in owner and owner[stem] != split:
                refuse(
                    DataError(f"{path}: names {line!r}, which {lists[owner[stem]].name} names too; keep one of them")
                )
            elif stem not in owner:
                owner[stem] = split
                split_of[split].append(by_stem[stem])
    found = {split: tuple(sorted(part, key=lambda item: item.name)) for split, part in split_of.items()}
    if not found["train"]:
        raise DataError(f"{lists['train']}: names none of the images; one name per line, as the files are called")
    rest = len(items) - len(owner)
    return found, (f"{rest} images are in none of the lists and are left out",) if rest else ()
