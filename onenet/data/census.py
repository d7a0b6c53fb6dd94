"""How much of each class there is, and whether that is enough to learn and to score it."""

from collections.abc import Iterable, Sequence

from onenet.data.findings import ClassCount, Finding
from onenet.data.label_check import Judgement, mapping_of
from onenet.data.probe import Pair
from onenet.data.sample import SPLITS
from onenet.images import IGNORED

_FEW_IMAGES = 3
_FEW_PIXELS = 0.0001
_MOST_ALONE = 6  # more classes of one fault share a line


def count_classes(pairs: Iterable[Pair], judgement: Judgement) -> tuple[tuple[ClassCount, ...], float]:
    """Pixels and images of every class, and the share of pixels that are not counted."""
    labels = judgement.labels
    count = len(labels.classes)
    pixels, train, images, ignored, total, train_total = [0] * count, [0] * count, [0] * count, 0, 0, 0
    per_split: list[dict[str, int]] = [{} for _ in range(count)]
    for pair in pairs:
        if pair.mask is None or pair.mask.encoding != labels.encoding:
            continue
        total += pair.mask.pixels
        train_total += pair.mask.pixels if pair.split == "train" else 0
        mapping = mapping_of(pair, labels)
        present: dict[int, int] = {}
        for value, number in pair.mask.values.items():
            index = mapping.get(value)
            if index == IGNORED:
                ignored += number
            elif index is not None:
                present[index] = present.get(index, 0) + number
        for index, number in present.items():
            pixels[index] += number
            train[index] += number if pair.split == "train" else 0
            images[index] += 1
            per_split[index][pair.split] = per_split[index].get(pair.split, 0) + 1
    rows = zip(labels.classes, pixels, train, images, per_split, strict=True)
    classes = tuple(
        ClassCount(name, p, p / (total or 1), t / (train_total or 1), n, there) for name, p, t, n, there in rows
    )
    return classes, ignored / (total or 1)


def class_warnings(classes: Sequence[ClassCount], splits: Sequence[str]) -> list[Finding]:
    """Classes that are hardly there, or not in a split where they are wanted; `splits` are those with images."""
    found = []
    nowhere = [row for row in classes if not row.images]
    there = [row for row in classes if row.images]
    if nowhere:
        found.append(f"{_names(nowhere)}: no mask holds {_them(nowhere)}; means are over the classes that occur")
    for split in (split for split in SPLITS if split in splits):
        lacking = [row for row in there if not row.images_per_split.get(split)]
        what = "cannot be learnt" if split == "train" else "cannot be scored there"
        if lacking:
            found.append(f"{_names(lacking)}: not in {split}, so {_they(lacking)} {what}; split the images otherwise")
    scarce = [row for row in there if row.images < _FEW_IMAGES or row.share < _FEW_PIXELS]
    for row in scarce if len(scarce) <= _MOST_ALONE else ():
        share = "less than 0.01 %" if row.share < _FEW_PIXELS else f"{100 * row.share:.2f} %"
        number = f"{row.images} image{'s' if row.images > 1 else ''}"
        found.append(f"{row.name}: in {number} only, on {share} of the pixels; too little to learn it well")
    if len(scarce) > _MOST_ALONE:
        found.append(f"{_names(scarce)}: in 1 or 2 images only, or on less than 0.01 % of the pixels; too little to "
                     "learn them well")  # fmt: skip
    return [Finding("classes", text) for text in found]


def nothing_to_tell_apart(classes: Sequence[ClassCount], not_counted: float, overlapping: bool) -> list[Finding]:
    """Masks of which only one class is counted: a network would learn to say that one."""
    there = [row.name for row in classes if row.images]
    if overlapping or len(there) != 1:
        return []
    why = "; the other values are not counted: does a class lack its line or value?" if not_counted else ""
    return [Finding("classes", f"{there[0]}: no other class occurs, so there is nothing to tell apart{why}")]


def numbers_of_objects(pairs: Sequence[Pair], classes: Sequence[ClassCount]) -> list[Finding]:
    """Whether values 0, 1, 2, ... count the objects of an image, which looks like very many classes."""
    tops = {max(pair.mask.values) for pair in pairs if pair.mask and pair.mask.values}
    gapless = [pair for pair in pairs if pair.mask and set(pair.mask.values) == set(range(len(pair.mask.values)))]
    if len(classes) <= 8 or len(tops) <= 4 or 10 * len(gapless) < 9 * len(pairs):
        return []
    return [Finding("labels", f"each mask holds 0, 1, 2, ... up to a top ({min(tops)} to {max(tops)}): "
                              "are these object numbers? As classes, objects of a kind have one value")]  # fmt: skip


def _names(rows: Sequence[ClassCount]) -> str:
    more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    return ", ".join(row.name for row in rows[:8]) + more


def _they(rows: Sequence[ClassCount]) -> str:
    return "it" if len(rows) == 1 else "they"


def _them(rows: Sequence[ClassCount]) -> str:
    return "it" if len(rows) == 1 else "them"
