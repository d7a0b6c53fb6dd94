"""`onenet list`: what there is by name."""

from typing import Annotated

import typer

WHAT = ("models", "recipes", "formats", "samples", "studies")


def show(what: Annotated[str, typer.Argument(help="models, recipes, formats, samples or studies.")] = "models") -> None:
    """List names: networks (with millions of parameters), recipes, data formats, packaged images, studies."""
    from onenet.errors import ConfigError, did_you_mean

    if what not in WHAT:
        raise ConfigError(f"cannot list {what!r}: {did_you_mean(what, WHAT)}")
    for line in _lines(what):
        print(line)


def _lines(what: str) -> list[str]:
    from onenet import config, data

    if what == "models":
        return _models()
    if what == "recipes":
        return config.recipe_names()
    if what == "formats":
        return list(config.FORMATS)
    if what == "samples":
        return [f"{config.SAMPLES}{name}" for name in data.sample_sets()]
    from onenet.study.plan import plan_names

    return plan_names()


def _models() -> list[str]:
    import torch

    import onenet
    from onenet.checkpoint import parameter_count

    with torch.device("meta"):
        return [f"{name:26}{parameter_count(onenet.create_model(name)) / 1e6:9.2f} M" for name in onenet.list_models()]
