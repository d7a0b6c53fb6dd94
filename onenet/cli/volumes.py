"""What `onenet predict` does with volumes: a file or a DICOM series in, CASE.nii.gz out, on the same grid."""

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from onenet.cli.names import note_replaced, numbered, told_apart

if TYPE_CHECKING:
    from onenet.deploy.segmenter import Segmenter

KINDS = {"mask": "nii.gz", "overlay": "montage.png", "dicom-seg": "dcm"}  # what can be saved -> the ending of its file
_CHANNEL = re.compile(r"(.+)_(\d{4})")  # nnU-Net's: a file for each channel

Job = tuple[Path, tuple[Path, ...]]  # name of the case, its files


def are_volumes(inputs: Sequence[str]) -> bool:
    """Whether the inputs are volumes: files or series, folders of them, or patterns of their names."""
    from onenet.volumes import is_volume

    return any(is_volume(given) or bool(_in_folder(Path(given)) or _matches(given)) for given in inputs if given != "-")


def predict_volumes(
    segmenter: "Segmenter", model: str, inputs: Sequence[str], out: Path, kinds: Sequence[str], steps: str
) -> None:
    """Segment every volume; what is bad is told, and the others go on.

    Raises:
        ConfigError: the model is one of images, or an option makes no sense for volumes.
        typer.Exit: with 2, where a volume could not be segmented.
    """
    from onenet.cli import fail
    from onenet.errors import ConfigError, DataError, OneNetError, ShapeError, did_you_mean
    from onenet.images import refuse_unwritable

    if not segmenter.card.volume:
        raise ConfigError(f"{model}: was trained on images, not on volumes; give it images, or train a model on "
                          "volumes (docs/medical.md)")  # fmt: skip
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"--save {kind!r}: of volumes {did_you_mean(kind, KINDS)}")
    chosen = parse_steps(steps, segmenter)
    seen = 2 * int(segmenter.card.volume.get("neighbours", 0)) + 1
    refuse_unwritable(out)
    files, bad = collect_files(inputs, out)
    for line in bad:
        fail(line)
    channels = segmenter.card.in_channels // seen
    jobs = name_cases(files, channels)
    everything = [file for _, parts in jobs for file in parts]
    targets = [out / f"{name}.{KINDS[kind]}" for name, _ in jobs for kind in kinds]
    for target in targets:
        _refuse_overwriting(target, everything)
    note_replaced(targets)
    failed = len(bad)
    for name, parts in jobs:
        try:
            _check_numbers(parts, channels)
            written = _segment(segmenter, parts, out / name, kinds, chosen)
        except (DataError, ShapeError, MemoryError) as error:
            fail(str(error) if isinstance(error, OneNetError) else f"{parts[0]}: needs more memory than there is")
            failed += 1
            continue
        print(f"{parts[0]}  ->  {', '.join(map(str, written))}")
    if failed:
        if (count := len(jobs) + len(bad)) > 1:
            rest = f"; the others are in {out}" if failed < count else ""
            fail(f"{failed} of {count} volumes could not be segmented{rest}")
        raise typer.Exit(2)


