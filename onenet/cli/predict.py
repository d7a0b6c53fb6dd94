"""`onenet predict`: photos in, masks out."""

import glob
import io
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onenet.cli.large import Large
from onenet.cli.model_options import Classes, Runtime, Threads, class_names
from onenet.cli.names import note_replaced, told_apart
from onenet.cli.volumes import are_volumes, predict_volumes

if TYPE_CHECKING:
    from onenet.card import Card
    from onenet.deploy.segmenter import Result, Segmenter


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="A .safetensors or exported file, the folder of a run or a study of folds, or a trained model (pet)."
        ),
    ],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Files, folders, globs, or - for standard input.")
    ],
    out: Annotated[
        str, typer.Option(help="Folder for the results; - writes one mask to standard output.")
    ] = "predictions",
    save: Annotated[
        str, typer.Option(help="Any of mask,overlay,cutout,probability; of volumes mask,overlay,dicom-seg.")
    ] = "mask,overlay",
    threads: Threads = None,
    runtime: Runtime = "auto",
    classes: Classes = "",
    tile: Annotated[
        int | None, typer.Option(min=0, help="Side of the tiles that large images are computed in; 0 for none.")
    ] = None,
    memory: Annotated[str, typer.Option(help="Choose tiles so that at most this is used, for example 300MB.")] = "",
    postprocess: Annotated[
        str, typer.Option(help="Of volumes: largest, holes, both (largest,holes), none, or card: as the model says.")
    ] = "card",
    any_size: Annotated[
        bool, typer.Option("--any-size", help="Read images beyond the decoder's safety limit, too.")
    ] = False,
) -> None:
    """Draw masks: STEM.png (class indices, shown in colours), STEM.overlay.png and so on, at the photo's own size.

    Of a volume or a DICOM series: CASE.nii.gz on its own grid, and CASE.montage.png.

    For example: onenet predict runs/demo photo.jpg holiday/ --save mask,cutout
    """
    import onenet
    from onenet.cli import fail
    from onenet.deploy.segmenter import KINDS, layer_names, result_paths
    from onenet.errors import ConfigError, DataError, did_you_mean

    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that is no UTF-8 must not stop what prints it
        sys.stdout.reconfigure(errors="backslashreplace")
    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]

    def draw_volumes(segmenter: "Segmenter") -> None:
        if memory or any_size or out == "-":
            option = "--memory" if memory else "--any-size" if any_size else "--out -"
            raise ConfigError(f"{option}: is for photos; leave it out for volumes")
        for line in described(segmenter.card):
            print(f"{model}: {line}", file=sys.stderr)
        segmenter.tile = tile
        predict_volumes(segmenter, model, inputs, Path(out), kinds or ["mask"], postprocess)

    _refuse_specs(inputs)
    if are_volumes(inputs):
        segmenter = onenet.Segmenter(model, runtime, threads, class_names(classes))
        if segmenter.card.volume or not _have_photos(inputs):
            draw_volumes(segmenter)
            return
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"--save {kind!r}: {did_you_mean(kind, KINDS)}")
    if out == "-" and kinds not in (["mask"], ["mask", "overlay"]):
        raise ConfigError(f"--save {save}: with --out - only the mask is written; leave --save out, or give a folder")
    try:
        sources = collect(inputs)
    except DataError:
        if (segmenter := onenet.Segmenter(model, runtime, threads, class_names(classes))).card.volume:
            draw_volumes(segmenter)  # which says what it misses
            return
        raise
    _note_masks(inputs)
    large = Large(sources, tile, memory, any_size)
    segmenter = large.open(model, runtime, threads, class_names(classes))
    if segmenter.card.volume:
        draw_volumes(segmenter)
        return
    if postprocess != "card":
        raise ConfigError(f"--postprocess {postprocess}: is for volumes; leave it out")
    for line in described(segmenter.card):
        print(f"{model}: {line}", file=sys.stderr)
    if segmenter.decided and "probability" in kinds:
        raise ConfigError(f"{model}: gives classes without probabilities; leave probability out of --save, or export "
                          "the model without --output classes")  # fmt: skip
    if out == "-":
        _to_standard_output(segmenter, large, sources)
        return
    layers = layer_names(segmenter.card)
    jobs = {source: Path(out) / f"{stem}.png" for source, stem in name_outputs(sources, kinds, layers)}
    targets = [target for stem in jobs.values() for target in result_paths(stem, *kinds, layers=layers).values()]
    _refuse_overwrite(targets, jobs)
    note_replaced(targets)
    bad = 0
    for source, target in jobs.items():
        try:
            written = large.drawn(source, target, kinds) or _saved(_draw(segmenter, source), source, target, kinds)
        except DataError as error:  # a bad photo must not stop the others; a full disk must
            fail(str(error))
            bad += 1
            continue
        print(f"{source}  ->  {', '.join(map(str, written))}")
    if bad:
        if len(jobs) > 1:
            rest = f"; the others are in {out}" if bad < len(jobs) else ""
            fail(f"{bad} of {len(jobs)} inputs could not be read{rest}")
        raise typer.Exit(2)


def described(card: "Card") -> list[str]:
    """What a shipped model knows and what it does not."""
    return [f"{what}: {card.about[what]}" for what in ("knows", "limits") if what in card.about]


def _saved(result: "Result", source: str, target: Path, kinds: Sequence[str]) -> list[Path]:
    usual = result.card.about.get("unsure")
    if usual is not None and result.unsure > usual:
        share = f"{100 * result.unsure:.0f} % of its pixels are decided with little certainty"
        print(f"note: {source}: {share}, so it may be hard, or unlike what the model was trained on; "
              "look at the mask", file=sys.stderr)  # fmt: skip
    return result.save(target, *kinds)


