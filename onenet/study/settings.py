"""What the cells of a comparison and of a table of the paper have alike: which there are, and what each is told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onenet.checkpoint import read_card
from onenet.config import Config, load_config
from onenet.data.located import located
from onenet.errors import ConfigError, DataError
from onenet.models.catalog import arguments_of, create_model
from onenet.study.plan import Comparison, ImageSet, PaperTable
from onenet.training.changes import FREE, changed_keys
from onenet.training.folder import RunFolder

Cell = tuple[ImageSet, str, int]  # set, model, seed


def cells_of(plan: Comparison | PaperTable) -> Iterator[Cell]:
    """In the order of their worth: a first seed of everything before the second of anything."""
    return (
        (one, model, seed)
        for seed in plan.seeds
        for one in plan.sets
        if seed in (one.seeds or plan.seeds)
        for model in one.models or plan.models
    )


def called(cell: Cell) -> str:
    """A cell in words."""
    one, model, seed = cell
    return f"{one.name}: {model}, seed {seed}"


def folder_name(model: str) -> str:
    """NAME[,key=value...] without what a folder's name should not have."""
    return model.replace(",", "-").replace("=", "")


def configuration(
    plan: Comparison | PaperTable, cell: Cell, root: Path, overrides: Sequence[str], own: Sequence[str] = ()
) -> Config:
    """What a cell is told.

    Args:
        root: the folder that holds the folders of all sets.
        overrides: laid over the plan's own.
        own: of this run, over everything.
    """
    one, model, seed = cell
    name, *sizes = model.split(",")
    return load_config(
        plan.recipe,
        [
            *plan.overrides, *one.overrides, *overrides,
            f"data.root={root / one.folder}", f"model.name={name}",
            *(f"model.{size}" for size in sizes), f"train.seed={seed}", *own,
        ],
    )  # fmt: skip


def refuse_unready(
    plan: Comparison | PaperTable, earlier: Mapping[str, Any], root: Path, overrides: Sequence[str]
) -> None:
    """Make sure, before anything is trained, that every cell can be told what it is, and has its set.

    Args:
        earlier: a result, empty where there is none, that needs no images of the cells it has.

    Raises:
        ConfigError: a key or value is wrong, or the networks are changed.
        DataError: folders of sets are missing.
    """
    if any(change.partition("=")[0].strip() == "model.name" for change in overrides):
        raise ConfigError(f"model.name: study {plan.name} has networks of its own; leave it out")
    known = {(cell["set"], cell["model"], cell["seed"]) for cell in earlier.get("cells", ())}
    failed = {one["cell"] for one in earlier.get("failed", ())}
    missing: dict[str, None] = {}
    checked: set[tuple[str, str, bool]] = set()
    for cell in cells_of(plan):
        one, model, seed = cell
        kind = one.name, model, (one.name, model, seed) in known or called(cell) in failed
        if kind in checked:  # cells that differ in the seed alone
            continue
        checked.add(kind)
        folder = Path(located(configuration(plan, cell, root, overrides).data).root)
        if not kind[2] and not folder.is_dir():
            missing[one.folder] = None
    if missing:
        raise DataError(f"data.root={root}: has no {', '.join(missing)} (budget {plan.budget} of study {plan.name}); "
                        "name the folder that holds the folders of all sets")  # fmt: skip


def refuse_earlier(
    plan: Comparison | PaperTable, earlier: Mapping[str, Any], root: Path, overrides: Sequence[str]
) -> None:
    """Make sure that what would be taken over from an earlier result was measured as this study would.

    Raises:
        ConfigError: it is of another study, had other overrides, or a cell other epochs or images of another size.
    """
    if not earlier:
        return
    ours: dict[str, Any] = {"study": plan.name, "budget": plan.budget, "recipe": plan.recipe, "split": plan.split}
    if isinstance(plan, Comparison) and not set(earlier.get("rates", ())) <= set(plan.rates):
        ours |= {"rates": list(plan.rates)}  # a wider search goes on from a narrower one
    for key, value in ours.items():
        if earlier.get(key) != value:
            raise ConfigError(f"the earlier result has {key} {earlier.get(key)!r}, this study has {value!r}; "
                              "only a result of the same study can be continued")  # fmt: skip
    then, now = _settings(earlier.get("overrides", ())), _settings(overrides)
    if then != now:
        raise ConfigError(f"the earlier result has the changes {_shown(then)}, this study has {_shown(now)}; only a "
                          "result with the same ones can be continued")  # fmt: skip
    sets = {one.name: one for one in plan.sets}
    for known in earlier["cells"]:
        one = sets.get(known["set"])
        if one is None or known["model"] not in (one.models or plan.models):
            continue
        cell = one, known["model"], known["seed"]
        config = configuration(plan, cell, root, overrides)
        for key, value in (("epochs", config.train.epochs), ("size", list(config.data.size))):
            if known[key] != value:
                raise ConfigError(f"{called(cell)}: the earlier result has {key} {known[key]}, this study has {value}; "
                                  "leave the cell out of the result, or the result out")  # fmt: skip


def with_overrides(overrides: Sequence[str]) -> dict[str, list[str]]:
    """What a result says of a user's changes: nothing where there are none."""
    return {"overrides": list(overrides)} if overrides else {}


def _settings(overrides: Iterable[str]) -> dict[str, str]:
    """What is changed, without what only says where and how fast; of a key given twice the last one counts."""
    parts = (change.partition("=") for change in overrides)
    return {key.strip(): value.strip() for key, _, value in parts if key.strip() not in FREE}


def _shown(settings: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(settings.items())) or "(none)"


def refuse_other(folder: RunFolder, config: Config, what: str = "cell") -> None:
    """Make sure that a run's folder, where it holds one, holds this one.

    Raises:
        ConfigError: it was begun with other settings, or its network has another layout than the name has now.
    """
    begun = (folder.path / "config.toml").is_file()
    if begun and (keys := changed_keys(folder.config().to_dict(), config)):
        raise ConfigError(f"{folder.path}: holds a {what} with {', '.join(keys)}; choose another --out")
    if begun and (folder.path / "model.safetensors").is_file():
        card = read_card(folder.path)
        sizes = {key: value for key, value in config.model.items() if key != "name"}
        now = create_model(card.architecture, card.in_channels, card.num_classes, **sizes).card
        assert now is not None
        meant = arguments_of(card)
        if other := [key for key, value in arguments_of(now).items() if meant.get(key) != value]:
            raise ConfigError(f"{folder.path}: holds a {what} of an earlier layout of {card.architecture} "
                              f"({', '.join(other)}); choose another --out")  # fmt: skip
