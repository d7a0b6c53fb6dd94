"""Split lists: text files that name the images of a split, one per line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from onenet.data.sample import SPLITS, Item
from onenet.errors import DataError, describe_os_error

Refuse = Callable[[DataError], None]


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
        raise DataError(f"{path}: not a text file") from None
    except OSError as error:
        hint = f"; {layout}" if layout else ""
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)}){hint}") from None
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not kept:
        raise DataError(f"{path}: the list is empty")
    return tuple(dict.fromkeys(kept))


def split_by_lists(
    items: Sequence[Item], lists: Mapping[str, Path], refuse: Refuse
) -> tuple[dict[str, tuple[Item, ...]], tuple[str, ...]]:
    """Items per split as the lists say, and a note where some are in none.

    A line holds an image's name with or without its ending and folders; what follows a space may be its mask.

    Raises:
        DataError: (through `refuse`) a line names no image, or one that another list names too.
    """
    by_stem = {item.name: item for item in items}
    owner: dict[str, str] = {}
    split_of: dict[str, list[Item]] = {split: [] for split in SPLITS}
    for split, path in lists.items():
        for line in read_list(path):
            stem = next((s for s in (line, Path(line).stem, Path(line.split()[0]).stem) if s in by_stem), None)
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
