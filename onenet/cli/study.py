"""`onenet study`: train and score a grid of models and seeds."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


def study(
    words: Annotated[
        list[str],
        typer.Argument(metavar="NAME [KEY=VALUE]...", help="A study, see `onenet list studies`; then changes."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of its runs; left out, runs/NAME.")] = None,
    seeds: Annotated[str, typer.Option(help="Only these seeds of the study, for example 0 or 0,1.")] = "",
    budget: Annotated[str, typer.Option(help="Of a study that has some: quick, cpu, gpu25, paper.")] = "",
    train: Annotated[bool, typer.Option(help="Train what is missing; else score what is there.")] = True,
    score: Annotated[
        bool, typer.Option(help="Score what is trained; else only train, beside other processes that do so.")
    ] = True,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--continue", help="An earlier result of the same study: its cells are taken over, failed ones, too."
        ),
    ] = None,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score the models of done cells again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Train and score every cell of a study; stopped and started again, it goes on with the cells that are missing.

    For example: onenet study pet-small data.root=PATH-TO-OXFORD-PET

    Cross-validation of volumes: onenet study folds data.format=msd data.root=PATH data.folds=5. The folder of its
    runs is then a model for predict and evaluate: all folds together.
    """
    from onenet.cli.train import train_with_progress
    from onenet.errors import ConfigError
    from onenet.images import atomic_write
    from onenet.study.comparison import run_comparison, train_comparison
    from onenet.study.comparison_table import comparison_markdown
    from onenet.study.folds import run_folds
    from onenet.study.grid import run_plan, to_markdown
    from onenet.study.paper_tables import run_table
    from onenet.study.paper_tables_page import table_markdown, table_page
    from onenet.study.plan import Comparison, PaperTable, load_plan

    if words[0] == "table2":
        raise ConfigError("Table 2 counts and trains nothing: onenet bench table2")
    plan = load_plan(words[0], budget)
    plan = replace(plan, seeds=_chosen(seeds, plan.seeds)) if seeds else plan
    folder = out or Path("runs") / (f"{plan.name}-{budget}" if budget else plan.name)
    with redirect_stdout(sys.stderr):  # progress; standard output holds the result
        if rescore and isinstance(plan, (Comparison, PaperTable)):
            raise ConfigError(f"--rescore: study {plan.name} keeps what it scored; leave it out")
        if earlier and not isinstance(plan, (Comparison, PaperTable)):
            raise ConfigError(f"--continue: study {plan.name} has no cells that could be taken over; leave it out")
        if not score and not (isinstance(plan, Comparison) and train):
            raise ConfigError("--no-score: trains a comparison, and does not go with --no-train")
        known = _read(earlier, ("timing",) if isinstance(plan, Comparison) else ()) if earlier else None
        if isinstance(plan, PaperTable):
            root, changes = _root(words[1:])
            result = run_table(plan, Path(root), changes, folder, train_with_progress, _say, train, known)
            table = table_markdown(result)
            with atomic_write(folder / f"{plan.name}.html") as page:
                page.write(table_page(result).encode())
        elif isinstance(plan, Comparison) and not score:
            missing = train_comparison(plan, *_root(words[1:]), folder, train_with_progress, _say, known)
            _say(f"not trained: {'; '.join(missing) or 'none'}")
            return
        elif isinstance(plan, Comparison):
            result = run_comparison(plan, *_root(words[1:]), folder, train_with_progress, _say, train, known)
            table = comparison_markdown(result)
        elif plan.folds:
            if rescore or not train:
                raise ConfigError(f"study {plan.name} scores every fold each time; leave --rescore and --no-train out")
            result, *reports = run_folds(plan, folder, words[1:], train_with_progress)
            heads = ("each case by the network that was not trained on it", "the test by all networks together")
            tables = [f"{head}\n\n{each.to_markdown()}" for head, each in zip(heads, reports, strict=True) if each]
            table = "\n\n".join(tables)
            if "failed" in result["together"]:
                _say(f"note: not scored together: {result['together']['failed']}")
        elif not train:
            raise ConfigError(f"--no-train: study {plan.name} scores each cell when it is trained; leave it out")
        else:
            result = run_plan(plan, folder, words[1:], train_with_progress, rescore)
            table = to_markdown(result)
    text = json.dumps(result, indent=1)
    with atomic_write(folder / f"{plan.name}.json") as file:
        file.write(text.encode() + b"\n")
    if as_json:
        print(text)
        return
    print(f"{table}\n\nresult  {folder / f'{plan.name}.json'}")
    if isinstance(plan, PaperTable):
        print(f"page    {folder / f'{plan.name}.html'}")
    for picture in _draw(result, folder) if isinstance(plan, Comparison) else ():
        print(f"figure  {picture}")


def _read(file: Path, needs: tuple[str, ...]) -> dict[str, Any]:
    """A result, or the record of one (docs/results)."""
    from onenet.errors import DataError

    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        found = found.get("result", found)
        for cell in found["cells"]:
            cell["set"], cell["model"], cell["seed"], cell["epochs"], cell["size"]
        for key in needs:
            found[key]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{file}: is not the result of such a study; name a file that onenet study wrote") from None
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _root(changes: list[str]) -> tuple[str, list[str]]:
    """The folder that holds all sets, and the other changes."""
    from onenet.errors import ConfigError

    roots = [change.partition("=")[2] for change in changes if change.startswith("data.root=")]
    if not roots:
        raise ConfigError("name the folder that holds the folders of all sets: data.root=PATH")
    return roots[-1], [change for change in changes if not change.startswith("data.root=")]


def _draw(result: dict[str, Any], folder: Path) -> list[Path]:
    """A picture of each set for each kind of cost."""
    from onenet.images import atomic_write
    from onenet.study.front_plot import COSTS, draw_front

    pictures = []
    for one in dict.fromkeys(cell["set"] for cell in result["cells"]):
        for cost in COSTS:
            try:
                picture = draw_front(result, one, cost)
            except ValueError:  # nothing to be shown
                continue
            pictures.append(folder / f"{one}-{cost}.svg")
            with atomic_write(pictures[-1]) as file:
                file.write(picture.encode())
    return pictures


def _chosen(text: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    from onenet.errors import ConfigError

    words = [word.strip() for word in text.split(",")]
    wrong = next((word for word in words if word not in map(str, seeds)), None)
    if wrong is not None:
        raise ConfigError(
            f"--seeds {text}: the study's seeds are {', '.join(map(str, seeds))}, {wrong!r} is none of them"
        )
    return tuple(seed for seed in seeds if str(seed) in words)
