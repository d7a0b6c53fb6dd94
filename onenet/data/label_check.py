"""Whether the values of all masks are the classes: what they are read as, and which masks do not fit.

`onenet.data.labels` stops at the first mask that does not fit; this names them all, and goes on with the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onenet.card import default_colours
from onenet.config import DataConfig
from onenet.data.camvid import camvid_labels
from onenet.data.classes import find_class_table
from onenet.data.findings import Finding
from onenet.data.folder import overlapping_labels
from onenet.data.label_advice import FEW, advise_encoding, advise_strange, advise_values, count_all, named
from onenet.data.labels import Labels, describe_labels, read_labels
from onenet.data.pet import pet_labels
from onenet.data.probe import Pair
from onenet.data.sample import Item
from onenet.data.voc import voc_labels
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED

_MOST_SHOWN = 12
_TRIED = 5


@dataclass(frozen=True)
class Judgement:
    """How masks are read.

    Attributes:
        labels: as in training, or each value its own class where that fails.
        settled: they are as in training.
        problems: masks and settings that do not fit.
    """

    labels: Labels
    settled: bool
    problems: tuple[Finding, ...]


def expected_encoding(config: DataConfig, items: Sequence[Item]) -> str:
    """How masks are read where nothing is wrong: as it is set, or colours where the classes are given by colours.

    A table's colours may also be those in which classes are shown, while masks hold numbers: the first ones tell.
    """
    encoding = "index" if config.mask_encoding == "auto" else config.mask_encoding
    sets = ([], *([item] for item in items[:_TRIED])) if _declared(config) else ()
    for some in sets:
        try:
            encoding = labels_of(config, some).encoding
        except (DataError, ConfigError):
            continue  # told later
    return encoding


def judge_labels(config: DataConfig, pairs: Sequence[Pair], encoding: str) -> Judgement:
    """Read the values of masks as classes, and name the masks for which that fails.

    Args:
        config: of the data.
        pairs: all that were read.
        encoding: in which masks should be.
    """
    read = [pair for pair in pairs if pair.mask is not None]
    plain = [pair for pair in read if pair.mask is not None and pair.mask.encoding == encoding]
    other = [pair for pair in read if pair.mask is not None and pair.mask.encoding != encoding]
    problems = advise_encoding(other, alone=len(other) > len(plain))
    labels, found = _decide(config, plain)
    problems += found
    if labels is None:
        return Judgement(_values_as_classes(plain or other), False, tuple(problems))
    strange = {pair: values for pair in plain if (values := strange_values(pair, labels))}
    problems += advise_strange(strange, plain, labels, config)
    return Judgement(labels, True, tuple(problems))


def strange_values(pair: Pair, labels: Labels) -> list[int]:
    """The values of a mask that are no class."""
    mapping = mapping_of(pair, labels)
    return [value for value in (pair.mask.values if pair.mask else ()) if value not in mapping]


def mapping_of(pair: Pair, labels: Labels) -> Mapping[int, int]:
    """Raw value -> class, as it holds for this pair."""
    return pair.item.labels or labels.mapping


def labels_of(config: DataConfig, items: Sequence[Item]) -> Labels:
    """The labels that training gives these items.

    Raises:
        DataError: a class table is broken, or a mask holds a value that is no class.
        ConfigError: the keys contradict each other or the masks.
    """
    if config.format == "camvid":
        return camvid_labels(config, list(items))
    if config.format == "voc":
        return voc_labels(config)
    if config.format.startswith("pet-"):
        return pet_labels(config)
    if config.overlapping:
        return overlapping_labels(config)
    return read_labels(config, items)


def _decide(config: DataConfig, pairs: Sequence[Pair]) -> tuple[Labels | None, list[Finding]]:
    """The labels of masks, some of which may hold strange values; None where there are none, and why."""
    declared = _declared(config)
    if not pairs and not declared:
        return None, []
    try:
        return labels_of(config, _witnesses(pairs)), []
    except (DataError, ConfigError) as error:
        reason = Finding("classes", str(error))
    try:
        if declared:
            labels = labels_of(config, [])
        elif config.num_classes:
            mapping = {index: index for index in range(config.num_classes)} | {config.ignore_index: IGNORED}
            labels = describe_labels(mapping, "index", config.num_classes, config)
        else:
            labels = labels_of(config, _witnesses(_without_rare(pairs)))
    except (DataError, ConfigError):
        advice = None if declared or config.num_classes else advise_values(pairs, config)
        return None, [advice or reason]
    return labels, [] if any(strange_values(pair, labels) for pair in pairs) else [reason]


def _declared(config: DataConfig) -> bool:
    """Whether the format or a table says what the classes are, without the masks."""
    if config.format not in ("folder", "camvid") or config.overlapping or config.class_values or config.class_table:
        return True
    return find_class_table(Path(config.root), "") is not None


def _witnesses(pairs: Sequence[Pair]) -> list[Item]:
    """Few items whose masks together hold every value that occurs."""
    seen: set[int] = set()
    chosen = []
    sets = [(pair, set(pair.mask.values)) for pair in pairs if pair.mask]
    for pair, values in sorted(sets, key=lambda one: -len(one[1])):
        if not values <= seen:
            seen |= values
            chosen.append(pair.item)
    return chosen


def _without_rare(pairs: Sequence[Pair]) -> list[Pair]:
    """Those whose values occur elsewhere too: a slip in a few masks must not decide what all are."""
    counts = count_all(pairs)
    rare = {value for value, count in counts.items() if count.images <= FEW and count.images * 4 <= len(pairs)}
    common = [pair for pair in pairs if pair.mask and rare.isdisjoint(pair.mask.values)]
    return common or list(pairs)


def _values_as_classes(pairs: Sequence[Pair]) -> Labels:
    """Every mask value a class of its own, the most frequent ones only."""
    encoding = pairs[0].mask.encoding if pairs and pairs[0].mask else "index"
    counts = count_all(pair for pair in pairs if pair.mask and pair.mask.encoding == encoding)
    kept = sorted(sorted(counts, key=lambda value: -counts[value].pixels)[:_MOST_SHOWN])
    names = tuple(named(v, encoding) if encoding == "colour" else f"value {v}" for v in kept)
    mapping = {value: index for index, value in enumerate(kept)}
    return Labels(mapping, encoding, names, default_colours(len(names), None), None)
