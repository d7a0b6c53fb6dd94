"""`onenet export`: a trained model in, files for a device out, each proved equal to it."""

import json as json_
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from onenet.data import Dataset
    from onenet.export.exporting import Made, Wanted
    from onenet.models.network import Network

FORMATS = ("onnx", "int8", "openvino", "executorch", "coreml", "litert")
_ALIKE = 0.98  # share of pixels that an INT8 file gives like the float one before it is worth no word
_FEW = 20  # images whose score says little
# Formats that are folders, and the package of each.
_NEEDED = {"openvino": "openvino", "executorch": "executorch", "coreml": "coremltools", "litert": "ai_edge_litert"}


def export(
    model: Annotated[
        str, typer.Argument(help="A .safetensors file, the folder of a run, or a trained model by name (pet).")
    ],
    to: Annotated[str, typer.Option(help="Any of onnx,int8,openvino,executorch,coreml,litert.")] = "onnx",
    data: Annotated[
        str, typer.Option(help="FORMAT:PATH[,key=value...] or a recipe; left out, the data of the run.")
    ] = "",
    form: Annotated[str, typer.Option(help="auto, flat (matrix products), conv (norms folded), plain.")] = "auto",
    input: Annotated[str, typer.Option(help="image (b, c, h, w) in [0, 1], or bytes (b, h, w, c).")] = "image",
    output: Annotated[str, typer.Option(help="logits (b, k, h, w), or classes (b, h, w).")] = "logits",
    max_drop: Annotated[float, typer.Option(min=0, help="Points of mean IoU that INT8 may lose.")] = 0.5,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; left out, beside the model (of a named one: here).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Write files for a device: ONNX, INT8, OpenVINO, ExecuTorch, Core ML, LiteRT, each compared with the model before.

    For example: onenet export runs/demo --to onnx,int8
    """
    from onenet.export.exporting import Wanted

    formats = _formats(to)
    wanted = Wanted("onnx" in formats or "int8" not in formats, "int8" in formats, form, input, output, max_drop)
    files = write_files(model, formats, wanted, data, out, lambda line: print(line, file=sys.stderr, flush=True))
    rows = [describe(*file) for file in files]
    if json:
        print(json_.dumps({"model": model, "files": rows}, indent=2))
        return
    print(to_markdown(rows))
    for path, made in files:
        for remark in remarks(made, path.name):
            print(remark)
    runs = [path for path, _ in files if path.suffix != ".mlpackage"]
    if runs:
        best = min(runs, key=lambda path: (path.suffix != ".onnx", ".int8" not in path.name))
        what = "VOLUME.nii.gz" if of_volumes(model) else "photo.jpg"
        print(f"\nnext    onenet predict {shlex.quote(str(best))} {what}", file=sys.stderr)


def of_volumes(model: str) -> bool:
    """Whether a model was trained on volumes."""
    import onenet

    card = onenet.load(model).card
    return card is not None and bool(card.volume)


def _formats(to: str) -> list[str]:
    from onenet.errors import ConfigError, did_you_mean

    formats = [word.strip() for word in to.split(",") if word.strip()]
    for word in formats:
        if word not in FORMATS:
            raise ConfigError(f"--to {word}: {did_you_mean(word, FORMATS)}")
    if not formats:
        raise ConfigError(f"--to is empty: choose from {', '.join(FORMATS)}")
    return formats


def write_files(
    model: str,
    formats: list[str],
    wanted: "Wanted",
    data: str = "",
    out: Path | None = None,
    say: "Callable[[str], None]" = lambda line: None,
) -> list[tuple[Path, "Made"]]:
    """Make, check and write the files of a model; each with the graph that it holds."""
    import onenet
    from onenet.deploy.runtime import need
    from onenet.export.coreml import make_package
    from onenet.export.exporting import make_graphs, model_file
    from onenet.export.files import write_folders, write_onnx, write_openvino
    from onenet.export.litert import make_litert
    from onenet.export.programs import make_programs
    from onenet.export.trial import trial_images
    from onenet.images import refuse_unwritable

    for kind in (kind for kind in formats if kind in _NEEDED):
        need(_NEEDED[kind])  # before anything is written
        if kind != "openvino":
            _refuse_variants(kind, wanted)
        if kind == "litert":
            _need_converter()
    folder, name = model_file(model)
    folder = out or folder
    refuse_unwritable(folder)
    network = onenet.load(model)
    assert network.card is not None
    dataset = _dataset(model, data, network, needed=wanted.int8)
    graphs = make_graphs(network, wanted, dataset, say)
    made = make_programs(network, graphs, dataset, wanted.max_drop, say) if "executorch" in formats else []
    if "coreml" in formats:
        made.append(make_package(network, graphs[0], dataset, say))
    if "litert" in formats:
        made.append(make_litert(network, graphs[0], dataset, say))
    files: list[tuple[Path, Made]] = []
    if not set(formats) <= set(_NEEDED):
        files += zip(write_onnx(graphs, folder, name), graphs, strict=True)
    if "openvino" in formats:
        trial = trial_images(network.card, dataset)
        trial = trial.of_bytes() if wanted.input == "bytes" else trial
        files += write_openvino(graphs, folder, name, network, trial.images, dataset, wanted.max_drop)
    return files + write_folders(made, folder, name)


def _need_converter() -> None:
    from onenet.deploy.runtime import installed
    from onenet.errors import OneNetError

    if not installed("litert_torch"):  # no extra: it wants other versions of packages that the rest of us use
        raise OneNetError("writing LiteRT models needs litert-torch, which is not installed: make an environment of "
                          "its own for it, with: pip install 'onenet-seg[export,litert]' litert-torch")  # fmt: skip


def _refuse_variants(kind: str, wanted: "Wanted") -> None:
    from onenet.errors import ExportError

    for option, value, other in (
        ("input", wanted.input, "bytes"), ("output", wanted.output, "classes"), ("form", wanted.form, "plain"),
    ):  # fmt: skip
        if value == other:
            raise ExportError(f"--to {kind} cannot be had with --{option} {other}; leave it out")


def _dataset(model: str, data: str, network: "Network", needed: bool) -> "Dataset | None":
    """The data named, else those of the run that the model is from, as far as they are there."""
    from onenet.errors import OneNetError
    from onenet.scoring import config_of_run, open_data, open_spec

    assert network.card is not None
    if data:
        return open_spec(network.card, data)[0]
    if config_of_run(model) is None:
        return None
    try:
        return open_data(network.card, model, "")[0]
    except OneNetError:
        if needed:
            raise
        return None  # the images of the run are not here: packaged ones do


def describe(path: Path, made: "Made") -> dict[str, Any]:
    """A file as a row: what it is, how large, how it compares."""
    files = path.rglob("*") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    parity = made.parity
    return {
        "file": path.name,
        "form": made.description.form,
        "input": made.description.input,
        "output": made.description.output,
        "precision": made.description.precision,
        "megabytes": round(size / 1e6, 3),
        "largest_difference": None if math.isnan(parity.largest) else parity.largest,
        "mean_difference": None if math.isnan(parity.mean) else parity.mean,
        "equal_pixels": parity.equal,
        "close_pixels": parity.close,
        "images": parity.images,
        "compared_on": made.compared_on,
        "mean_iou": made.score,
        "mean_iou_before": made.score_before,
        "scored_on": made.scored_on,
        "images_scored": made.images_scored,
        "kept_float": list(made.description.kept_float),
        "float_islands": list(made.islands),
        "times_as_fast_as_float": made.speed,
    }


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    head = ("file", "form", "MB", "largest difference", "equal pixels", "mean IoU before", "after", "speed")
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * 6]
    for row in rows:
        before, after = (f"{row[key]:.4f}" if row[key] is not None else "" for key in ("mean_iou_before", "mean_iou"))
        largest = "" if row["largest_difference"] is None else f"{row['largest_difference']:.1e}"
        speed = f"{row['times_as_fast_as_float']:.1f}x" if row["times_as_fast_as_float"] else ""
        cells = (
            row["file"], row["form"], f"{row['megabytes']:.2f}", largest,
            f"{100 * row['equal_pixels']:.3f} %", before, after, speed,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    first = rows[0]
    lines += ["", f"compared on {first['images']} images: {first['compared_on']}"]
    if first["scored_on"]:
        lines.append(f"mean IoU over all classes on {first['images_scored']} {first['scored_on']} images")
    return "\n".join(lines)


def remarks(made: "Made", file: str) -> list[str]:
    """What should be known of a graph beyond its numbers."""
    said = []
    if made.description.kept_float:
        said.append(f"{file}: left in float, so that the score holds: {', '.join(made.description.kept_float)}")
    if made.description.precision == "int8" and made.parity.equal < _ALIKE:
        said.append(f"{file}: another class than in float on {100 * (1 - made.parity.equal):.1f} % of the pixels")
    if made.score is not None and made.images_scored < _FEW:
        said.append(f"{file}: scored on {made.images_scored} images only, which says little")
    if file.endswith(".mlpackage"):
        said.append(f"{file}: Core ML runs on Apple's machines only; compared was its program, computed here in torch")
    if made.speed is not None and made.speed < 1.05:
        said.append(f"{file}: not faster here than float ({made.speed:.2f}x); it is smaller")
    return said
