"""`onenet data check`: everything that is wrong with a data set, at once, before any training."""

from collections.abc import Sequence
from pathlib import Path

from onenet.config import VOLUMES, DataConfig
from onenet.data.census import class_warnings, count_classes, nothing_to_tell_apart, numbers_of_objects
from onenet.data.duplicates import find_duplicates
from onenet.data.findings import DataReport, Finding
from onenet.data.image_check import (
    channel_problems,
    count_by,
    deep_range,
    image_hints,
    image_sizes,
    plain_images,
    size_problems,
    turned_photos,
    value_problems,
)
from onenet.data.label_check import expected_encoding, judge_labels
from onenet.data.located import located
from onenet.data.pairing import find_pairs
from onenet.data.probe import Pair, Progress, probe_pairs
from onenet.data.volume_check import check_volumes
from onenet.errors import DataError


def check_data(config: DataConfig, progress: Progress | None = None) -> DataReport:
    """Read every image and every mask, and say what there is and what must be mended.

    Args:
        config: of the data, see `onenet.config.parse_spec`.
        progress: called with (pairs read, pairs in all).

    Raises:
        ConfigError: no root given, or an unknown packaged set.
        DataError: there is no such folder.
    """
    config = located(config)
    if not Path(config.root).is_dir():
        raise DataError(f"{config.root}: no such folder; it should hold the images and their masks")
    if config.format in VOLUMES:
        return check_volumes(config, progress)
    items, notes, problems = find_pairs(config)
    encoding = expected_encoding(config, [item for part in items.values() for item in part])
    pairs = probe_pairs(items, config, encoding, progress)
    judgement = judge_labels(config, pairs, encoding)
    classes, not_counted = count_classes(pairs, judgement)
    unreadable = _unreadable(pairs)
    twice, twice_in_one = find_duplicates(pairs, " ".join(problem.text for problem in problems))
    problems += [] if config.skip_unreadable else unreadable
    problems += [*channel_problems(pairs, config), *value_problems(pairs, config), *size_problems(pairs)]
    told = {problem.text for problem in problems}
    problems += [*(problem for problem in judgement.problems if problem.text not in told), *twice]
    if not pairs and not problems:
        problems.append(Finding("files", f"{config.root}: holds no images with masks", config.root))
    if judgement.settled and not judgement.problems:
        problems += nothing_to_tell_apart(classes, not_counted, config.overlapping)
    warnings = [*(unreadable if config.skip_unreadable else ()), *turned_photos(pairs), *plain_images(pairs)]
    if judgement.settled and "unsplit" not in items:
        warnings += numbers_of_objects(pairs, classes)
        warnings += class_warnings(classes, [split for split, part in items.items() if part])
    return DataReport(
        name=config.root.rstrip("/").rpartition("/")[2],
        format=config.format,
        root=config.root,
        splits={split: len(part) for split, part in items.items()},
        sizes=image_sizes(pairs),
        channels=count_by(pairs, "channels"),
        bits=count_by(pairs, "kind"),
        masks=count_by(pairs, "stored"),
        value_range=deep_range(pairs),
        classes=classes,
        not_counted=not_counted,
        notes=(*notes, *judgement.labels.notes, *image_hints(pairs, config)),
        warnings=_within(warnings + twice_in_one, config),
        problems=_within(problems, config),
    )


def _unreadable(pairs: Sequence[Pair]) -> list[Finding]:
    texts = dict.fromkeys(str(error) for pair in pairs for error in pair.errors)
    return [Finding("unreadable", text, text.partition(": ")[0]) for text in texts]


def _within(findings: Sequence[Finding], config: DataConfig) -> tuple[Finding, ...]:
    """The same in the order of their files, paths as they are called inside the data's folder; `file` stays whole."""
    return tuple(
        Finding(found.kind, found.text.replace(f"{config.root}/", ""), found.file, found.setting)
        for found in sorted(findings, key=lambda found: (not found.setting, found.file))
    )