def parse_steps(text: str, segmenter: "Segmenter") -> dict[str, list[int]] | None:
    """What --postprocess says: None for what the card says, else steps for all classes but the background.

    Raises:
        ConfigError: an unknown word, or the model has no background that could take the place of what is removed.
    """
    from onenet.errors import ConfigError, did_you_mean
    from onenet.volumes.components import STEPS

    if text == "card":
        return None
    card = segmenter.card
    text = ",".join(STEPS) if text == "both" else text
    words = [] if text == "none" else [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in STEPS:
            raise ConfigError(f"--postprocess {word!r}: {did_you_mean(word, [*STEPS, 'both', 'none', 'card', 'auto'])}")
    if words and card.background is None and not card.overlapping:
        raise ConfigError(f"--postprocess {text}: the model has no background class, so nothing can take the place "
                          "of what is removed; leave it out, or give none")  # fmt: skip
    classes = [index for index in range(card.num_classes) if index != card.background or card.overlapping]
    return dict.fromkeys(words, classes)


def collect_files(inputs: Sequence[str], out: Path | None = None) -> tuple[list[Path], list[str]]:
    """The volumes that the inputs name, and a line for each input that names none.

    Args:
        out: a folder of results, which is passed over in the folders above it.
    """
    from onenet.errors import DataError

    files: list[Path] = []
    bad: list[str] = []
    place = out.resolve() if out else None
    for given in inputs:
        try:
            found = _named(given)
        except DataError as error:
            bad.append(str(error))
            continue
        if place and Path(given).resolve() in place.parents:
            found = [file for file in found if place not in file.resolve().parents]
        files += found
    return files, bad


def name_cases(volumes: Sequence[Path], channels: int = 1) -> list[Job]:
    """The cases that the volumes are, each with its files; CASE_0000 and so on are the channels of one case.

    For one channel CASE_0000 is called CASE, as nnU-Net has it, unless another volume beside it is called so.
    Cases of one name keep as much of their folders as tells them apart, then their ending, else get a number.
    """
    from onenet.volumes import case_name

    files: dict[Path, Path] = {}
    for file in volumes:
        files.setdefault(Path(os.path.abspath(file)), file)  # noqa: PTH100 (it would follow links)
    beside = Counter(place.with_name(name) for place in files for name in {case_name(place), _case_of(place)})
    cases: dict[Path, list[Path]] = {}
    for place, file in files.items():
        name, base = case_name(place), _case_of(place)
        ending = place.name[len(name) :].replace(".", "") or "dicom"
        if channels > 1 or (name == f"{base}_0000" and beside[place.with_name(base)] == 1):
            name = base
        cases.setdefault(place.with_name(f"{name}.{ending}"), []).append(file)
    alike: dict[str, list[Path]] = {}
    for case in cases:
        alike.setdefault(case.stem, []).append(case)
    names = {case: name for group in alike.values() for case, name in zip(group, told_apart(group), strict=True)}
    names = numbered(names)
    return [(names[case], tuple(sorted(parts, key=case_name))) for case, parts in cases.items()]


def _case_of(file: Path) -> str:
    """What the case of a file is called that may be one of its channels."""
    from onenet.volumes import case_name

    match = _CHANNEL.fullmatch(case_name(file))
    return match[1] if match else case_name(file)


def _check_numbers(files: Sequence[Path], channels: int) -> None:
    """Refuse files of other channels than those that the model takes; one file may hold all of them itself."""
    from onenet.errors import DataError
    from onenet.volumes import case_name, read_header

    wanted = [f"{number:04d}" for number in range(channels)]
    found = [match[2] for file in files if (match := _CHANNEL.fullmatch(case_name(file)))]
    if channels == 1 or not found or found == wanted or (len(files) == 1 and len(read_header(files[0])[0]) == 4):
        return
    raise DataError(f"{files[0]}: the case {_case_of(files[0])} has the channel(s) {', '.join(found)}, but the model "
                    f"takes {wanted[0]} to {wanted[-1]}; add what is absent, remove or rename the others")  # fmt: skip


def _named(given: str) -> list[Path]:
    from onenet.errors import DataError

    path = Path(given)
    if path.is_dir():
        if not (found := _in_folder(path)):
            raise DataError(f"{path}: holds no volumes and no DICOM series")
        return found
    if path.exists() or not glob.has_magic(given):
        return [path]
    if not (found := _matches(given)):
        raise DataError(f"{given}: no volume matches")
    return found


def _matches(pattern: str) -> list[Path]:
    """The volumes that match a pattern, and those in folders that match."""
    from onenet.volumes import is_volume

    if not glob.has_magic(pattern) or Path(pattern).exists():
        return []
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
    return [file for match in matches for file in ([match] if is_volume(match) else _in_folder(match))]


def _in_folder(folder: Path) -> list[Path]:
    """The volumes in a folder and in those below it; a folder with a DICOM series is a volume, too."""
    from onenet.volumes import is_series, is_volume

    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if is_series(place):
            found.append(Path(place))
        found += [Path(place, name) for name in sorted(files) if is_volume(name) and not name.startswith(".")]
    return found


def _segment(
    segmenter: "Segmenter", files: tuple[Path, ...], target: Path, kinds: Sequence[str], steps: dict | None
) -> list[Path]:
    """Write what is asked for of one case; nothing where one of it cannot be made."""
    from onenet import images
    from onenet.deploy.montage import montage
    from onenet.deploy.silence import silent
    from onenet.deploy.volume import segment_volume
    from onenet.volumes import join_channels, nifti_bytes, read_volume

    with silent():  # libraries quote what stands in headers, the patient's name too
        volume = join_channels([read_volume(file) for file in files])
    mask = segment_volume(segmenter, volume, steps, _progress(target.name))
    made: dict[Path, bytes] = {}
    if "mask" in kinds:
        made[target.with_name(f"{target.name}.{KINDS['mask']}")] = nifti_bytes(mask, volume)
    if "dicom-seg" in kinds:
        from onenet.volumes.dicom_seg import dicom_seg_bytes

        card = segmenter.card
        with silent():
            made[target.with_name(f"{target.name}.{KINDS['dicom-seg']}")] = dicom_seg_bytes(
                mask, volume, card.classes, card.background, card.overlapping, card.version
            )
    picture = montage(volume, mask, segmenter.card) if "overlay" in kinds else None
    for path, content in made.items():
        with images.atomic_write(path) as file:
            file.write(content)
    written = list(made)
    if picture is not None:
        written.append(target.with_name(f"{target.name}.{KINDS['overlay']}"))
        images.write_image(written[-1], picture)
    return written


def _refuse_overwriting(path: Path, files: Sequence[Path]) -> None:
    from onenet.errors import ConfigError

    if path.exists() and any(file.exists() and path.samefile(file) for file in files):
        raise ConfigError(f"{path}: a mask would overwrite this volume; choose another --out")


def _progress(name: str) -> Callable[[int, int], None]:
    """A line on standard error that counts slices, where that is a terminal."""

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{name}: {done} of {total} slices", end=end, file=sys.stderr, flush=True)

    return show if sys.stderr.isatty() else lambda done, total: None
