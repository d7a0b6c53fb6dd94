"""A study is a plan by name."""

import pytest

from onenet.config import load_config, recipe_names
from onenet.errors import ConfigError
from onenet.models.catalog import list_models
from onenet.study.plan import load_plan, plan_names


@pytest.mark.parametrize("name", plan_names())
def test_every_shipped_plan_can_be_run(name):
    plan = load_plan(name)
    assert plan.name == name
    assert plan.recipe in recipe_names()
    assert plan.models and set(plan.models) <= set(list_models())
    assert plan.seeds and len(set(plan.seeds)) == len(plan.seeds)
    assert plan.split in ("val", "test")
    load_config(plan.recipe, plan.overrides)


def test_the_pet_study_compares_four_networks_over_seeds():
    plan = load_plan("pet-small")
    assert plan.models == ("onenet-ed-4", "onenet-e-4", "unet-4", "mobilenet-unet-4")
    assert len(plan.seeds) > 1


def test_an_unknown_plan_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown study 'pet_small': did you mean pet-small"):
        load_plan("pet_small")
