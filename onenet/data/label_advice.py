"""What to do about mask values that are no classes: the setting or the repair that a person would think of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.findings import Finding
from onenet.data.labels import Labels
from onenet.data.probe import Pair
from onenet.images import IGNORED

FEW = 5  # a value in so many masks or fewer is their fault; one in more of them is a question of the settings

_MOST_CLASSES = 40  # that are written out in a setting
_BLENDED = 0.005  # a colour or value on less of the pixels than this, among very many, is a blend of its neighbours
_MANY = 24  # values, most of them on hardly any pixel, are no classes
_LOSSY = (".jpg", ".jpeg", ".webp")


@dataclass
class ValueCount:
    """Of a mask value: its pixels, in how many masks it is, and the first of these."""

    pixels: int
    images: int
    first: Path


def count_all(pairs: Iterable[Pair]) -> dict[int, ValueCount]:
    """Every mask value that occurs."""
    found: dict[int, ValueCount] = {}
    for pair in pairs:
        for value, pixels in (pair.mask.values if pair.mask else {}).items():
            count = found.setdefault(value, ValueCount(0, 0, pair.item.mask))
            count.pixels += pixels
            count.images += 1
    return found


def named(value: int, encoding: str) -> str:
    """A raw value as people write it: 128 or #ff0000."""
    return f"#{value:06x}" if encoding == "colour" else str(value)


def advise_values(pairs: Sequence[Pair], config: DataConfig) -> Finding | None:
    """What is to be done where the masks alone decide and do not hold 0, 1, 2, ... or 0 and 255; None: they do."""
    counts = count_all(pairs)
    counted = sorted(value for value in counts if value != config.ignore_index)
    total = sum(count.pixels for count in counts.values())
    folder = pairs[0].item.mask.parent
    shown = _listed(counted, "index")
    if not counted or counted == [0]:
        what = "0" if counted else f"{config.ignore_index}, which is not counted,"
        return Finding("labels", f"{folder}: every mask is {what} throughout, so there is nothing to learn; are these "
                                 "the right masks?", str(folder))  # fmt: skip
    file = counts[counted[-1]].first
    if file.suffix.lower() in _LOSSY and len(counted) > 2:
        return Finding("labels", f"{file}: masks hold {shown}: lossy compression has changed the labels; make the "
                                 "masks again as PNG", str(file))  # fmt: skip
    main = [value for value in sorted(counts) if counts[value].pixels >= _BLENDED * total]
    rest = sum(count.pixels for value, count in counts.items() if value not in main)
    if len(counts) > _MANY and len(main) <= _MANY // 2 and rest < 0.2 * total:
        return Finding("labels", f"{file}: masks hold {_listed(main, 'index')}, and {len(counts) - len(main)} other "
                                 f"values on {_percent(rest / total)} of the pixels: outlines were smoothed; save them "
                                 "without smoothing (resize by nearest neighbour)", str(file))  # fmt: skip
    if counted == list(range(len(counted))) or set(counts) == {0, 255}:
        return None
    if len(counted) > _MOST_CLASSES:
        return Finding("labels", f"{file}: masks hold {len(counted)} different values ({shown}): these are no classes; "
                                 "are they object numbers, a depth map or photos?", str(file))  # fmt: skip
    if counted == list(range(1, len(counted) + 1)):
        text = f"{file}: masks count from 1 ({shown}); say so: data.class_values=[{_all(counted)}]"
        return _by_setting(f"{text}, and data.background=-1 if the first of them is no background", file, counted)
    void = "; leave 255 out if it marks pixels that are not counted" if 255 in counts else ""
    values = sorted(counts) if 255 in counts and counted[-1] > len(counted) else counted
    gaps = f", or data.num_classes={counted[-1] + 1} if the values between do not occur" if counted[-1] < 64 else ""
    return _by_setting(
        f"{file}: masks hold {_listed(values, 'index')}, which are not 0, 1, 2, ...; say which value is which class: "
        f"data.class_values=[{_all(values)}]{void}{gaps}", file, values)  # fmt: skip


def advise_encoding(pairs: Sequence[Pair], alone: bool) -> list[Finding]:
    """What is to be done about masks in colours or alpha where values are expected; `alone`: there are no others."""
    if not pairs:
        return []
    if not alone:
        return [
            Finding("labels", f"{pair.item.mask}: is in {_kind(pair)}, but other masks are not; save it like them",
                    str(pair.item.mask)) for pair in pairs
        ]  # fmt: skip
    first = pairs[0].item.mask
    if all(pair.mask and pair.mask.encoding == "alpha" for pair in pairs):
        return [Finding("labels", f"{first}: the masks are in the alpha channel; set data.mask_encoding=alpha",
                        str(first), "mask_encoding=alpha")]  # fmt: skip
    counts = count_all(pair for pair in pairs if pair.mask and pair.mask.encoding == "colour")
    total = sum(count.pixels for count in counts.values())
    frequent = sorted(counts, key=lambda value: -counts[value].pixels)
    main = [value for value in frequent if counts[value].pixels >= _BLENDED * total]
    main = [value for value in main if not _is_blend(value, counts, main)]
    kept = frequent if len(frequent) <= _MOST_CLASSES else main
    rest = total - sum(counts[value].pixels for value in kept)
    if len(kept) > 2 * _MOST_CLASSES or rest > 0.2 * total:
        text = f"{first}: masks hold {len(counts)} colours: these are photos, not masks"
        return [Finding("labels", f"{text}; put the masks there, one label per pixel", str(first))]
    colours = ",".join(f'"{named(value, "colour")}"' for value in kept)
    setting = f"'data.class_values=[{colours}]'"
    text = (
        f"{first}: masks are in colours; list them in the order of the classes, the background first, as in {setting} "
        "(here the most frequent first; data.class_names likewise), or write a class table"
    )
    if rest:
        text = (f"{first}: masks are in colours, and {len(counts) - len(kept)} rare ones on {_percent(rest / total)} "
                f"of the pixels are blends: save masks without smoothing, not as JPEG; then set {setting}")  # fmt: skip
    return [Finding("labels", text, str(first), "" if rest else f"class_values=[{colours}]")]


