"""`onenet data`: look at images and masks before anything is trained on them."""

import json as json_
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check and show images and masks.", no_args_is_help=True, rich_markup_mode=None)

Spec = Annotated[str, typer.Argument(help="FORMAT:PATH[,key=value...] or a recipe.")]


@app.command("check")
def check(
    spec: Spec,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Read every image and mask, and say what there is and what to mend. Exit code 0: ready, 1: something to mend.

    For example: onenet data check folder:my-photos

    JSON: ready; name, format, root; splits (pairs in each); sizes (smallest, median, largest as [height, width]);
    channels, bits, masks (how many files have which); value_range (of deep images); classes (name, pixels, share and
    train_share of all pixels, images, images_per_split); not_counted (share); notes; warnings and problems (each with
    kind, text, file, setting). Of volumes, splits and images count cases and pixels voxels; unit says so, and grids has
    sizes, spacing and channels.
    """
    from onenet.config import parse_spec
    from onenet.data.check import check_data

    config = parse_spec(spec)
    with _progress() as progress:
        report = check_data(config, progress)
    print(json_.dumps(report.to_dict(), indent=2) if json else report.to_text(spec))
    if not report.ready:
        raise typer.Exit(1)


@app.command("show")
def show(
    spec: Spec,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] [KEY=VALUE]...", help="How samples are made, as for onenet train."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("data-sheet.png"),
    count: Annotated[int, typer.Option(min=1, max=400, help="Samples.")] = 16,
    split: Annotated[str, typer.Option(help="train, val, test or all; only train is varied.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn by chance.")] = 0,
) -> None:
    """Draw samples as training sees them: the image, and beside it the image with its mask.

    For example: onenet data show folder:my-photos augment.rotate=20 --out sheet.png
    """
    from onenet.cli.train import read_config
    from onenet.config import recipe_names
    from onenet.data import open_dataset
    from onenet.data.sheet import contact_sheet
    from onenet.errors import ConfigError
    from onenet.images import write_image

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"--out {out}: is to be a picture; end its name in .png or .jpg")
    words = words or []
    is_recipe = spec in recipe_names() or spec.endswith(".toml")
    if is_recipe and all("=" in word for word in words):
        words = [spec, *words]
    config = read_config(words, spec)
    dataset = open_dataset(config.data)
    for note in dataset.notes:
        print(f"note: {note}")
    write_image(out, contact_sheet(dataset, config, split, count, seed))
    print(out)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
