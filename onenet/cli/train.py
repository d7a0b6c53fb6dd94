"""`onenet train`: a recipe and data in, a folder with a trained model out."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from onenet.config import Config
    from onenet.training.run import Epoch, Run

LINES = 10  # at least, over a run in whose epochs nothing is validated


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
    with first_process_speaks():
        config = read_resumed(words or [], data, out) if resume else read_config(words or [], data)
        if show:
            print(config.to_toml(), end="")
            return
        from onenet.config import VOLUMES
        from onenet.data.prepared import cache_folder
        from onenet.training.folder import RunFolder, next_folder
        from onenet.training.run import Run

        if config.data.format in VOLUMES and not _is_another():
            print(f"note: slices of volumes are made once and kept in {cache_folder()}", flush=True)
        run = Run(config, RunFolder(out or next_folder(config.name)), resume=resume)
        train_with_progress(run)
        if run.is_first:
            print_scores(run)


@contextmanager
def first_process_speaks() -> Iterator[None]:
    """With several processes, let the others end silently where they only repeat what the first one says.

    Raises:
        SystemExit: in another process than the first, instead of an error.
    """
    from onenet.errors import OneNetError

    try:
        yield
    except (OneNetError, KeyboardInterrupt) as error:
        if not _is_another():
            raise
        from onenet.training.distributed import LostProcessError
        from onenet.training.memory import TooLittleMemoryError

        if isinstance(error, TooLittleMemoryError):  # of this process alone
            raise
        raise SystemExit(2 if isinstance(error, LostProcessError) else 0) from None


def _is_another() -> bool:
    """Whether torchrun, Slurm or the first process has started this one as another than the first."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return int(next((os.environ[name] for name in names if os.environ.get(name)), "0")) > 0


def read_resumed(words: list[str], data: str, out: Path | None) -> "Config":
    """What the run in `out` was told to do; a resumed run is as it was begun."""
    from onenet.errors import ConfigError
    from onenet.training.folder import RunFolder

    if out is None or words or data:
        raise ConfigError(
            "--resume continues a run as it was begun: give its folder with --out, and nothing else "
            "(train.workers, train.device and the like may be changed in its config.toml)"
        )
    return RunFolder(out).config()


def read_config(words: list[str], data: str) -> "Config":
    """What the words of the command line ask for."""
    from onenet.config import FORMATS, load_config
    from onenet.errors import ConfigError

    recipes = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    data_words = [word for word in recipes if word.partition(":")[0] in FORMATS and ":" in word]
    if data_words:
        raise ConfigError(f"{data_words[0]}: data follow --data: --data {data_words[0]}")
    if len(recipes) > 1:
        raise ConfigError(f"one recipe at a time, not {' and '.join(recipes)}; changes are written key=value, without "
                          "blanks; where quotes or brackets are in them, all in '...'")  # fmt: skip
    return load_config(recipes[0] if recipes else "default", overrides, data)


def train_with_progress(run: "Run") -> None:
    """Train what is left of a run under a live progress bar, or with a line now and then where there is no terminal."""
    if not run.is_first:
        for _ in run.epochs():
            pass
        return
    from onenet.training.results import iou_as_it_came

    print_beginning(run)
    before = iou_as_it_came(run)
    if before is not None:
        print(f"as it came: val IoU {before:.3f}", flush=True)
    with _progress(run) as show:
        for epoch in run.epochs(show.step):
            show.epoch(epoch)
    print_end(run)
    known, best = run.best
    if before is not None and known == 1 and best <= before:
        print(f"note: no epoch had a higher IoU on the validation images ({best:.3f}) than the model as it came "
              f"({before:.3f})", flush=True)  # fmt: skip


def print_beginning(run: "Run") -> None:
    """What is trained on what, and what should be known of it."""
    from onenet.training.results import describe_classes, describe_skipped

    train = run.config.train
    for note in (*run.dataset.notes, *run.batches.notes):
        print(f"note: {note}")
    if line := _for_few(run):
        print(f"note: {line}")
    if run.started_from:
        print(f"note: {run.started_from}")
    if run.kept:
        print(f"note: {run.kept}")
    if run.class_pixels is not None:
        print(f"note: {describe_classes(run)}")
    if run.skipped:
        print(f"note: left out: {describe_skipped(run)}")
    if min(run.config.data.size) < run.network.stride:
        print(f"note: data.size={list(run.config.data.size)} is below the network's stride of {run.network.stride}: "
              "images are mirrored up to it; a few strides are a size to learn from")  # fmt: skip
    if train.overfit:
        print(f"note: train.overfit={train.overfit}: trains and validates on the same images, unvaried")
    if run.finished_epochs == train.epochs:
        print(f"note: all {train.epochs} epochs are done already")
    elif run.stopped_early:
        print(f"note: the run stopped early after epoch {run.finished_epochs} (train.patience={train.patience})")
    print(describe(run), flush=True)


