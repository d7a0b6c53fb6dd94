"""`onenet bench rewrites`: what each exact rewrite is worth."""

import json as json_
import statistics
from typing import Annotated, Any

import typer


def rewrites(
    models: Annotated[list[str] | None, typer.Argument(help="Names of architectures, NAME or NAME,key=value.")] = None,
    width: Annotated[int, typer.Option(min=1, help="Channels of the stem, where the name has no width.")] = 64,
    size: Annotated[int, typer.Option(min=32, help="Height and width; a multiple of 32.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Timed rounds.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Time exported networks with each exact rewrite left out, per runtime, in float and INT8 (random weights)."""
    from onenet.bench.rewrites import measure_rewrites
    from onenet.errors import ConfigError

    if size % 32:
        raise ConfigError(f"--size {size}: must be a multiple of 32; use {size // 32 * 32 + 32}")
    chosen = models or ["onenet-ed-4", "onenet-e-4", "unet-4", "mobilenet-unet-4", "onenet-x-s,width=96"]
    results = [measure_rewrites(model, width, size, repeats, threads) for model in chosen]
    print(json_.dumps(results, indent=1) if json else rewrites_markdown(results))


def rewrites_markdown(results: list[dict[str, Any]]) -> str:
    """What `onenet.bench.rewrites.measure_rewrites` found, a row for each form."""
    columns = list(dict.fromkeys((row["runtime"], row["precision"]) for one in results for row in one["rows"]))
    head = ["model", "form", *(f"{runtime} {precision}" for runtime, precision in columns)]
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * len(columns)]
    for one in results:
        cells: dict[str, dict[tuple[str, str], float]] = {}
        for row in one["rows"]:
            cells.setdefault(row["form"], {})[row["runtime"], row["precision"]] = statistics.median(row["ms"])
        for form, times in cells.items():
            shown = [f"{times[column]:.1f}" if column in times else "-" for column in columns]
            lines.append(f"| {one['model']} | {form} | {' | '.join(shown)} |")
    first = results[0]
    about = (
        f"Milliseconds, medians of {first['repeats']} rounds in turns; width {first['width']} where none is named, "
        f"{first['size']}x{first['size']}, {first['threads']} threads, random weights"
    )
    return "\n".join([*lines, "", about])
