"""`onenet bench memory`: how much memory a mask takes, whatever the image's size."""

import json as json_
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from onenet.cli.model_options import Classes, Runtime, class_names


def memory(
    model: Annotated[str, typer.Argument(help="A trained or exported file, or the folder of a run.")],
    sizes: Annotated[str, typer.Option(help="Of the images: 512,2048x4096.")] = "512,1024,2048,4096",
    tile: Annotated[
        int | None, typer.Option(min=1, help="Side of the tiles; left out, as onenet predict chooses.")
    ] = None,
    runtime: Runtime = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    classes: Classes = "",
    plot: Annotated[Path | None, typer.Option(help="Also draw it: an .svg file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Peak memory of onenet predict against the size of the image: whole (up to 2048x2048), and in tiles.

    For example: onenet bench memory runs/demo/model.onnx --sizes 1024,4096,16384 --plot memory.svg
    """
    from onenet.bench.memory import measure_memory, memory_markdown, parse_sizes
    from onenet.errors import ConfigError
    from onenet.images import refuse_unwritable

    if plot is not None and plot.suffix.lower() != ".svg":
        raise ConfigError(f"--plot {plot}: is drawn as SVG; name an .svg file")
    if plot is not None:
        refuse_unwritable(plot.parent)
    options = ["--runtime", runtime, *(["--threads", str(threads)] if threads else [])]
    options += ["--classes", classes] if classes else []
    refuse_volumes(model, runtime, class_names(classes))
    rows = measure_memory(model, parse_sizes(sizes), options, tile, lambda line: print(line, file=sys.stderr))
    if plot is not None:
        from onenet.bench.memory_plot import draw_memory
        from onenet.images import atomic_write

        with atomic_write(plot) as file:
            file.write(draw_memory(rows, Path(model).name).encode())
    print(json_.dumps([row.to_dict() for row in rows], indent=2) if json else memory_markdown(model, rows))


def refuse_volumes(model: str, runtime: str, classes: Sequence[str]) -> None:
    """Stop at a model of volumes, whose slices are never large.

    Raises:
        ConfigError: it is one.
    """
    import onenet
    from onenet.errors import ConfigError

    if onenet.Segmenter(model, runtime, classes=classes).card.volume:
        raise ConfigError(
            f"{model}: was trained on volumes, which are segmented a slice at a time; this measures images"
        )
