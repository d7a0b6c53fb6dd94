"""`onenet list`: what there is by name."""

import shutil
import sys
import textwrap
from importlib.util import find_spec
from typing import Annotated

import typer

WHAT = ("models", "recipes", "formats", "samples", "studies")


def show(
    what: Annotated[str, typer.Argument(help="models, recipes, formats, samples or studies.")] = "models",
    trained: Annotated[bool, typer.Option("--trained", help="Models that come with their weights.")] = False,
) -> None:
    """List names: networks (millions of parameters, for 2 classes), recipes and studies with what they are for, data
    formats, packaged images."""
    from onenet.errors import ConfigError, did_you_mean
    from onenet.weights import shipped_names

    if what not in WHAT:
        raise ConfigError(f"cannot list {what!r}: {did_you_mean(what, WHAT)}")
    if what == "models" and not trained and find_spec("torch") is None:
        raise ConfigError("this needs torch, which is not installed: pip install 'onenet-seg[train]'; models that run "
                          "without it: onenet list models --trained")  # fmt: skip
    if trained and what != "models":
        raise ConfigError(f"--trained: models may come with weights, {what} do not; leave it out")
    if trained and not shipped_names():
        raise ConfigError("no models come with their weights in this version; train one: onenet train --data SPEC")
    for line in _trained() if trained else _lines(what):
        print(line)


def _lines(what: str) -> list[str]:
    from onenet import config, data

    if what == "models":
        return _models()
    if what == "recipes":
        return _described([(name, config.about_recipe(name)) for name in config.recipe_names()])
    if what == "formats":
        return list(config.FORMATS)
    if what == "samples":
        return [f"{config.SAMPLES}{name}" for name in data.sample_sets()]
    from onenet.study import plan

    lines = []
    for name in plan.plan_names():
        lines.append((name, plan.about_plan(name)))
        lines += [(f"  --budget {budget}", about) for budget, about in plan.budgets_of(name).items()]
    return _described(lines)


def _described(lines: list[tuple[str, str]]) -> list[str]:
    """Names, each with what it is for in a column of its own: on a terminal as wide as that is, else in one line."""
    column = max(len(name) for name, _ in lines) + 2
    width = max(40, min(shutil.get_terminal_size().columns, 120) - column) if sys.stdout.isatty() else 10**4
    found = []
    for name, about in lines:
        first, *more = textwrap.wrap(about, width, break_on_hyphens=False) or [""]
        found += [f"{name:{column}}{first}".rstrip(), *(f"{'':{column}}{line}" for line in more)]
    return found


def _trained() -> list[str]:
    """Name, classes, size of the INT8 file and licence of each, what it knows, and where that file lies."""
    from onenet.card import Card
    from onenet.deploy.description import CARD
    from onenet.deploy.onnx_metadata import read_metadata
    from onenet.weights import shipped_file, shipped_names

    lines = []
    for name in shipped_names():
        file = shipped_file(name, for_device=True)
        assert file is not None
        card = Card.from_json(read_metadata(file)[CARD], name)
        size = f"{file.stat().st_size / 1e6:.1f} MB"
        classes = ", ".join(card.classes)
        lines.append(f"{name:16}{card.architecture}, {size} in INT8; {classes}; {card.about['licence']}")
        lines += [f"{'':16}{card.about['knows']}", f"{'':16}{file}"]
    return lines


def _models() -> list[str]:
    import torch

    import onenet
    from onenet.checkpoint import parameter_count

    with torch.device("meta"):
        return [f"{name:26}{parameter_count(onenet.create_model(name)) / 1e6:9.2f} M" for name in onenet.list_models()]
