"""What a check of a data set found: findings, and the report that holds them all, as text and as JSON."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FEW = (5, 50)  # images, for which there is a recipe
MOST_LINES = 20  # of one kind that are printed; all of them are in the JSON
_MOST_ROWS = 40

_HEADINGS = {
    "files": "files and lists",
    "unreadable": "files that cannot be read",
    "channels": "channels and values of images",
    "size": "sizes",
    "labels": "labels of masks",
    "classes": "classes",
    "duplicate": "the same picture twice",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: files, unreadable, channels, size, labels, classes or duplicate.
        text: one line: what, where, what to do.
        file: the file it is about, "" where it is about many.
        setting: key=value of [data] that mends it, "" where none does.
    """

    kind: str
    text: str
    file: str = ""
    setting: str = ""


@dataclass(frozen=True)
class ClassCount:
    """How much of a class there is.

    Attributes:
        name: of the class, or of the mask value where the values could not be read as classes.
        pixels: over all splits.
        share: of all pixels of all masks, those that are not counted included.
        train_share: of all pixels of the train split likewise.
        images: in how many images it occurs.
        images_per_split: the same in each split.
    """

    name: str
    pixels: int
    share: float
    train_share: float
    images: int
    images_per_split: Mapping[str, int]


@dataclass(frozen=True)
class Sizes:
    """(height, width) of the smallest, the median and the largest image, by their areas."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]

    @property
    def vary(self) -> bool:
        """Whether the largest has at least four times the pixels of the smallest."""
        return self.largest[0] * self.largest[1] >= 4 * self.smallest[0] * self.smallest[1]


@dataclass(frozen=True)
class DataReport:
    """All that a check found.

    Attributes:
        name, format, root: of the data.
        splits: number of pairs in each split.
        sizes: of the images; None where none could be read.
        channels, bits, masks: how many images have so many channels and bits, and how masks are stored.
        value_range: lowest and highest value of images deeper than 8 bits, in their files' own units.
        classes: one per class.
        not_counted: share of all mask pixels that are neither trained on nor counted.
        notes: hints.
        warnings: what may be meant so.
        problems: what must be mended.
        unit: what is counted: "images", or "cases" of volumes.
        grids: of volumes, sizes, spacing and channels in words.
    """

    name: str
    format: str
    root: str
    splits: Mapping[str, int]
    sizes: Sizes | None
    channels: Mapping[str, int]
    bits: Mapping[str, int]
    masks: Mapping[str, int]
    value_range: tuple[float, float] | None
    classes: tuple[ClassCount, ...]
    not_counted: float
    notes: tuple[str, ...]
    warnings: tuple[Finding, ...]
    problems: tuple[Finding, ...]
    unit: str = "images"
    grids: Mapping[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Every attribute by its name (sizes as [height, width]), and `ready`."""
        return {"ready": self.ready, **asdict(self)}

    def to_text(self, spec: str = "") -> str:
        """For people; `spec` is how they named the data."""
        lines = [*self._facts(), *self._class_lines(), ""]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"warning: {line}" for line in _capped(self.warnings)]
        if lines[-1]:
            lines.append("")
        if self.ready:
            return "\n".join([*lines, "ready", *self._next(spec)])
        count = len(self.problems)
        lines.append(f"{count} thing{'s' if count > 1 else ''} to mend:")
        for kind, heading in _HEADINGS.items():
            group = [problem for problem in self.problems if problem.kind == kind]
            lines += [f"  {heading}", *(f"    {line}" for line in _capped(group))] if group else []
        settings = dict.fromkeys(problem.setting for problem in self.problems if problem.setting)
        if settings and ":" in spec:
            lines.append(f"check again: onenet data check '{','.join([spec, *settings])}'")
        return "\n".join(lines)

    def _next(self, spec: str) -> list[str]:
        """The command that trains on them; nothing where `spec` is a recipe, which trains by its name."""
        if ":" not in spec:
            return []
        few = " few" if self.unit == "images" and FEW[0] <= sum(self.splits.values()) <= FEW[1] else ""
        return [f"next    onenet train{few} --data {shlex.quote(spec)}"]

    def _facts(self) -> Iterator[str]:
        total = sum(self.splits.values())
        counts = ", ".join(f"{count} {split}" for split, count in self.splits.items() if count)
        yield f"data      {self.format}:{self.root}"
        yield f"{self.unit:8}  {total}" + (f" with masks: {counts}" if total else " with masks")
        if self.sizes:
            smallest, median, largest = (
                f"{h}x{w}" for h, w in (self.sizes.smallest, self.sizes.median, self.sizes.largest)
            )
            same = smallest == largest
            span = smallest if same else f"{smallest} to {largest}, median {median}"
            yield f"sizes     {span} (height x width)" + ("; they vary a lot" if self.sizes.vary else "")
            span = f", values {self.value_range[0]:.6g} to {self.value_range[1]:.6g}" if self.value_range else ""
            yield f"channels  {_counted(self.channels)}; {_counted(self.bits)}{span}"
        for what, words in self.grids.items():
            yield f"{what:8}  {words}"
        if self.masks:
            yield f"masks     {_counted(self.masks)}"

    def _class_lines(self) -> Iterator[str]:
        if not self.classes:
            return
        there = [row for row in self.classes if row.images]  # a warning names the others
        rows = [(row.name, _percent(row.train_share), _percent(row.share), str(row.images)) for row in there]
        if len(rows) > _MOST_ROWS:
            rows = [*rows[:_MOST_ROWS], (f"... and {len(rows) - _MOST_ROWS} more", "", "", "")]
        if self.not_counted:
            rows.append(("not counted", "", _percent(self.not_counted), ""))
        parts = "voxels" if self.grids else "pixels"
        head = ("class", f"train {parts}", f"all {parts}", self.unit)
        wide = min(40, max(len(row[0]) for row in [head, *rows]))
        yield ""
        for name, train, share, images in [head, *rows]:
            yield f"{_shortened(name, wide):{wide}}  {train:>12}  {share:>10}  {images:>6}".rstrip()


def _capped(findings: Sequence[Finding]) -> Iterator[str]:
    shown: dict[str, int] = {}
    for finding in findings:
        shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if shown[finding.kind] <= MOST_LINES:
            yield finding.text
    for kind, count in shown.items():
        if count > MOST_LINES:
            yield f"... and {count - MOST_LINES} more about {_HEADINGS[kind]} (--json lists all)"


def _counted(counts: Mapping[str, int]) -> str:
    """What all have in common, or how many have what."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{what} in {count}" for what, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _percent(share: float) -> str:
    if 0 < share < 0.00005:
        return "< 0.01 %"
    return f"{share:.2%}".replace("%", " %")


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
