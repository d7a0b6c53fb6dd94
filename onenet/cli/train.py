"""`onenet train`: a recipe and data in, a folder with a trained model out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from onenet.config import Config
    from onenet.training.folder import RunFolder
    from onenet.training.run import Epoch, Run


def train(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] [KEY=VALUE]...", help="A shipped recipe or a .toml file, then changes to it."),
    ] = None,
    data: Annotated[str, typer.Option(help="FORMAT:PATH[,key=value...], over the recipe's data.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the run; left out, runs/RECIPE-N.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out after an interruption.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print every key with its value and stop.")] = False,
) -> None:
    """Train a network.

    For example: onenet train --data folder:my-photos train.epochs=50
    """
    config = read_resumed(words or [], data, out) if resume else read_config(words or [], data)
    if show:
        print(config.to_toml(), end="")
        return
    from onenet.training.folder import RunFolder, next_folder
    from onenet.training.run import Run

    folder = RunFolder(out or next_folder(config.name))
    run = Run(config, folder, resume=resume)
    if run.finished_epochs == config.train.epochs:
        print(f"note: all {config.train.epochs} epochs are done already")
    train_with_progress(run)
    print_scores(run, folder)


def read_resumed(words: list[str], data: str, out: Path | None) -> "Config":
    """What the run in `out` was told to do; a resumed run is as it was begun."""
    from onenet.errors import ConfigError
    from onenet.training.folder import RunFolder

    if out is None or words or data:
        raise ConfigError("--resume continues a run as it was begun: give its folder with --out, and nothing else")
    return RunFolder(out).config()


def read_config(words: list[str], data: str) -> "Config":
    """What the words of the command line ask for."""
    from onenet.config import load_config
    from onenet.errors import ConfigError

    recipes = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    if len(recipes) > 1:
        raise ConfigError(f"one recipe at a time, not {' and '.join(recipes)}; changes are written key=value")
    return load_config(recipes[0] if recipes else "default", overrides, data)


def train_with_progress(run: "Run") -> None:
    """Train what is left of a run under a live progress bar, or with a line per epoch where there is no terminal."""
    for note in run.dataset.notes:
        print(f"note: {note}")
    print(describe(run), flush=True)
    with _progress(run) as show:
        for epoch in run.epochs(show.step):
            show.epoch(epoch)


def describe(run: "Run") -> str:
    """One line: what is trained on what, where."""
    from onenet.checkpoint import parameter_count

    counts = ", ".join(f"{len(items)} {split}" for split, items in run.dataset.items.items() if items)
    millions = parameter_count(run.network) / 1e6
    device = f"{run.fabric.device.type}, {run.precision}"
    return f"{run.config.model['name']} ({millions:.2f} M parameters) on {run.dataset.name} ({counts}); {device}"


class _Live:
    """A progress bar over all steps."""

    def __init__(self, run: "Run", progress: "Progress", task: "TaskID") -> None:
        self.run, self.progress, self.task = run, progress, task
        self.score = ""

    def step(self, epoch: int, step: int, loss: float) -> None:
        label = f"epoch {epoch}/{self.run.config.train.epochs}  loss {loss:.3f}  {self.score}"
        self.progress.update(self.task, completed=step, description=label)

    def epoch(self, epoch: "Epoch") -> None:
        if epoch.report:
            known, best = self.run.best
            self.score = f"val IoU {epoch.report.foreground_iou:.3f}" + (f" (best {best:.3f})" if known == 1 else "")


class _Lines:
    """A line per validated epoch, for logs."""

    def __init__(self, run: "Run") -> None:
        self.run = run

    def step(self, epoch: int, step: int, loss: float) -> None:
        pass

    def epoch(self, epoch: "Epoch") -> None:
        if epoch.report:
            done = f"epoch {epoch.trained.number}/{self.run.config.train.epochs}"
            best = "  best so far" if epoch.is_best else ""
            print(f"{done}  loss {epoch.trained.loss:.3f}  val IoU {epoch.report.foreground_iou:.3f}{best}", flush=True)


@contextmanager
def _progress(run: "Run") -> Iterator["_Live | _Lines"]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console()
    if not console.is_terminal:
        yield _Lines(run)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        done = len(run.batches) * run.finished_epochs
        yield _Live(run, progress, progress.add_task("starting", total=run.steps, completed=done))


def print_scores(run: "Run", folder: "RunFolder") -> None:
    """Score the best weights on the validation images, write the report, and say what can be done next."""
    from onenet.scoring import evaluate, write_report

    evaluation = evaluate(folder.model, run.config.data, "val")
    page = write_report(evaluation, folder.path, folder.read_log(), facts(run))
    print(f"\n{evaluation.report.to_markdown()}\n")
    print(f"model   {folder.model}\nreport  {page}")
    print(f"next    onenet predict {folder.model} PHOTO.jpg")


def facts(run: "Run") -> dict[str, str]:
    """Lines for the page about how the model came to be."""
    from onenet.checkpoint import parameter_count

    seconds = sum(row["seconds"] for row in run.rows)
    counts = ", ".join(f"{len(items)} {split}" for split, items in run.dataset.items.items() if items)
    return {
        "network": f"{run.config.model['name']}, {parameter_count(run.network) / 1e6:.2f} million parameters",
        "images": counts,
        "training": f"{run.finished_epochs} epochs in {seconds / 60:.1f} minutes on "
        f"{run.fabric.device.type} ({run.precision})",
        "recipe": run.config.name,
    }
