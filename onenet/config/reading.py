"""Recipes and `key=value` overrides -> a Config.

recipes/default.toml holds every key with its default, once; a recipe holds what differs from it.
"""

import itertools
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from onenet.config.schema import CHOICES, EXAMPLES, FORMATS, RANGES, SECTIONS, TABLES, VOLUMES, Config, DataConfig
from onenet.errors import ConfigError, describe_os_error, did_you_mean

_TEXTS = ("data.root", "data.class_table", "data.class_values", "data.axis", "data.spacing")  # numbers are text there
_KINDS = {int: "a whole number", float: "a number", bool: "true or false, in small letters", str: "text, in quotes"}
_OF_VOLUMES = ("axis", "spacing", "intensity", "neighbours")
_OF_IMAGES = ("value_range", "mask_encoding", "border")


def recipe_names() -> list[str]:
    """The recipes that are shipped."""
    return sorted(file.name[:-5] for file in resources.files("onenet.recipes").iterdir() if file.name.endswith(".toml"))


def about_recipe(name: str) -> str:
    """What a shipped recipe is for: the words at its top, which whoever opens the file reads, too."""
    text = resources.files("onenet.recipes").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return " ".join(line[1:].strip() for line in itertools.takewhile(lambda line: line[:1] == "#", text.splitlines()))


def load_config(
    recipe: str = "default", overrides: Sequence[str] = (), data: str = "", base: Mapping[str, Any] | None = None
) -> Config:
    """Read a recipe, a shipped name or a path to a `.toml` file, and lay a data SPEC and `key=value` over it.

    Args:
        recipe: what to begin with.
        overrides: `key=value`, the strongest. Another `model.name` comes with its own sizes: those of the recipe are of
            the recipe's network.
        data: a SPEC, see `parse_spec`.
        base: keys of [data] that stand in for the defaults, the weakest.

    Raises:
        ConfigError: unknown recipe, key or choice (the nearest one is suggested), a value of the wrong type or range.
    """
    spec = {"data": _spec_table(data)} if data else {}
    layers = {"default": _read_toml("default"), "the model": {"data": base or {}}, recipe: _read_recipe(recipe)}
    name = str(layers[recipe].pop("recipe", Path(recipe).stem))
    layers |= {f"data {data!r}": spec, "the command line": _parse_overrides(overrides)}
    merged: dict[str, dict[str, Any]] = {section: {} for section in TABLES}
    for source, table in layers.items():
        _refuse_unknown_tables(source, table)
        for section, values in table.items():
            if not isinstance(values, Mapping):
                raise ConfigError(f"{source}: {section} must be a table, for example [{section}]")
            if section == "model" and values.get("name", merged[section].get("name")) != merged[section].get("name"):
                merged[section].clear()  # sizes are those of the network that they stand beside
            merged[section].update(values)
    sections = {key: _typed(cls, key, merged[key]) for key, cls in SECTIONS.items()}
    data_: DataConfig = sections["data"]
    if data_.overlapping and data_.format != "folder":
        raise ConfigError(f"data.overlapping=true: {data_.format} has one mask per image; leave it out, or use folder")
    _refuse_idle(data_)
    if not isinstance(merged["model"].get("name"), str):
        raise ConfigError("model.name: expected the name of a network, see `onenet list models`")
    return Config(model=merged["model"], name=name, **sections)


def _refuse_unknown_tables(source: str, table: Mapping[str, Any]) -> None:
    if unknown := next((section for section in table if section not in TABLES), None):
        raise ConfigError(f"{source}: unknown table [{unknown}]: {did_you_mean(unknown, TABLES)}")


def _refuse_idle(data: DataConfig) -> None:
    """Refuse keys of [data] that the format does not ask, where they are not as in default.toml."""
    default = _typed(DataConfig, "data", _read_toml("default")["data"])
    if data.fold and not data.folds:
        raise ConfigError(f"data.fold={data.fold}: is one of data.folds; say how many there are, as in data.folds=5")
    kind, other = ("volumes", "images") if data.format in VOLUMES else ("images", "volumes")
    for key in _OF_IMAGES if kind == "volumes" else _OF_VOLUMES:
        if getattr(data, key) != getattr(default, key):
            value = _plain(getattr(data, key))
            raise ConfigError(
                f"data.{key}={value}: is asked of {other} only, and {data.format} has {kind}; leave it out"
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def parse_spec(spec: str, base: Mapping[str, Any] | None = None) -> DataConfig:
    """The data that a SPEC names: `FORMAT:PATH[,key=value...]`, a recipe's name, or a `.toml` file.

    Keys that it leaves out come from `base`, then from the default recipe.

    Raises:
        ConfigError: neither of these, or an unknown format or key.
    """
    return load_config(data=spec, base=base).data


def _spec_table(spec: str) -> dict[str, Any]:
    if spec in recipe_names() or spec.endswith(".toml"):
        table = _read_recipe(spec)
        table.pop("recipe", None)
        _refuse_unknown_tables(spec, table)
        return table.get("data", {})
    head, *rest = re.split(r",(?=\w+=)", spec)  # commas may stand in paths and lists
    format_, separator, path = head.partition(":")
    if not separator or not path:
        known = ", ".join(f"{name}:PATH" for name in FORMATS)
        if _is_folder(head):
            known = f"folder:{spec} for images and masks; or {known}"
        raise ConfigError(f"data {spec!r} is neither FORMAT:PATH nor a recipe: choose from {known}")
    changes = _parse_overrides([f"data.{part}" for part in rest]).get("data", {})
    return {"format": format_, "root": path, **changes}


def spec_of(data: DataConfig) -> str:
    """The SPEC that names the same data: FORMAT:PATH, and what is otherwise than in default.toml."""
    default = _typed(DataConfig, "data", _read_toml("default")["data"])
    keys = [key for key in get_type_hints(DataConfig) if key not in ("format", "root")]
    changed = [key for key in keys if getattr(data, key) != getattr(default, key)]
    return ",".join([f"{data.format}:{data.root}", *(f"{key}={_written(getattr(data, key))}" for key in changed)])


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), separators=(",", ":"))


