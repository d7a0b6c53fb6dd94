"""What is taken over from an earlier result was measured as this study would."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import onenet
from onenet.config import load_config
from onenet.errors import ConfigError, DataError
from onenet.study.plan import ImageSet, PaperTable, load_plan
from onenet.study.settings import cells_of, refuse_earlier, refuse_other, refuse_unready, with_overrides
from onenet.training.folder import RunFolder

RESULTS = Path(__file__).parents[2] / "docs" / "results"
PLAN = PaperTable(
    "table1", "quick", "default", "test", ("unet-4", "onenet-ed-4"),
    (ImageSet("pets", "oxford_pet", ("train.epochs=3", "data.size=[16, 24]")),), (0, 1), ("train.batch=2",),
)  # fmt: skip
CELL = {"set": "pets", "model": "unet-4", "seed": 1, "epochs": 3, "size": [16, 24]}


def earlier(**changes):
    known = {key: getattr(PLAN, "name" if key == "study" else key) for key in ("study", "budget", "recipe", "split")}
    return known | {"cells": [CELL]} | changes


def refuse(result, *overrides, plan=PLAN):
    refuse_earlier(plan, result, Path("anywhere"), overrides)


def test_cells_of_the_same_setting_are_taken():
    refuse(earlier())
    refuse({})
    refuse(earlier(cells=[CELL | {"set": "another", "epochs": 9}, CELL | {"model": "u-lite", "epochs": 9}]))


@pytest.mark.parametrize(("key", "then", "now"), [("epochs", 4, "3"), ("size", [16, 16], r"\[16, 24\]")])
def test_a_cell_of_another_setting_is_named_with_both_values(key, then, now):
    line = rf"^pets: unet-4, seed 1: the earlier result has {key} .*, this study has {now}; leave the cell out"
    with pytest.raises(ConfigError, match=line):
        refuse(earlier(cells=[CELL | {key: then}]))


def test_a_result_of_other_changes_is_not_continued():
    changed = earlier(**with_overrides(["train.learning_rate=0.5", "data.cache=memory"]))
    refuse(changed, "data.cache=device", "train.learning_rate=1", "train.learning_rate=0.5")
    line = r"the earlier result has the changes train.learning_rate=0.5, this study has \(none\); only a result with"
    with pytest.raises(ConfigError, match=line):
        refuse(changed)
    with pytest.raises(ConfigError, match=r"has the changes \(none\), this study has train.batch=1;"):
        refuse(earlier(), "train.batch=1")
    assert with_overrides([]) == {}


def test_a_set_has_the_networks_and_seeds_of_the_study_or_fewer():
    few = replace(PLAN.sets[0], name="few", models=("unet-4",), seeds=(1,))
    plan = replace(PLAN, sets=(*PLAN.sets, few))
    assert [(one.name, model, seed) for one, model, seed in cells_of(plan)] == [
        ("pets", "unet-4", 0), ("pets", "onenet-ed-4", 0),
        ("pets", "unet-4", 1), ("pets", "onenet-ed-4", 1), ("few", "unet-4", 1),
    ]  # fmt: skip
    assert [one.name for one, _, _ in cells_of(replace(plan, seeds=(0,)))] == ["pets"] * 2


def test_what_is_wrong_is_told_before_anything_is_trained(tmp_path):
    plan = replace(PLAN, sets=(*PLAN.sets, replace(PLAN.sets[0], name="cars", folder="camvid")))
    known = [CELL | {"model": model, "seed": seed} for model in PLAN.models for seed in PLAN.seeds]
    line = rf"^data.root={tmp_path}: has no oxford_pet, camvid \(budget quick of study table1\); name the folder"
    with pytest.raises(DataError, match=line):
        refuse_unready(plan, {}, tmp_path, [])
    with pytest.raises(DataError, match=r": has no camvid \("):
        refuse_unready(plan, {"cells": known}, tmp_path, [])
    for one in plan.sets:
        (tmp_path / one.folder).mkdir()
    refuse_unready(plan, {}, tmp_path, ["train.epochs=2"])
    with pytest.raises(ConfigError, match=r"^unknown key train.epochz: did you mean train.epochs"):
        refuse_unready(plan, {}, tmp_path, ["train.epochz=3"])
    with pytest.raises(ConfigError, match=r"^model.name: study table1 has networks of its own; leave it out"):
        refuse_unready(plan, {}, tmp_path, ["model.name=unet-4"])


@pytest.mark.parametrize("file", sorted(RESULTS.glob("pareto-*.json")) + sorted(RESULTS.glob("table[13]-*.json")))
def test_the_records_of_studies_can_be_continued(file):
    result = json.loads(file.read_text(encoding="utf-8"))["result"]
    plan = load_plan(result["study"], result["budget"])
    refuse(result, plan=replace(plan, seeds=plan.seeds[:1]))


def test_a_folder_of_a_network_that_its_name_no_longer_means_is_refused(tmp_path):
    config = load_config("default", ["data.root=photos", "model.name=onenet-x-n", "model.width=8"])
    folder = RunFolder(tmp_path / "run")
    refuse_other(folder, config)  # there is none yet
    folder.begin(config)
    refuse_other(folder, config)  # nor a model
    onenet.save(onenet.create_model("onenet-x-n", num_classes=3, width=8), folder.path / "model.safetensors")
    refuse_other(folder, config)
    before = onenet.create_model("onenet-x-n", num_classes=3, width=8, expansion=2)
    said = {key: value for key, value in before.card.arguments.items() if key != "expansion"}
    before.card = before.card.replace(arguments=said)  # it was always 2 when cards did not say
    onenet.save(before, folder.path / "model.safetensors")
    with pytest.raises(ConfigError, match=r"earlier layout of onenet-x-n \(expansion\); choose another --out"):
        refuse_other(folder, config)
    onenet.save(
        onenet.create_model("onenet-x-n", num_classes=3, width=8, encoder="3|3 3|3 3", decoder="3|3"),
        folder.path / "model.safetensors",
    )
    with pytest.raises(
        ConfigError,
        match=r"run: holds a cell of an earlier layout of onenet-x-n \(encoder, decoder\); choose another --out",
    ):
        refuse_other(folder, config)
