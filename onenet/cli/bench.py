"""`onenet bench`: what networks cost."""

import json as json_
from typing import Annotated, Any

import typer

from onenet.cli import latency, memory, rewrites

app = typer.Typer(help="Measure what networks cost.", no_args_is_help=True, rich_markup_mode=None)

app.command("latency")(latency.latency)
app.command("memory")(memory.memory)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("table2")
def table2(json: Json = False) -> None:
    """Table 2 of the paper, counted anew, beside what the paper prints (3x256x256, 4 classes)."""
    from onenet.bench.complexity import table2 as count

    rows = count()
    print(json_.dumps(rows, indent=2) if json else table2_markdown(rows))


def table2_markdown(rows: list[dict[str, Any]]) -> str:
    """Rows of `onenet.bench.complexity.table2` as a Markdown table; "ours / paper" where the paper has a figure."""
    head = (
        "row",
        "network here",
        "parameters, M",
        "of these never run",
        "MB (what runs)",
        "GFLOPs as the paper",
        "GFLOPs true",
        "memory, MB",
        "",
    )
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * 6 + "---|"]
    for row in rows:
        paper = row["paper"] or {}

        def beside(value: float, key: str, paper: dict[str, float] = paper) -> str:
            return f"{value:.2f} / {paper[key]:.2f}" if key in paper else f"{value:.2f}"

        unused = ", ".join(f"{count:,} {name}" for name, count in row["unused"].items())
        cells = (
            row["row"],
            ",".join([row["model"], *(f"{key}={value}" for key, value in row["sizes"].items())]),
            beside(row["parameters_as_paper"] / 1e6, "parameters_m"),
            unused,
            beside(row["mb"], "mb"),
            beside(row["gflops_as_paper"], "gflops"),
            f"{row['gflops_true']:.2f}",
            beside(row["memory_mb"], "memory_mb"),
            row["remark"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "ours / paper; FLOPs as the paper counts them: twice torchinfo's mult-adds"])


@app.command("train")
def train(
    batch: Annotated[int, typer.Option(min=1, help="Images per step.")] = 8,
    size: Annotated[int, typer.Option(min=16, help="Height and width; a multiple of 16.")] = 128,
    repeats: Annotated[int, typer.Option(min=1, help="Timed rounds, each of one step per form.")] = 7,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    json: Json = False,
) -> None:
    """Time a training step of onenet-ed-4 against the paper's formulation word for word (flattened, strided Conv1d)."""
    from onenet.bench.train_step import compare

    if size % 16:
        from onenet.errors import ConfigError

        raise ConfigError(f"--size {size}: the literal form takes multiples of 16 only; use {size // 16 * 16 + 16}")
    if batch * size // 16 == 1:
        from onenet.errors import ConfigError

        raise ConfigError("--batch 1 with --size 16 leaves batch norm one value; use a larger batch or size")
    result = compare(batch, size, repeats, threads)
    print(json_.dumps(result, indent=2) if json else train_markdown(result))


def train_markdown(result: dict[str, Any]) -> str:
    """What `onenet.bench.train_step.compare` found, as a Markdown table."""
    lines = ["| form | precision | ms, median | min to max | times as fast |", "|---|---|---:|---:|---:|"]
    for row in result["rows"]:
        spread = f"{row['min_ms']:.0f} to {row['max_ms']:.0f}"
        lines.append(
            f"| {row['form']} | {row['precision']} | {row['median_ms']:.0f} | {spread} | {row['speedup']:.2f} |"
        )
    shape = f"{result['batch']} x 3x{result['size']}x{result['size']}"
    return "\n".join([*lines, "", f"{shape}, {result['threads']} threads, {result['repeats']} interleaved rounds"])


@app.command("throughput")
def throughput(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] [KEY=VALUE]...", help="A recipe, then changes to it."),
    ] = None,
    data: Annotated[str, typer.Option(help="FORMAT:PATH[,key=value...], over the recipe's data.")] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Timed epochs of each way.")] = 3,
    json: Json = False,
) -> None:
    """Images per second that are read and trained on, with and without cache and worker processes."""
    from onenet.bench.throughput import measure_throughput
    from onenet.cli.train import read_config

    result = measure_throughput(read_config(words or [], data), rounds)
    print(json_.dumps(result, indent=2) if json else throughput_markdown(result))


def throughput_markdown(result: dict[str, Any]) -> str:
    """What `onenet.bench.throughput.measure_throughput` found, as a Markdown table."""
    head = "| data.cache | train.workers | read, images/s | trained, images/s | waiting for images |"
    lines = [head, "|---|---:|---:|---:|---:|"]
    for row in result["rows"]:
        read, trained, waiting = row["read_per_second"], row["trained_per_second"], 100 * row["waiting"]
        lines.append(f"| {row['cache']} | {row['workers']} | {read:.0f} | {trained:.0f} | {waiting:.0f} % |")
    h, w = result["size"]
    about = (
        f"{result['model']['name']}, width {result['model'].get('width', 'default')}, {result['images']} images of "
        f"{result['data']} at {h}x{w}, batch {result['batch']}, {result['device']}, {result['precision']}; medians of "
        f"{result['rounds']} epochs in turns"
    )
    return "\n".join([*lines, "", about])


app.command("rewrites")(rewrites.rewrites)
