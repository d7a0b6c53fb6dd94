"""What a study runs: a TOML file in plans/."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from onenet.errors import ConfigError, did_you_mean

_OWN = ("models", "seeds")  # keys of a study that a set may narrow


@dataclass(frozen=True)
class Plan:
    """Every model with every seed, the same recipe for all; scored on `split` once each.

    With `folds` the first model is trained once per fold (study/folds.py).
    """

    name: str
    recipe: str
    split: str
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    overrides: tuple[str, ...]
    folds: int = 0


@dataclass(frozen=True)
class ImageSet:
    """A data set of a study: its folder among the others, what the recipe is told for it, and models of its own.

    Attributes:
        models: in the place of the study's; () for those.
        seeds: of the study's, the ones that this set is trained with; () for all.
    """

    name: str
    folder: str
    overrides: tuple[str, ...]
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Every model on every set with every seed, one recipe and one search for the learning rate.

    Attributes:
        rates: learning rates; each model is trained with all of them on one set with one seed, and the one with the
            better validation score is its own from then on.
        tuning_set, tuning_seed: that set and seed, whichever `seeds` are run.
        known_rates: learning rates by model that are not searched any more.
        tuning_epochs: how long these trials are; 0: as long as any run, and the better one is the cell itself.
        models: NAME[,key=value...]; what is worth most comes first.
        minutes: no cell is begun after so many; 0: no limit.
    """

    name: str
    budget: str
    recipe: str
    split: str
    models: tuple[str, ...]
    sets: tuple[ImageSet, ...]
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    overrides: tuple[str, ...]
    tuning_set: str
    minutes: float = 0.0
    tuning_seed: int = 0
    tuning_epochs: int = 0
    known_rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper measured anew: every model on every set with every seed, one recipe, no search.

    Attributes:
        models: NAME[,key=value...].
        sets: named as in `onenet.study.printed` where the paper has them.
        minutes: no cell is begun after so many; 0: no limit.
    """

    name: str
    budget: str
    recipe: str
    split: str
    models: tuple[str, ...]
    sets: tuple[ImageSet, ...]
    seeds: tuple[int, ...]
    overrides: tuple[str, ...]
    minutes: float = 0.0


def plan_names() -> list[str]:
    """The studies that are shipped."""
    plans = resources.files("onenet.study").joinpath("plans").iterdir()
    return sorted(file.name[:-5] for file in plans if file.name.endswith(".toml"))


def budgets_of(name: str) -> dict[str, str]:
    """The budgets of a shipped study, what each is and takes; none where it is a plain grid."""
    return {budget: table["about"] for budget, table in _read(name).get("budgets", {}).items()}


def about_plan(name: str) -> str:
    """What a shipped study is for."""
    return _read(name)["about"]


def load_plan(name: str, budget: str = "") -> Plan | Comparison | PaperTable:
    """Read a shipped plan.

    Args:
        budget: which of its budgets, where it has any.

    Raises:
        ConfigError: there is none of that name, or no such budget.
    """
    if name not in plan_names():
        raise ConfigError(f"unknown study {name!r}: {did_you_mean(name, plan_names())}")
    table = _read(name)
    budgets = table.get("budgets", {})
    if budgets and budget not in budgets:
        if budget:
            raise ConfigError(f"--budget {budget}: {did_you_mean(budget, budgets)}")
        raise ConfigError(f"study {name} has budgets: name one of {', '.join(budgets)} with --budget; onenet list "
                          "studies says what each takes")  # fmt: skip
    if budget and not budgets:
        raise ConfigError(f"--budget {budget}: study {name} has no budgets; leave it out")
    if budgets:
        chosen = budgets[budget]
        return (_comparison if "rates" in chosen else _paper_table)(name, budget, table["split"], chosen)
    return Plan(
        name=name,
        recipe=table["recipe"],
        split=table["split"],
        models=tuple(table["models"]),
        seeds=tuple(table["seeds"]),
        overrides=tuple(table["overrides"]),
        folds=int(table.get("folds", 0)),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("onenet.study").joinpath("plans", f"{name}.toml").read_text(encoding="utf-8"))


def _comparison(name: str, budget: str, split: str, table: dict[str, Any]) -> Comparison:
    lists = {key: tuple(table[key]) for key in ("models", "seeds", "rates", "overrides")}
    tuning = table.get("tuning", {})
    return Comparison(
        name,
        budget,
        table["recipe"],
        split,
        sets=_sets(table),
        minutes=float(table.get("minutes", 0)),
        tuning_set=tuning.get("set", table["sets"][0]["name"]),
        tuning_seed=table["seeds"][0],
        tuning_epochs=tuning.get("epochs", 0),
        known_rates=tuning.get("known", {}),
        **lists,
    )


def _paper_table(name: str, budget: str, split: str, table: dict[str, Any]) -> PaperTable:
    lists = {key: tuple(table[key]) for key in ("models", "seeds", "overrides")}
    minutes = float(table.get("minutes", 0))
    return PaperTable(name, budget, table["recipe"], split, sets=_sets(table), minutes=minutes, **lists)


def _sets(table: dict[str, Any]) -> tuple[ImageSet, ...]:
    for one in table["sets"]:
        if strange := set(one.get("seeds", ())) - set(table["seeds"]):
            raise ConfigError(f"set {one['name']}: the study has no seed {min(strange)}")
    return tuple(
        ImageSet(one["name"], one["folder"], tuple(one["overrides"]), *(tuple(one.get(key, ())) for key in _OWN))
        for one in table["sets"]
    )
