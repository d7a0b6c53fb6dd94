"""`onenet predict`: photos in, masks out."""

import glob
import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onenet.deploy.segmenter import Segmenter


def predict(
    model: Annotated[str, typer.Argument(help="A .safetensors file, or the folder of a run.")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Files, folders, globs, or - for standard input.")
    ],
    out: Annotated[
        str, typer.Option(help="Folder for the results; - writes one mask to standard output.")
    ] = "predictions",
    save: Annotated[str, typer.Option(help="Any of mask,overlay,cutout,probability.")] = "mask,overlay",
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
) -> None:
    """Draw masks: STEM.png (class indices, shown in colours), STEM.overlay.png and so on, at the photo's own size.

    For example: onenet predict runs/demo photo.jpg holiday/ --save mask,cutout
    """
    import onenet
    from onenet.cli import fail
    from onenet.deploy.segmenter import KINDS
    from onenet.errors import ConfigError, DataError, did_you_mean

    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"--save {kind!r}: {did_you_mean(kind, KINDS)}")
    jobs = list(name_outputs(collect(inputs), kinds))
    if out != "-":
        _refuse_overwrite(jobs, Path(out), kinds)
    segmenter = onenet.Segmenter(model, threads=threads)
    if out == "-":
        _to_standard_output(segmenter, jobs)
        return
    bad = 0
    for source, stem in jobs:
        try:
            result = segmenter(sys.stdin.buffer.read() if source == "-" else source)
        except DataError as error:  # a bad photo must not stop the others; a full disk must
            fail(str(error))
            bad += 1
            continue
        written = result.save(Path(out) / f"{stem}.png", *kinds)
        print(f"{source}  ->  {', '.join(map(str, written))}")
    if bad:
        if len(jobs) > 1:
            rest = f"; the others are in {out}" if bad < len(jobs) else ""
            fail(f"{bad} of {len(jobs)} inputs could not be read{rest}")
        raise typer.Exit(2)


def _to_standard_output(segmenter: "Segmenter", jobs: list[tuple[str, Path]]) -> None:
    from onenet.errors import ConfigError
    from onenet.images import mask_image

    if len(jobs) != 1:
        raise ConfigError(f"--out - writes one mask, but there are {len(jobs)} inputs; give a folder")
    source = jobs[0][0]
    result = segmenter(sys.stdin.buffer.read() if source == "-" else source)
    buffer = io.BytesIO()
    mask_image(result.mask, segmenter.card.colours).save(buffer, "PNG")
    sys.stdout.buffer.write(buffer.getvalue())


def collect(inputs: list[str]) -> list[tuple[str, Path]]:
    """(source, its path below the input that it came from) of every image that the inputs name."""
    from onenet.errors import DataError
    from onenet.images import SUFFIXES

    found: list[tuple[str, Path]] = []
    for given in inputs:
        path = Path(given)
        if given == "-":
            found.append(("-", Path("stdin")))
        elif path.is_dir():
            files = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
            if not files:
                raise DataError(f"{path}: holds no images ({', '.join(SUFFIXES[:4])}, ...)")
            found += [(str(p), p.relative_to(path)) for p in files]
        elif path.exists() or not glob.has_magic(given):
            found.append((given, _below(path)))
        else:
            matches = sorted(glob.glob(given, recursive=True))
            if not matches:
                raise DataError(f"{given}: no file matches")
            found += [(match, _below(Path(match))) for match in matches if Path(match).is_file()]
    if not found:
        raise DataError("no images to segment")
    return list({source: (source, relative) for source, relative in found}.values())


def _below(path: Path) -> Path:
    """A file's name below the name of its folder."""
    return Path(path.absolute().resolve().parent.name) / path.name


def _targets(stem: Path, kinds: list[str]) -> list[str]:
    return [f"{stem}.png" if kind == "mask" else f"{stem}.{kind}.png" for kind in kinds or ["mask"]]


def _refuse_overwrite(jobs: list[tuple[str, Path]], out: Path, kinds: list[str]) -> None:
    from onenet.errors import ConfigError

    sources = {Path(source).resolve(): source for source, _ in jobs if source != "-"}
    for _, stem in jobs:
        for target in _targets(stem, kinds):
            if (out / target).resolve() in sources:
                raise ConfigError(f"{out / target}: a result would overwrite this photo; choose another --out")


def name_outputs(jobs: list[tuple[str, Path]], kinds: list[str]) -> Iterator[tuple[str, Path]]:
    """(source, stem of its results): the bare stem; equal ones keep sub-folder, then ending, then get a number."""
    for forms in (
        lambda path: Path(path.stem),
        lambda path: path.with_suffix(""),
        lambda path: path.with_name(path.name.replace(".", "-")),
    ):
        stems = [forms(path) for _, path in jobs]
        if max(Counter(target for stem in stems for target in _targets(stem, kinds)).values()) == 1:
            break
    seen: Counter[Path] = Counter()
    for (source, _), stem in zip(jobs, stems, strict=True):
        seen[stem] += 1
        yield source, stem if seen[stem] == 1 else stem.with_name(f"{stem.name}-{seen[stem]}")
