"""The same picture twice: found by the content of the files, whatever they are called and however they are packed."""

from collections.abc import Iterable, Sequence

from onenet.data.findings import Finding
from onenet.data.probe import Pair


def find_duplicates(pairs: Iterable[Pair], told: str = "") -> tuple[list[Finding], list[Finding]]:
    """Problems (a picture in two splits) and warnings (twice in one split).

    A test on pictures that were trained on says nothing about others. Equal are pictures whose pixels are equal, each
    upright; one that was resized or saved anew as JPEG is another picture here.

    Args:
        pairs: of all splits.
        told: what has been said before; a file that two lists name is not told again.
    """
    groups: dict[bytes, list[Pair]] = {}
    for pair in pairs:
        if pair.image is not None and not pair.image.plain:
            groups.setdefault(pair.image.digest, []).append(pair)
    problems, warnings = [], []
    for group in groups.values():
        first = group[0]
        for pair in group[1:]:
            if pair.item.image == first.item.image:
                if pair.split != first.split and repr(pair.item.name) not in told:
                    text = f"{pair.item.image}: is in {first.split} and in {pair.split}; keep it in one of them"
                    problems.append(Finding("duplicate", text, str(pair.item.image)))
            elif pair.split != first.split:
                text = (f"{pair.item.image} ({pair.split}): the same picture as {first.item.image} ({first.split}); "
                        "remove one of them, or put both into one split")  # fmt: skip
                problems.append(Finding("duplicate", text, str(pair.item.image)))
        warnings += _within_a_split(group)
    return problems, warnings


def _within_a_split(group: Sequence[Pair]) -> list[Finding]:
    found = []
    seen: dict[str, Pair] = {}
    for pair in group:
        first = seen.setdefault(pair.split, pair)
        if first is pair or first.item.image == pair.item.image:
            continue
        differ = pair.mask and first.mask and pair.mask.digest != first.mask.digest
        what = "the same picture with another mask than" if differ else "the same picture and mask as"
        text = f"{pair.item.image}: {what} {first.item.image} (both {pair.split})"
        found.append(Finding("duplicate", text, str(pair.item.image)))
    return found
