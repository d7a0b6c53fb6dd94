"""A study is a plan by name."""

import pytest

from onenet.config import load_config, recipe_names
from onenet.errors import ConfigError
from onenet.models.catalog import create_model, list_models
from onenet.study.plan import _read, budgets_of, load_plan, plan_names


@pytest.mark.parametrize("name", [name for name in plan_names() if not budgets_of(name)])
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


@pytest.mark.parametrize("budget", budgets_of("pareto"))
def test_every_budget_of_the_comparison_can_be_run(budget):
    plan = load_plan("pareto", budget)
    assert (plan.name, plan.budget, plan.split) == ("pareto", budget, "test")
    assert len(plan.rates) > 1 and plan.seeds
    assert {one.name for one in plan.sets} >= {"nuclei", "pet", "camvid"}
    for model in plan.models:
        name, *sizes = model.split(",")
        assert create_model(name, num_classes=3, **{key: int(value) for key, value in (s.split("=") for s in sizes)})
    for one in plan.sets:
        load_config(plan.recipe, [*plan.overrides, *one.overrides])
    assert set(plan.known_rates) <= set(plan.models)


def test_a_set_has_no_seed_that_the_study_lacks(monkeypatch):
    table = _read("pareto")
    table["budgets"]["cpu"]["sets"][0]["seeds"] = [0, 7]
    monkeypatch.setattr("onenet.study.plan._read", lambda name: table)
    with pytest.raises(ConfigError, match=r"^set pet: the study has no seed 7$"):
        load_plan("pareto", "cpu")


@pytest.mark.parametrize(
    ("name", "budget", "says"),
    [
        ("pareto", "", "study pareto has budgets: name one of cpu, gpu25 with --budget"),
        ("pareto", "gpu", "--budget gpu: did you mean gpu25"),
        ("pet-small", "cpu", "--budget cpu: study pet-small has no budgets; leave it out"),
    ],
)
def test_a_budget_is_named_where_there_are_some(name, budget, says):
    with pytest.raises(ConfigError, match=says):
        load_plan(name, budget)
