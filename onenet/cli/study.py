"""`onenet study`: train and score a grid of models and seeds."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def study(
    words: Annotated[
        list[str],
        typer.Argument(metavar="NAME [KEY=VALUE]...", help="A study, see `onenet list studies`; then changes."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of its runs; left out, runs/NAME.")] = None,
    seeds: Annotated[str, typer.Option(help="Only these seeds of the study, for example 0 or 0,1.")] = "",
    rescore: Annotated[bool, typer.Option("--rescore", help="Score the models of done cells again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Train and score every cell of a study; stopped and started again, it goes on with the cells that are missing.

    For example: onenet study pet-small data.root=PATH-TO-OXFORD-PET
    """
    from onenet.cli.train import train_with_progress
    from onenet.images import atomic_write
    from onenet.study.grid import run_plan, to_markdown
    from onenet.study.plan import load_plan

    plan = load_plan(words[0])
    plan = replace(plan, seeds=_chosen(seeds, plan.seeds)) if seeds else plan
    folder = out or Path("runs") / plan.name
    with redirect_stdout(sys.stderr):  # progress; standard output holds the result
        result = run_plan(plan, folder, words[1:], train_with_progress, rescore)
    text = json.dumps(result, indent=1)
    with atomic_write(folder / f"{plan.name}.json") as file:
        file.write(text.encode() + b"\n")
    print(text if as_json else f"{to_markdown(result)}\n\nresult  {folder / f'{plan.name}.json'}")


def _chosen(text: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    from onenet.errors import ConfigError

    words = [word.strip() for word in text.split(",")]
    wrong = next((word for word in words if word not in map(str, seeds)), None)
    if wrong is not None:
        raise ConfigError(
            f"--seeds {text}: the study's seeds are {', '.join(map(str, seeds))}, {wrong!r} is none of them"
        )
    return tuple(seed for seed in seeds if str(seed) in words)
