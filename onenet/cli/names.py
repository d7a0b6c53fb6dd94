"""How results are called whose inputs have one name, and what they replace."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path


def told_apart(paths: list[Path]) -> list[Path]:
    """The shortest ends, without endings, by which files of one stem differ; equal ones keep their ending."""
    whole = [path.with_name(path.stem).parts[1:] for path in paths]
    levels = zip(*(parts[:-1] for parts in whole), strict=False)
    shared = len(list(itertools.takewhile(lambda level: len(set(level)) == 1, levels)))
    below = [parts[shared:] for parts in whole]
    lengths = range(1, max(map(len, below)) + 1)
    shortest = next(n for n in lengths if len({parts[-n:] for parts in below}) == len(set(below)))
    tails = [Path(*parts[-shortest:]) for parts in below]
    count = Counter(tails)
    return [
        tail.with_name(tail.name + path.suffix.replace(".", "-")) if count[tail] > 1 else tail
        for path, tail in zip(paths, tails, strict=True)
    ]


def numbered(names: Mapping[Path, Path]) -> dict[Path, Path]:
    """Names of results, of which one that another input has gets a number; inputs that kept their own name go first.

    Capitals do not tell names apart, since some file systems do not.
    """
    taken: set[str] = set()
    found = {}
    for path in sorted(names, key=lambda path: names[path].name != path.stem):
        tries = (names[path].with_name(f"{names[path].name}-{number}") for number in itertools.count(2))
        name = next(one for one in itertools.chain([names[path]], tries) if str(one).lower() not in taken)
        taken.add(str(name).lower())
        found[path] = name
    return found


def note_replaced(
    targets: Iterable[Path], keeping: str = "to keep what was mended by hand, choose another --out"
) -> None:
    """Say on standard error which files of before will be written over: somebody may have mended them by hand."""
    if earlier := [target for target in targets if os.path.exists(target)]:
        more = f" and {len(earlier) - 1} more of before will be" if len(earlier) > 1 else " of before will be"
        print(f"note: {earlier[0]}{more} written over; {keeping}", file=sys.stderr)