def advise_strange(
    strange: Mapping[Pair, Sequence[int]], pairs: Sequence[Pair], labels: Labels, config: DataConfig
) -> list[Finding]:
    """One finding about values in many masks, and one per mask about the others."""
    counts = count_all(pairs)
    common = sorted({v for values in strange.values() for v in values if counts[v].images > FEW})
    count, encoding = len(labels.classes), labels.encoding
    known = sorted(value for value, index in labels.mapping.items() if index != IGNORED)
    classes = f"0 to {count - 1}" if known == list(range(count)) else _listed(known, encoding)
    found = []
    if common:
        total = sum(value.pixels for value in counts.values())
        share = sum(counts[value].pixels for value in common) / total
        first, masks = counts[common[0]].first, max(counts[value].images for value in common)
        advice, setting = _advice(common, sorted(counts), count, encoding, config)
        found.append(Finding("labels", f"{first}: this and other masks ({masks}) hold {_listed(common, encoding)} "
                                       f"({_percent(share)} of all pixels), but the classes are {classes}; {advice}",
                             str(first), setting))  # fmt: skip
    for pair, values in strange.items():
        rare = [value for value in values if value not in common]
        if rare and pair.mask:
            pixels = sum(pair.mask.values[value] for value in rare)
            advice = _advice(rare, sorted(counts), count, encoding, config)[0]
            found.append(Finding("labels", f"{pair.item.mask}: the mask holds {_listed(rare, encoding)} on {pixels} "
                                           f"pixel{'s' if pixels > 1 else ''}, but the classes are {classes}; mend it, "
                                           f"or {advice}", str(pair.item.mask)))  # fmt: skip
    return found


def _advice(
    strange: Sequence[int], values: Sequence[int], count: int, encoding: str, config: DataConfig
) -> tuple[str, str]:
    """What to do, and the setting alone where there is one."""
    if config.format.startswith("pet-"):
        return "take another copy of the data: trimaps hold 1 pet, 2 background, 3 border", ""
    if encoding == "colour":
        if len(strange) > 12:
            return "save the masks again without smoothing, as PNG: rare colours are blends of their neighbours", ""
        return "add them to the class table or data.class_values; in a table, name void what is not to be counted", ""
    if list(strange) == [count] and 0 not in values:
        setting = f"class_values=[{_all(range(1, count + 1))}]"
        return f"count them from 1: data.{setting}", setting
    counted = [value for value in values if value != config.ignore_index or value in strange]
    if config.format == "folder" and not config.class_values and not config.class_table and len(values) == count > 2:
        setting = f"class_values=[{_all(values)}]"
        return f"say which value is which class: data.{setting}", setting
    void = f"set data.ignore_index={strange[0]} if it marks pixels that are not counted" if len(strange) == 1 else ""
    if config.format == "voc":
        own = "write the names of your classes into classes.txt beside JPEGImages/, one per line"
    elif config.class_values or config.class_table or not config.num_classes:
        own = f"name {'it' if len(strange) == 1 else 'them'} in data.class_values or the class table"
    else:
        own = f"set data.num_classes={counted[-1] + 1} if it is a class" if counted[-1] < 254 else ""
    return ", or ".join(filter(None, (void, own))) or "mend the masks", ""


def _is_blend(value: int, counts: Mapping[int, ValueCount], others: Sequence[int]) -> bool:
    """Whether a colour lies beside one that is ten times as frequent."""
    return any(
        counts[other].pixels >= 10 * counts[value].pixels
        and sum(abs((value >> shift & 255) - (other >> shift & 255)) for shift in (0, 8, 16)) < 64
        for other in others
    )


def _by_setting(text: str, file: Path, values: Sequence[int]) -> Finding:
    return Finding("labels", text, str(file), f"class_values=[{_all(values)}]")


def _kind(pair: Pair) -> str:
    return "its alpha channel" if pair.mask and pair.mask.encoding == "alpha" else "colours"


def _listed(values: Sequence[int], encoding: str) -> str:
    return ", ".join(named(value, encoding) for value in values[:8]) + (", ..." if len(values) > 8 else "")


def _all(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _percent(share: float) -> str:
    return "less than 0.01 %" if share < 0.0001 else f"{share:.2%}".replace("%", " %")
