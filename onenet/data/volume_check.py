"""`onenet data check` of volumes: every case read once, and what is wrong with it named, before any training."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.config import DataConfig
from onenet.data.cases import Case, FoundCases
from onenet.data.census import class_warnings, nothing_to_tell_apart
from onenet.data.findings import ClassCount, DataReport, Finding
from onenet.data.preparation import plan_preparation
from onenet.data.probe import Progress
from onenet.data.sample import SPLITS
from onenet.data.slices import FINDERS, describe, usual_channels
from onenet.data.volume_reading import faults_of_grids, grid_of, labels_in, not_finite, read_channels, read_turned
from onenet.errors import DataError, OneNetError
from onenet.images import IGNORED

_THREADS = 2  # each holds a case
_SHOWN = 6


@dataclass(frozen=True, eq=False)
class CheckedCase:
    """What is in a case.

    Attributes:
        voxels: value of the mask -> how many voxels have it; empty where the mask cannot be read.
        digest: of the image; equal images have equal ones.
        faults: what is wrong, a (kind, line) each, see `onenet.data.findings.Finding`.
    """

    case: Case
    split: str
    voxels: Mapping[int, int] = field(default_factory=dict)
    digest: bytes = b""
    faults: tuple[tuple[str, str], ...] = ()


def check_volumes(config: DataConfig, progress: Progress | None = None) -> DataReport:
    """Read every case, and say what there is and what must be mended.

    Args:
        config: of the data, located.
        progress: called with (cases read, cases in all).

    Raises:
        ConfigError: keys contradict each other or the labels.
    """
    refused: list[DataError] = []
    try:
        found = FINDERS[config.format](dataclasses.replace(config, skip_unreadable=True), refused.append)
    except DataError as error:
        return _report(config, None, (), _files([*refused, error]))
    named = [(case, split) for split in SPLITS for case in found.cases[split]]
    channels = len(found.channels) or usual_channels([case for case, _ in named])
    checked: list[CheckedCase] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for one in pool.map(lambda pair: check_case(pair[0], pair[1], channels, found.labels.mapping), named):
            checked.append(one)
            if progress:
                progress(len(checked), len(named))
    problems = [
        *_files(refused),
        *(Finding(kind, text, str(one.case.image)) for one in checked for kind, text in one.faults),
        *_twice(checked),
    ]
    return _report(config, found, checked, problems)


def check_case(case: Case, split: str, channels: int, labels: Mapping[int, int]) -> CheckedCase:
    """Read a case; nothing is raised."""
    faults: list[tuple[str, str]] = []
    voxels: dict[int, int] = {}
    digest = b""
    try:
        faults += faults_of_grids(case, channels)
    except DataError as error:
        faults.append(("unreadable", str(error)))
    try:
        image = read_channels(case)
        digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        if not np.isfinite(image).all():
            faults.append(("channels", not_finite(case, image)))
    except (DataError, ValueError) as error:  # channels of different sizes have been named above
        faults += [("unreadable", str(error))] if isinstance(error, DataError) else []
    kind = "unreadable"
    try:
        mask = read_turned(case.mask, case.image)
        kind = "labels"
        values, counts = np.unique(labels_in(mask, case.mask), return_counts=True)
        voxels = {int(value): int(count) for value, count in zip(values, counts, strict=True)}
    except DataError as error:
        faults.append((kind, str(error)))
    if strange := [value for value in voxels if value not in labels]:
        shown = ", ".join(map(str, strange[:_SHOWN])) + (", ..." if strange[_SHOWN:] else "")
        known = ", ".join(map(str, sorted(labels)[:_SHOWN])) + (", ..." if len(labels) > _SHOWN else "")
        faults.append(("labels", f"{case.mask}: the mask holds {shown}, but the labels are {known}; name the label "
                                 "(dataset.json, or data.class_values), or mend the mask"))  # fmt: skip
    return CheckedCase(case, split, voxels, digest, tuple(dict.fromkeys(faults)))


def _files(errors: Iterable[DataError]) -> list[Finding]:
    return [Finding("files", text, text.partition(": ")[0]) for text in dict.fromkeys(map(str, errors))]


def _twice(checked: Sequence[CheckedCase]) -> list[Finding]:
    """The same volume under two names."""
    first: dict[bytes, CheckedCase] = {}
    found = []
    for one in checked:
        other = first.setdefault(one.digest, one) if one.digest else one
        if other is not one:
            text = f"{one.case.image}: the same volume as {other.case.image}; remove one of them"
            found.append(Finding("duplicate", text, str(one.case.image)))
    return found


def _report(
    config: DataConfig, found: FoundCases | None, checked: Sequence[CheckedCase], problems: list[Finding]
) -> DataReport:
    classes, not_counted = _classes(found, checked) if found else ((), 0.0)
    notes = list(found.notes) if found else []
    warnings: list[Finding] = []
    if found and not problems:
        try:
            plan = plan_preparation(config, found.cases["train"], found.channels, found.labels.mapping, found.nothing)
            notes.append(describe(plan))
        except OneNetError as error:
            problems = [Finding("files", str(error))]
        problems += nothing_to_tell_apart(classes, not_counted, found.overlapping)
        warnings = class_warnings(classes, [split for split in SPLITS if found.cases[split]])
    inside = f"{config.root}/"
    return DataReport(
        name=Path(config.root).name,
        format=config.format,
        root=config.root,
        splits={split: len(found.cases[split]) for split in SPLITS} if found else {},
        sizes=None,
        channels={},
        bits={},
        masks={},
        value_range=None,
        classes=classes,
        not_counted=not_counted,
        notes=tuple(notes),
        warnings=tuple(warnings),
        problems=tuple(dataclasses.replace(one, text=one.text.replace(inside, "")) for one in problems),
        unit="cases",
        grids=_grids(checked),
    )


def _classes(found: FoundCases, checked: Sequence[CheckedCase]) -> tuple[tuple[ClassCount, ...], float]:
    """Voxels and cases of every class, and the share of voxels that are not counted."""
    total = sum(sum(one.voxels.values()) for one in checked)
    train_total = sum(sum(one.voxels.values()) for one in checked if one.split == "train")
    rows = []
    for index, name in enumerate(found.labels.classes):
        here = [(one.split, _voxels_of(one, index, found)) for one in checked]
        there = {split: sum(1 for of, count in here if of == split and count) for split in SPLITS}
        every, train = sum(count for _, count in here), sum(count for split, count in here if split == "train")
        rows.append(ClassCount(name, every, every / (total or 1), train / (train_total or 1), sum(there.values()),
                               {split: count for split, count in there.items() if count}))  # fmt: skip
    left = sum(count for one in checked for value, count in one.voxels.items() if _code(value, found) == IGNORED)
    return tuple(rows), left / (total or 1)


def _code(value: int, found: FoundCases) -> int | None:
    return found.labels.mapping.get(value)


def _voxels_of(one: CheckedCase, index: int, found: FoundCases) -> int:
    def is_there(code: int | None) -> bool:
        if code is None or code == IGNORED:
            return False
        return bool(code >> index & 1) if found.overlapping else code == index

    return sum(count for value, count in one.voxels.items() if is_there(_code(value, found)))


def _grids(checked: Sequence[CheckedCase]) -> dict[str, str]:
    """Sizes and spacings of the volumes, as they are shown."""
    found = []
    for one in checked:
        try:
            found.append(grid_of(one.case.image))
        except DataError:
            continue
    if not found:
        return {}
    shapes, spacings = np.array([grid.shape for grid in found]), np.array([grid.spacing for grid in found])
    numbers = {sum(grid_of(path).channels for path in one.case.images) for one in checked if not one.faults}
    shown = {"sizes": f"{_span(shapes)} voxels", "spacing": f"{_span(spacings)} mm"}
    return shown | ({"channels": ", ".join(map(str, sorted(numbers)))} if numbers else {})


def _span(lengths: NDArray) -> str:
    low, middle, high = (_text(edge) for edge in (lengths.min(0), np.median(lengths, axis=0), lengths.max(0)))
    return low if low == high else f"median {middle}, {low} to {high}"


def _text(lengths: NDArray) -> str:
    return "x".join(f"{length:.4g}" for length in lengths)
