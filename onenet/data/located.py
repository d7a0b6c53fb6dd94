"""Where a data set lies: `data.root` as a folder that is there, packaged sets included."""

import dataclasses
from importlib import resources
from pathlib import Path

from onenet.config import SAMPLES, DataConfig
from onenet.errors import ConfigError, did_you_mean


def sample_sets() -> list[str]:
    """The data sets inside the package, for `data.root = "samples:NAME"`."""
    return sorted(entry.name for entry in resources.files("onenet").joinpath("samples").iterdir() if entry.is_dir())


def located(config: DataConfig) -> DataConfig:
    """The same with the root as a path, "samples:" and "~" resolved; whether it is there is not looked at.

    Raises:
        ConfigError: no root given, or an unknown packaged set.
    """
    if not config.root:
        raise ConfigError(
            "data.root is empty: say where the images are, with --data folder:PATH or, where there is no --data, "
            "data.root=PATH"
        )
    if not config.root.startswith(SAMPLES):
        return dataclasses.replace(config, root=str(Path(config.root).expanduser()))
    name = config.root.removeprefix(SAMPLES)
    if name not in sample_sets():
        raise ConfigError(f"data.root={config.root!r}: {did_you_mean(name, sample_sets())}")
    return dataclasses.replace(config, root=str(resources.files("onenet").joinpath("samples", name)))
