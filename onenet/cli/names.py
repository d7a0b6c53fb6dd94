"""How results are called whose inputs have one name."""

import itertools
from collections import Counter
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
