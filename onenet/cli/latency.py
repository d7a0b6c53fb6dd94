"""`onenet bench latency`: how long models take, on this machine and against what it could do."""

import json as json_
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from onenet.cli.model_options import Classes, class_names


def latency(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Trained or exported files, folders of runs, or names of networks "
            "(onenet-ed-4,width=32: random weights).",
        ),
    ] = None,
    data: Annotated[str, typer.Option(help="FORMAT:PATH[,key=value...] or a recipe: also mean IoU.")] = "",
    split: Annotated[str, typer.Option(help="Of the data: train, val, test or all.")] = "test",
    runtime: Annotated[str, typer.Option(help="Any of torch,onnxruntime,openvino; left out, all.")] = "",
    size: Annotated[str, typer.Option(help="Height and width of the photos; several as 256,512.")] = "256",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; left out, all cores.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds, in each of which every row has a turn.")] = 10,
    seconds: Annotated[float, typer.Option(min=0, help="After these no further round begins, if 3 are done.")] = 120.0,
    classes: Classes = "",
    literal: Annotated[bool, typer.Option("--literal", help="The first row is the paper's formulation.")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Where the time goes, operator by operator.")] = False,
    fresh: Annotated[bool, typer.Option(help="Memory and first mask, in a process for each row.")] = True,
    grid: Annotated[
        bool, typer.Option("--grid", help="All forms of the networks named (or of four), with random weights.")
    ] = False,
    keep: Annotated[Path | None, typer.Option(help="With --grid: a folder for the files, used again if there.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Exit with 1 where a mean IoU is below.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Time models from photo to mask, in turns, in every runtime that runs them, with memory and the first mask.

    For example: onenet bench latency runs/demo runs/demo/model.int8.onnx --data folder:my-photos --literal
    """
    from dataclasses import replace

    from onenet.bench.latency import Wanted, measure_latency
    from onenet.errors import ConfigError

    if min_score is not None and not data:
        raise ConfigError("--min-score needs images with masks: name them with --data FORMAT:PATH")
    if not models and not grid:
        raise ConfigError("name a model: onenet bench latency MODEL..., or --grid for networks with random weights")
    wanted = Wanted(
        _sizes(size),
        _runtimes(runtime),
        threads,
        repeats,
        seconds,
        data,
        split,
        literal or grid,
        layers,
        fresh,
        classes=class_names(classes),
    )
    if not grid:
        found = measure_latency(models or [], wanted, _say)
        if any(row["weights"] == "random" and row["form"] != "literal" for row in found["rows"]):
            _say("networks by name are timed in torch alone; with --grid in every form, precision and runtime")
        _show(found, json, min_score)
        return
    if data:
        raise ConfigError("--grid times random weights, which have no score; leave --data out")
    from onenet.bench.forms import GRID, write_forms

    with tempfile.TemporaryDirectory() as folder:
        files = write_forms(models or GRID, keep or Path(folder), _say)
        _show(measure_latency([str(file) for file in files], replace(wanted, random=True), _say), json, min_score)


def _show(result: dict[str, Any], json: bool, min_score: float | None) -> None:
    print(json_.dumps(result, indent=2) if json else latency_markdown(result))
    if min_score is None:
        return
    from onenet.errors import ConfigError, FailedCheckError

    scored = [row for row in result["rows"] if row["mean_iou"] is not None]
    if not scored:
        raise ConfigError("--min-score: none of these models is trained, so none has a score")
    worst = min(scored, key=lambda row: row["mean_iou"])
    if not worst["mean_iou"] >= min_score:
        found = f"{worst['model']} in {worst['runtime']} has a mean IoU of {worst['mean_iou']:.4f}"
        raise FailedCheckError(f"{found}, below --min-score {min_score:g}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _sizes(text: str) -> tuple[int, ...]:
    from onenet.errors import ConfigError

    try:
        sizes = tuple(int(word) for word in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ConfigError(f"--size {text}: a height and width such as 256, or several as 256,512")
    return sizes


def _runtimes(text: str) -> tuple[str, ...]:
    from onenet.bench.candidates import KNOWN
    from onenet.errors import ConfigError, did_you_mean

    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in words:
        if word not in KNOWN:
            raise ConfigError(f"--runtime {word}: {did_you_mean(word, KNOWN)}")
    return words


def latency_markdown(result: Mapping[str, Any]) -> str:
    """What `onenet.bench.latency.measure_latency` found, as a Markdown table for each size."""
    lines: list[str] = []
    for size in result["sizes"]:
        rows = [row for row in result["rows"] if row["size"] == size]
        rates = [rate for rate in result["rates"] if rate["image_size"] == size]
        lines += [*_table(rows), "", *_caption(rows, rates, result), ""]
        for row in rows:
            lines += _layers(row)
    return "\n".join(lines).rstrip("\n")


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    columns = {
        "model": lambda row: Path(row["model"]).name or row["model"],
        "form": lambda row: row["form"],
        "precision": lambda row: row["precision"],
        "runtime": lambda row: row["runtime"],
        "MB": lambda row: f"{row['megabytes']:.2f}",
        "mean IoU": lambda row: "" if row["mean_iou"] is None else f"{row['mean_iou']:.4f}",
        "model, ms": lambda row: _ms(row["ms"]["median"]),
        "min to max": lambda row: f"{_ms(row['ms']['min'])} to {_ms(row['ms']['max'])}",
        "times as fast": lambda row: f"{row['times_as_fast']:.2f}",
        "photo to mask, ms": lambda row: _ms(row["photo_ms"]["median"]),
        "images/s": lambda row: f"{row['images_per_second']:.1f}",
        "peak, MB": lambda row: f"{row['peak_mb']:.0f}" if "peak_mb" in row else "",
        "first mask, s": lambda row: f"{row['first_mask_seconds']:.2f}" if "first_mask_seconds" in row else "",
        "G/s": lambda row: "" if row["gops_per_second"] is None else f"{row['gops_per_second']:.0f}",
        "of the rate": lambda row: _percent(row["share_of_rate"]),
        "of its own": lambda row: _percent(row["share_of_own_rate"]),
    }
    if all(row["mean_iou"] is None for row in rows):
        del columns["mean IoU"]
    yield f"| {' | '.join(columns)} |"
    yield "|---|---|---|---|" + "---:|" * (len(columns) - 4)
    for row in rows:
        yield f"| {' | '.join(cell(row) for cell in columns.values())} |"


def _caption(rows: list[dict[str, Any]], rates: list[dict[str, Any]], result: Mapping[str, Any]) -> Iterator[str]:
    size, first = rows[0]["size"], rows[0]
    yield (
        f"Photos of {size}x{size}, {result['threads']} threads, medians of {first['rounds']} rounds in turns, load "
        f"{result['load_before']} before and {result['load_after']} after; times as fast as the first row, model only."
    )
    if any(row["weights"] == "random" for row in rows):
        yield "Weights are random" + (" where there is no mean IoU." if result["data"] else ".")
    if result["data"]:
        yield f"Mean IoU on the {result['split']} images of {result['data']}."
    if rates:
        shape = "x".join(map(str, rates[0]["shape"]))
        found = ", ".join(f"{rate['runtime']} {rate['precision']} {rate['gops']:.0f}" for rate in rates)
        yield f"The rate: matrix products of {shape} in the same rounds, G operations/s: {found}."
        yield (
            "Its own: products of the network's own shapes, at most 4096 rows at a time, each in the runtime that is "
            "best for it; measured after the rounds, so that on a busy machine a network can pass 100 %."
        )


def _layers(row: Mapping[str, Any]) -> Iterator[str]:
    layers = row.get("layers")
    if not layers:
        return
    photo = f"{row['size']}x{row['size']}"
    yield f"{Path(row['model']).name} in {row['runtime']}, {photo}: {layers['of']}, {layers['ms']:.2f} ms"
    yield ""
    yield "| operator | how many | ms | share |"
    yield "|---|---:|---:|---:|"
    for one in layers["operators"]:
        yield f"| {one['kind']} | {one['count']} | {one['ms']:.2f} | {_percent(one['share'])} |"
    yield ""
    yield "| slowest | operator | ms | share |"
    yield "|---|---|---:|---:|"
    for one in layers["nodes"]:
        yield f"| {one['name']} | {one['kind']} | {one['ms']:.2f} | {_percent(one['share'])} |"
    yield ""


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