def _for_few(run: "Run") -> str:
    """A pointer to the recipe for few images, where they are few and a run with no recipe begins."""
    from onenet.config import VOLUMES, spec_of
    from onenet.data.findings import FEW

    config = run.config
    if config.name != "default" or config.data.format in VOLUMES or config.train.overfit or run.finished_epochs:
        return ""
    count = len({item.image for items in run.dataset.items.values() for item in items})  # val may be in train, too
    if not FEW[0] <= count <= FEW[1]:
        return ""
    return f"the recipe few is for up to {FEW[1]} images: onenet train few --data {shlex.quote(spec_of(config.data))}"


def describe(run: "Run") -> str:
    """One line: what is trained on what, where."""
    from onenet.checkpoint import parameter_count
    from onenet.training.results import image_counts

    millions = parameter_count(run.network) / 1e6
    device = f"{run.device.type}, {run.precision}"
    processes = run.fabric.world_size
    device += f", {processes} processes" if processes > 1 else ""
    data = f"{run.dataset.name} ({image_counts(run)})"
    return f"{run.config.model['name']} ({millions:.2f} M parameters) on {data}; {device}"


def print_end(run: "Run") -> None:
    """How the training ended, and where its time went."""
    from onenet.training.results import describe_skipped, describe_time

    train = run.config.train
    if run.stopped_early and run.finished_epochs < train.epochs:
        print(f"stopped early after epoch {run.finished_epochs}: {train.patience} validations without a better score")
    if run.skipped:
        print(f"left out {describe_skipped(run)}")
    if run.rows:
        print(f"time    {describe_time(run)}", flush=True)


class _Live:
    """A progress bar over all steps."""

    def __init__(self, run: "Run", progress: "Progress", task: "TaskID") -> None:
        self.run, self.progress, self.task = run, progress, task
        self.score = ""
        self.warned = False

    def step(self, epoch: int, step: int, loss: float) -> None:
        label = f"epoch {epoch}/{self.run.config.train.epochs}  loss {loss:.3f}  {self.score}"
        self.progress.update(self.task, completed=step, description=label)

    def epoch(self, epoch: "Epoch") -> None:
        if epoch.report:
            known, best = self.run.best
            self.score = f"val IoU {epoch.report.foreground_iou:.3f}" + (f" (best {best:.3f})" if known == 1 else "")
            if epoch.warning and not self.warned:
                self.progress.console.print(_warning(epoch), markup=False, highlight=False, soft_wrap=True)
            self.warned = epoch.warning is not None


class _Lines:
    """A line per validated epoch, for logs, and some where nothing is validated for long."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.warned = False

    def step(self, epoch: int, step: int, loss: float) -> None:
        pass

    def epoch(self, epoch: "Epoch") -> None:
        epochs, number = self.run.config.train.epochs, epoch.trained.number
        line = f"epoch {number}/{epochs}  loss {epoch.trained.loss:.3f}"
        if epoch.report:
            best = "  best so far" if epoch.is_best else ""
            print(f"{line}  val IoU {epoch.report.foreground_iou:.3f}{best}", flush=True)
            if epoch.warning and not self.warned:
                print(_warning(epoch), flush=True)
            self.warned = epoch.warning is not None
        elif number % max(1, epochs // LINES) == 0:
            print(line, flush=True)


def _warning(epoch: "Epoch") -> str:
    return f"warning: after epoch {epoch.trained.number} {epoch.warning}"


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


def print_scores(run: "Run") -> None:
    """Score the best weights on the validation images, write the report, and say what can be done next."""
    from onenet.metrics.hints import hints
    from onenet.training.results import write_results

    evaluation, page = write_results(run)
    print(f"\n{evaluation.to_markdown()}\n")
    for hint in hints(evaluation.report):
        print(f"hint: {hint}")
    print(f"model   {run.folder.model}\nreport  {page}")
    example = "VOLUME.nii.gz" if evaluation.cases is not None else "PHOTO.jpg"
    print(f"next    onenet predict {shlex.quote(str(run.folder.model))} {example}")
    if run.dataset.items.get("test") and not run.config.train.overfit:
        print(f"        onenet evaluate {shlex.quote(str(run.folder.path))}   (on the test split)")