def _is_folder(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir()
    except (OSError, ValueError):  # too long a name, or one that holds what no name may
        return False


def _read_recipe(recipe: str) -> dict[str, Any]:
    """A recipe's tables, laid over those of the recipe that it `extends`."""
    tables = _read_toml(recipe)
    if "extends" not in tables:
        return tables
    merged = _read_recipe(str(tables.pop("extends")))
    merged.pop("recipe", None)
    for table, values in tables.items():
        both = isinstance(values, Mapping) and isinstance(merged.get(table), Mapping)
        merged[table] = {**merged[table], **values} if both else values
    return merged


def _read_toml(recipe: str) -> dict[str, Any]:
    if recipe in recipe_names():
        return tomllib.loads(resources.files("onenet.recipes").joinpath(f"{recipe}.toml").read_text(encoding="utf-8"))
    path = Path(recipe)
    if not recipe.endswith(".toml"):
        format_, _, rest = recipe.partition(":")
        near = did_you_mean(recipe, recipe_names())
        if format_ in FORMATS:
            near = f"did you mean --data {format_}:{rest or 'PATH'}?"
        elif _is_folder(recipe):
            near = f"did you mean --data folder:{recipe}?"
        raise ConfigError(f"unknown recipe {recipe!r}: {near} (or a path to a .toml file)")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from None


def _parse_overrides(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not is_list or not all(isinstance(item, str) for item in overrides):
        raise ConfigError(f"overrides are a list of 'key=value', as ['train.epochs=3'], not {overrides!r}")
    for item in overrides:
        key, separator, text = item.partition("=")
        section, dot, name = key.strip().partition(".")
        if not separator or not dot or not name:
            raise ConfigError(f"{item!r} is not SECTION.KEY=VALUE{_hint(key.strip())}")
        tables.setdefault(section, {})[name] = _parse_value(text.strip())
    return tables


def _hint(word: str) -> str:
    for table, cls in SECTIONS.items():
        if word in get_type_hints(cls):
            return f": did you mean {table}.{word}?"
    return " with a key such as train.epochs or data.root"


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word or path is a string


def _typed(cls: type, section: str, values: Mapping[str, Any]) -> Any:
    kinds = get_type_hints(cls)
    for key in values:
        if key not in kinds:
            raise ConfigError(f"unknown key {section}.{key}: {_nearest_key(section, key, kinds)}")
    return cls(**{key: _convert(f"{section}.{key}", values[key], kind) for key, kind in kinds.items()})


def _nearest_key(section: str, key: str, kinds: Mapping[str, Any]) -> str:
    for other, cls in SECTIONS.items():
        if key in get_type_hints(cls):
            return f"did you mean {other}.{key}?"
    return did_you_mean(f"{section}.{key}", [f"{section}.{name}" for name in kinds])


def _convert(key: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return _convert_tuple(key, value, kind)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e4
    if key in _TEXTS and not isinstance(value, (str, list, dict)):
        value = str(value)  # a folder may be called 2024
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(f"{key}={value!r}: {did_you_mean(str(value), CHOICES[key])}")
    if type(value) is not kind:
        raise ConfigError(f"{key}={value!r}: expected {_KINDS[kind]}")
    low, high = RANGES.get(key, (None, None))
    if low is not None and not low <= value <= high:
        raise ConfigError(f"{key}={value!r}: must lie between {low} and {high}")
    return value


def _example(key: str) -> str:
    return EXAMPLES[key].rpartition(" or ")[2]


def _convert_tuple(key: str, value: Any, kind: Any) -> tuple[Any, ...]:
    inner = get_args(kind)
    if isinstance(value, str) and value.startswith("["):
        raise ConfigError(f"{key}={value}: not a list that can be read; write it, with the quotes, as in "
                          f"'{key}={_example(key)}'")  # fmt: skip
    if key in ("data.size", "data.mask_size") and isinstance(value, int) and not isinstance(value, bool):
        value = [value, value]
    if inner == (str, ...) and isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, list):
        raise ConfigError(f"{key}={value!r}: expected a list, for example {EXAMPLES[key]}")
    if inner[-1] is not Ellipsis and len(value) != len(inner):
        raise ConfigError(f"{key}={value!r}: expected {len(inner)} values, for example {EXAMPLES[key]}")
    converted = tuple(_convert(key, item, inner[0]) for item in value)
    if key in ("augment.scale", "augment.ratio", "data.value_range") and converted[0] > converted[1]:
        raise ConfigError(f"{key}={value!r}: the first value must be the smaller one")
    if key == "data.value_range" and converted[0] == converted[1] != 0:
        raise ConfigError(f"{key}={value!r}: black and white must differ, for example {EXAMPLES[key]}; "
                          "[0, 0] is the whole range of the files")  # fmt: skip
    return converted
