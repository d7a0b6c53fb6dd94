"""What a study runs: a TOML file in plans/."""

import tomllib
from dataclasses import dataclass
from importlib import resources

from onenet.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Plan:
    """Every model with every seed, the same recipe for all; scored on `split` once each."""

    name: str
    recipe: str
    split: str
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    overrides: tuple[str, ...]


def plan_names() -> list[str]:
    """The studies that are shipped."""
    plans = resources.files("onenet.study").joinpath("plans").iterdir()
    return sorted(file.name[:-5] for file in plans if file.name.endswith(".toml"))


def load_plan(name: str) -> Plan:
    """Read a shipped plan.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in plan_names():
        raise ConfigError(f"unknown study {name!r}: {did_you_mean(name, plan_names())}")
    table = tomllib.loads(resources.files("onenet.study").joinpath("plans", f"{name}.toml").read_text(encoding="utf-8"))
    return Plan(
        name=name,
        recipe=table["recipe"],
        split=table["split"],
        models=tuple(table["models"]),
        seeds=tuple(table["seeds"]),
        overrides=tuple(table["overrides"]),
    )
