"""What `onenet predict` does with volumes: a file or a DICOM series in, CASE.nii.gz out, on the same grid."""

import glob
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from onenet.deploy.segmenter import Segmenter
    from onenet.volumes import Volume

KINDS = ("mask", "overlay", "dicom-seg")
_CHANNEL = re.compile(r"(.+)_(\d{4})")  # nnU-Net's: a file for each channel

Job = tuple[str, tuple[Path, ...]]  # name of the case, its files


def are_volumes(inputs: Sequence[str]) -> bool:
    """Whether the inputs are volumes: files or series, folders of them, or patterns of their names."""
    from onenet.volumes import is_volume

    return any(is_volume(given) or bool(_in_folder(Path(given))) for given in inputs if given != "-")


def predict_volumes(
    segmenter: "Segmenter", model: str, inputs: Sequence[str], out: Path, kinds: Sequence[str], steps: str
) -> None:
    """Segment every volume; what is bad is told, and the others go on.

    Raises:
        ConfigError: the model is one of images, or an option makes no sense for volumes.
        typer.Exit: with 2, where a volume could not be segmented.
    """
    from onenet.cli import fail
    from onenet.errors import ConfigError, DataError, ShapeError, did_you_mean

    if not segmenter.card.volume:
        raise ConfigError(f"{model}: was trained on images, not on volumes; give it images, or train a model on "
                          "volumes (docs/medical.md)")  # fmt: skip
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"--save {kind!r}: of volumes {did_you_mean(kind, KINDS)}")
    chosen = parse_steps(steps, segmenter)
    jobs = name_cases(inputs, segmenter.card.in_channels)
    failed = 0
    for name, files in jobs:
        try:
            written = _segment(segmenter, files, out / name, kinds, chosen)
        except (DataError, ShapeError) as error:
            fail(str(error))
            failed += 1
            continue
        print(f"{files[0]}  ->  {', '.join(map(str, written))}")
    if failed:
        if len(jobs) > 1:
            rest = f"; the others are in {out}" if failed < len(jobs) else ""
            fail(f"{failed} of {len(jobs)} volumes could not be segmented{rest}")
        raise typer.Exit(2)


def parse_steps(text: str, segmenter: "Segmenter") -> dict[str, list[int]] | None:
    """What --postprocess says: None for what the card says, else steps for all classes but the background.

    Raises:
        ConfigError: an unknown word.
    """
    from onenet.errors import ConfigError, did_you_mean
    from onenet.volumes.components import STEPS

    if text == "card":
        return None
    card = segmenter.card
    words = [] if text == "none" else [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in STEPS:
            raise ConfigError(f"--postprocess {word!r}: {did_you_mean(word, [*STEPS, 'none', 'card'])}")
    classes = [index for index in range(card.num_classes) if index != card.background or card.overlapping]
    return dict.fromkeys(words, classes)


def name_cases(inputs: Sequence[str], channels: int = 1) -> list[Job]:
    """The cases that the inputs name, each with its files; CASE_0000 and so on are the channels of one case.

    Raises:
        DataError: there is none, or two have one name.
    """
    from onenet.errors import DataError
    from onenet.volumes import case_name

    files = list(dict.fromkeys(file for given in inputs for file in _named(given)))
    cases: dict[str, list[Path]] = {}
    for file in files:
        name = case_name(file)
        match = _CHANNEL.fullmatch(name)
        name = match[1] if match and channels > 1 else name
        if name in cases and not (match and channels > 1 and cases[name][0].parent == file.parent):
            raise DataError(f"{file}: has the same name as {cases[name][0]}; rename one, or segment them one by one")
        cases.setdefault(name, []).append(file)
    return [(name, tuple(sorted(parts))) for name, parts in cases.items()]


def _named(given: str) -> list[Path]:
    from onenet.errors import DataError
    from onenet.volumes import is_volume

    path = Path(given)
    if path.is_dir():
        if not (found := _in_folder(path)):
            raise DataError(f"{path}: holds no volumes and no DICOM series")
        return found
    if path.exists() or not glob.has_magic(given):
        return [path]
    if not (matches := [Path(match) for match in sorted(glob.glob(given, recursive=True)) if is_volume(match)]):
        raise DataError(f"{given}: no volume matches")
    return matches


def _in_folder(folder: Path) -> list[Path]:
    """The volumes of a folder, or the folder itself where it holds a DICOM series, or the series in its folders."""
    from onenet.volumes import is_series, is_volume

    if not folder.is_dir():
        return []
    if is_series(folder):
        return [folder]
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    return [path for path in entries if is_volume(path) or is_series(path)]


def _segment(
    segmenter: "Segmenter", files: tuple[Path, ...], target: Path, kinds: Sequence[str], steps: dict | None
) -> list[Path]:
    """Write what is asked for of one case; nothing where one of it cannot be made."""
    from onenet import images
    from onenet.deploy.montage import montage
    from onenet.deploy.volume import segment_volume
    from onenet.volumes import nifti_bytes

    volume = _read(files)
    mask = segment_volume(segmenter, volume, steps, _progress(target.name))
    made: dict[Path, bytes] = {}
    if "mask" in kinds:
        made[target.with_name(f"{target.name}.nii.gz")] = nifti_bytes(mask, volume)
    if "dicom-seg" in kinds:
        from onenet.volumes.dicom_seg import dicom_seg_bytes

        card = segmenter.card
        made[target.with_name(f"{target.name}.dcm")] = dicom_seg_bytes(
            mask, volume, card.classes, card.background, card.overlapping, card.version
        )
    for path in made:
        _refuse_overwriting(path, files)
    picture = montage(volume, mask, segmenter.card) if "overlay" in kinds else None
    for path, content in made.items():
        with images.atomic_write(path) as file:
            file.write(content)
    written = list(made)
    if picture is not None:
        written.append(target.with_name(f"{target.name}.montage.png"))
        images.write_image(written[-1], picture)
    return written


def _read(files: tuple[Path, ...]) -> "Volume":
    """The volume of a case, its files joined as channels.

    Raises:
        DataError: one cannot be read, has voxels that are no numbers, or lies elsewhere than the first.
    """
    import dataclasses

    import numpy as np

    from onenet.errors import DataError
    from onenet.volumes import read_volume

    volumes = [read_volume(file) for file in files]
    first = volumes[0]
    for volume in volumes:
        if volume.array.shape[:3] != first.array.shape[:3] or not np.allclose(volume.affine, first.affine, atol=1e-3):
            raise DataError(f"{volume.file}: lies elsewhere than {first.file.name}; channels of a case share one grid")
        if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
            raise DataError(f"{volume.file}: has voxels that are no numbers (NaN or infinite); set them to the "
                            "background's value")  # fmt: skip
    if len(volumes) == 1:
        return first
    parts = [v.array if v.array.ndim == 4 else v.array[..., None] for v in volumes]
    return dataclasses.replace(first, array=np.concatenate(parts, axis=-1))


def _refuse_overwriting(path: Path, files: Sequence[Path]) -> None:
    from onenet.errors import ConfigError

    if path.exists() and any(file.exists() and path.samefile(file) for file in files):
        raise ConfigError(f"{path}: the mask would overwrite this volume; choose another --out")


def _progress(name: str) -> Callable[[int, int], None]:
    """A line on standard error that counts slices, where that is a terminal."""

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{name}: {done} of {total} slices", end=end, file=sys.stderr, flush=True)

    return show if sys.stderr.isatty() else lambda done, total: None