def _draw(segmenter: "Segmenter", source: str) -> "Result":
    return segmenter(sys.stdin.buffer.read() if source == "-" else source)


def _to_standard_output(segmenter: "Segmenter", large: Large, sources: list[str]) -> None:
    from onenet.errors import ConfigError

    if len(sources) != 1:
        raise ConfigError(f"--out - writes one mask, but there are {len(sources)} inputs; give a folder")
    with tempfile.TemporaryDirectory() as folder:
        for file in large.drawn(sources[0], Path(folder) / "mask.png", ["mask"])[:1]:
            with file.open("rb") as mask:
                shutil.copyfileobj(mask, sys.stdout.buffer)
            return
    result = _draw(segmenter, sources[0])
    buffer = io.BytesIO()
    result.mask_image().save(buffer, "PNG")
    sys.stdout.buffer.write(buffer.getvalue())


def _refuse_specs(inputs: list[str]) -> None:
    """Point somebody who names data as the other commands want them to the folder in it."""
    from onenet.config import FORMATS, SAMPLES
    from onenet.errors import ConfigError

    for given in inputs:
        kind, _, rest = given.partition(":")
        if (kind in FORMATS or given.startswith(SAMPLES)) and rest and not Path(given).exists():
            folder = rest.partition(",")[0]
            known = kind == "folder" and Path(folder).is_dir()  # of which `collect` leaves the masks out
            what = folder if known else "name that of the images"
            raise ConfigError(f"{given}: names data as train and evaluate take them; predict takes files and "
                              f"folders: {what}")  # fmt: skip


def collect(inputs: list[str]) -> list[str]:
    """Every image that the inputs name, each once."""
    from onenet.errors import DataError
    from onenet.images import SUFFIXES

    found: list[str] = []
    for given in inputs:
        path = Path(given)
        if path.is_dir() and given != "-":
            files = _images_in(path)
            photos = [p for p in files if not _is_mask_of_a_set(p, path)]
            if not photos:
                but = " but the masks of a data set" if files else ""
                raise DataError(f"{path}: holds no images ({', '.join(SUFFIXES[:4])}, ...){but}")
            found += map(str, photos)
        elif given == "-" or path.exists() or not glob.has_magic(given):
            found.append(given)
        else:
            matches = sorted(glob.glob(given, recursive=True))
            if not matches:
                raise DataError(f"{given}: no file matches")
            found += [match for match in matches if Path(match).is_file()]
    if not found:
        raise DataError("no images to segment")
    unique: dict[Path, str] = {}
    for source in found:
        unique.setdefault(_place(source), source)
    return list(unique.values())


def _images_in(folder: Path) -> list[Path]:
    from onenet.images import SUFFIXES

    return [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]


def _note_masks(inputs: list[str]) -> None:
    """Say of folders how many of their images are the masks of a data set and left out."""
    for folder in (Path(given) for given in inputs if given != "-" and Path(given).is_dir()):
        if count := sum(_is_mask_of_a_set(file, folder) for file in _images_in(folder)):
            print(f"note: {folder}: {count} files in masks/ beside images/ are left out; to segment them, name masks/",
                  file=sys.stderr)  # fmt: skip


def _is_mask_of_a_set(file: Path, root: Path) -> bool:
    """Whether a file below `root` lies in the masks/ of a data set, which are no photos."""
    inside = file.relative_to(root).parts[:-1]
    return any(name == "masks" and root.joinpath(*inside[:n], "images").is_dir() for n, name in enumerate(inside))


def _have_photos(inputs: list[str]) -> bool:
    """Whether folders or patterns hold photos, too, and no volume is named by itself."""
    from onenet.errors import DataError
    from onenet.volumes import is_volume

    try:
        return not any(is_volume(source) for source in collect(inputs))
    except DataError:
        return False


def _place(source: str) -> Path:
    """Where an image stands, its own links not followed, since results take the names that were given."""
    return Path(os.path.abspath("/stdin" if source == "-" else source))  # noqa: PTH100 (it would follow links)


def _refuse_overwrite(targets: Iterable[Path], sources: Iterable[str]) -> None:
    from onenet.errors import ConfigError

    photos = {_identity(source) for source in sources if source != "-"} - {None}
    for target in targets:
        if _identity(target) in photos:
            raise ConfigError(f"{target}: a result would overwrite this photo; choose another --out")
        if target.parent.name == "masks" and target.exists() and (target.parent.parent / "images").is_dir():
            raise ConfigError(f"{target}: a result would overwrite this mask of a data set; choose another --out")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What `os.path.samefile` compares; None where there is no such file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def name_outputs(sources: list[str], kinds: list[str], layers: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """(source, stem of its results), so that no two results have one name.

    Equal stems keep as much of their folders as tells them apart, then the ending (x-jpg); what would still meet
    another's result gets a number.
    """
    from onenet.deploy.segmenter import result_paths

    paths = [_place(source) for source in sources]
    alike: dict[str, list[Path]] = {}
    for path in paths:
        alike.setdefault(path.stem, []).append(path)
    stems = {path: stem for group in alike.values() for path, stem in zip(group, told_apart(group), strict=True)}
    taken: set[str] = set()
    for source, path in zip(sources, paths, strict=True):
        for number in itertools.count(1):
            stem = stems[path] if number == 1 else stems[path].with_name(f"{stems[path].name}-{number}")
            names = {str(name).lower() for name in result_paths(f"{stem}.png", *kinds, layers=layers).values()}
            if taken.isdisjoint(names):
                break
        taken |= names
        yield source, stem
