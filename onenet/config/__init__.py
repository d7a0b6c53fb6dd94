"""What a run is told to do: typed and frozen, read from a TOML recipe and `key=value` overrides."""

from onenet.config.reading import about_recipe, load_config, parse_spec, recipe_names, spec_of
from onenet.config.schema import (
    FORMATS,
    SAMPLES,
    VOLUMES,
    AugmentConfig,
    Config,
    DataConfig,
    LossConfig,
    TrainConfig,
)

__all__ = [
    "FORMATS", "SAMPLES", "VOLUMES", "AugmentConfig", "Config", "DataConfig", "LossConfig", "TrainConfig",
    "about_recipe", "load_config", "parse_spec", "recipe_names", "spec_of",
]  # fmt: skip
