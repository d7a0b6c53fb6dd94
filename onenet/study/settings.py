"""What the cells of a comparison and of a table of the paper have alike: which there are, and what each is told."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from onenet.config import Config, load_config
from onenet.errors import ConfigError
from onenet.study.plan import Comparison, ImageSet, PaperTable
from onenet.training.changes import changed_keys
from onenet.training.folder import RunFolder

Cell = tuple[ImageSet, str, int]  # set, model, seed


def cells_of(plan: Comparison | PaperTable) -> Iterator[Cell]:
    """In the order of their worth: a first seed of everything before the second of anything."""
    return ((one, model, seed) for seed in plan.seeds for one in plan.sets for model in one.models or plan.models)


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
            *plan.overrides, *one.overrides, *overrides, f"data.root={root / one.folder}", f"model.name={name}",
            *(f"model.{size}" for size in sizes), f"train.seed={seed}", *own,
        ],
    )  # fmt: skip


def refuse_other(folder: RunFolder, config: Config, what: str = "cell") -> None:
    """Make sure that a run's folder, where it holds one, holds this one.

    Raises:
        ConfigError: it was begun with other settings.
    """
    begun = (folder.path / "config.toml").is_file()
    if begun and (keys := changed_keys(folder.config().to_dict(), config)):
        raise ConfigError(f"{folder.path}: holds a {what} with {', '.join(keys)}; choose another --out")
