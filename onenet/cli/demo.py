"""`onenet demo`: from nothing to masks on a screen, in minutes, on any machine."""

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onenet.training.run import Run


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run; its earlier files are replaced.")] = Path("runs/demo"),
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON instead of a table.")] = False,
) -> None:
    """Train on packaged microscope images, score on images that were not trained on, show the masks, export."""
    from onenet.cli.train import first_process_speaks, train_with_progress
    from onenet.config import load_config
    from onenet.scoring import evaluate, write_report
    from onenet.training.folder import RunFolder
    from onenet.training.results import facts
    from onenet.training.run import Run

    config = load_config("demo", changes or [])
    folder = RunFolder(out)
    had_run = folder.model.exists()
    with first_process_speaks():
        run = Run(config, folder, replace=True)
        if had_run:
            print(f"note: the run in {out} is replaced, with its exports and masks", file=sys.stderr)
        clear_masks(run)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            train_with_progress(run)
    if not run.is_first:
        return
    evaluation = evaluate(folder.model, config.data, "test")
    page = write_report(evaluation, folder.path, folder.read_log(), facts(run))
    for item in run.dataset.split("test"):
        evaluation.segmenter(item.image).save(folder.path / "masks" / f"{item.name}.png", "mask", "overlay")
    if json:
        print(evaluation.report.to_json())
        return
    print(f"\n{evaluation.report.to_markdown()}\n")
    export(folder.path)
    print(f"look    {page}  (open it in a browser)")
    print(f"masks   {folder.path / 'masks'}")
    print("next    your own photos: put them into photos/images and their masks into photos/masks, then")
    print("        onenet train --data folder:photos        trains on them")
    print("        onenet predict RUN-FOLDER new-photo.jpg  draws masks with the result")


def clear_masks(run: "Run") -> None:
    """Remove what an earlier demo drew, so that no masks of another model are left where this one is stopped."""
    from onenet.deploy.segmenter import KINDS, result_paths

    for item in run.dataset.split("test") if run.is_first else ():
        for file in result_paths(run.folder.path / "masks" / f"{item.name}.png", *KINDS).values():
            file.unlink(missing_ok=True)


def export(folder: Path) -> None:
    """Write the model for devices, in float and INT8, where the export extra is installed."""
    from importlib.util import find_spec

    if not (find_spec("onnx") and find_spec("onnxscript") and find_spec("onnxruntime")):
        print("export  pip install 'onenet-seg[export]' lets the demo write files for devices too")
        return
    from onenet.cli.export import write_files
    from onenet.export.exporting import Wanted

    files = write_files(str(folder), ["onnx", "int8"], Wanted(int8=True))
    weights = (folder / "model.safetensors").stat().st_size
    for path, made in files:
        size = f"{path.stat().st_size / weights:.2f} of the checkpoint's size"
        equal = f"{100 * made.parity.equal:.2f} % of its mask pixels equal"
        faster = f", {made.speed:.1f} times as fast as float" if made.speed else ""
        print(f"export  {path}  ({size}, {equal}{faster})")
