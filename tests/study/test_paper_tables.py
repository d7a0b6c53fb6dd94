"""A table of the paper measured anew: cells that are kept, our figures, the authors', and what is printed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from onenet.config import load_config
from onenet.errors import ConfigError, TrainError
from onenet.models.catalog import create_model
from onenet.study.paper_tables import run_table
from onenet.study.paper_tables_page import paper_row, table_markdown, table_page
from onenet.study.plan import ImageSet, PaperTable, budgets_of, load_plan
from onenet.study.printed import printed

MODELS = ("onenet-ed-4,width=4,depth=2", "onenet-e-4,width=4,depth=2")


@pytest.fixture
def plan(photos):
    photos(count=8, size=(24, 24))
    sets = (ImageSet("pet-small", "photos", ()), ImageSet("another", "photos", ("data.val=0.3",)))
    overrides = ("train.epochs=1", "train.batch=2", "data.size=16", "data.fit=none", "train.examples=0")
    return PaperTable("table1", "quick", "default", "test", MODELS, sets, (0, 1), overrides)


class Trainer:
    def __init__(self):
        self.runs = []

    def __call__(self, run):
        self.runs.append((run.folder.path.parent.name, run.config.model["name"], run.config.train.seed))
        for _ in run.epochs():
            pass


def test_every_cell_has_our_figures_and_the_authors(plan, tmp_path):
    trainer = Trainer()
    result = run_table(plan, tmp_path, [], tmp_path / "out", trainer)
    assert trainer.runs[:4] == [(s, m, 0) for s in ("pet-small", "another") for m in ("onenet-ed-4", "onenet-e-4")]
    assert len(trainer.runs) == len(result["cells"]) == 8 and not result["missing"] and not result["failed"]
    for cell in result["cells"]:
        assert set(cell["report"]["authors"]) > {"authors' mIOU", "authors' DSC", "authors' mAP (data set)"}
        assert 0 <= cell["report"]["mean_iou"] <= 1
    again = run_table(plan, tmp_path, [], tmp_path / "out", trainer)
    assert again["cells"] == result["cells"] and len(trainer.runs) == 8


def test_cells_that_are_not_done_are_counted_and_one_that_diverges_is_told(plan, tmp_path):
    def diverge(run):
        raise TrainError("the loss became nan")

    alone = replace(plan, seeds=(0,), sets=plan.sets[:1])
    assert len(run_table(alone, tmp_path, [], tmp_path / "out", Trainer(), train=False)["missing"]) == 2
    result = run_table(alone, tmp_path, [], tmp_path / "out", diverge)
    assert [one["reason"] for one in result["failed"]] == ["the loss became nan"] * 2
    some = run_table(replace(alone, models=MODELS[:1]), tmp_path, [], tmp_path / "out", Trainer())
    text = table_markdown(some | {"failed": result["failed"], "missing": ["pet-small: onenet-e-4, seed 0"]})
    assert "pet-small: onenet-ed-4,width=4,depth=2, seed 0 failed: the loss became nan" in text
    assert text.endswith("Not done yet: 1 cells.")


def test_a_cell_of_another_configuration_is_not_taken_for_this_one(plan, tmp_path):
    alone = replace(plan, seeds=(0,), sets=plan.sets[:1], models=MODELS[:1])
    run_table(alone, tmp_path, [], tmp_path / "out", Trainer())
    with pytest.raises(ConfigError, match=r"holds a cell with .*train\.epochs.*; choose another --out"):
        run_table(alone, tmp_path, ["train.epochs=2"], tmp_path / "out", Trainer())


def cell(model, seed, iou, interval=None):
    report = {
        "mean_iou": iou, "mean_dice": iou + 0.1, "mean_average_precision": None, "cross_entropy": 0.5,
        "authors": {"authors' mIOU": 0.9, "authors' mAP (data set)": 0.4, "authors' DSC": 1.38},
        "confidence_intervals": {"mean_iou": interval} if interval else {},
    }  # fmt: skip
    return {
        "set": "pet-small", "model": model, "seed": seed, "epochs": 3, "size": [16, 24], "parameters": 1_234_567,
        "gmacs": 0.987, "images": {"train": 5, "val": 2, "test": 4}, "report": report,
    }  # fmt: skip


RESULT = {
    "study": "table1", "budget": "quick", "missing": [], "failed": [],
    "cells": [
        cell("onenet-e-4,width=16", 0, 0.5), cell("onenet-e-4,width=16", 1, 0.7),
        cell("onenet-x-s", 0, 0.8, (0.75, 0.85)),
    ],
}  # fmt: skip


def test_a_row_has_ours_the_authors_and_what_is_printed():
    assert "| network | parameters, M | GMAC at 256x256 | seeds |" in table_markdown(RESULT)
    rows = [line for line in table_markdown(RESULT).splitlines() if line.startswith("| onenet")]
    assert rows == [
        "| onenet-e-4,width=16 | 1.23 | 0.99 | 2 | 0.600 ± 0.141 | 0.700 ± 0.141 | - | 0.500 ± 0.000 "
        "| 0.900 ± 0.000 | 0.400 ± 0.000 | 1.380 ± 0.000 | 0.636 | 0.5176 | - | 0.309 |",
        "| onenet-x-s | 1.23 | 0.99 | 1 | 0.800 (0.750 to 0.850) | 0.900 | - | 0.500 "
        "| 0.900 | 0.400 | 1.380 | - | - | - | - |",
    ]  # fmt: skip


def test_volumes_are_scored_case_by_case(tmp_path, write_msd):
    write_msd(8, folder="volumes")
    one = ImageSet("hippocampus", "volumes", ("data.format=msd",))
    overrides = ("train.epochs=1", "train.batch=4", "data.size=16", "data.fit=none", "train.examples=0")
    plan = PaperTable("table1", "quick", "default", "test", MODELS[:1], (one,), (0,), overrides)
    result = run_table(plan, tmp_path, [], tmp_path / "out", Trainer())
    (found,) = result["cells"]
    cases = found["report"]["cases"]
    assert cases["cases"] == found["images"]["test"] and "authors" not in found["report"]
    slices = found["report"]["slices"]
    assert 0 < slices["authors"]["authors' accuracy"] <= 1 and slices["cross_entropy"] > 0
    (row,) = [line for line in table_markdown(result).splitlines() if line.startswith("| onenet")]
    theirs = slices["authors"]["authors' mIOU"]
    assert row.split(" | ")[8] == f"{theirs:.3f}"
    text = table_markdown(result)
    assert f"{found['images']['test']} to test" in text and " volumes to train" in text
    dice = cases["mean"]["dice"]["mean"]
    assert ("| -" if dice is None else f"{dice:.3f}") in text


def test_the_page_holds_the_same_table():
    page = table_page(RESULT)
    assert page.count("<tr>") == 3 and "<td>0.800 (0.750 to 0.850)</td>" in page
    assert "5 images to train, 2 to validate, 4 to test; 3 epochs at 16x24" in page


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("onenet-e-4,width=16", "onenet-e-4"),
        ("onenet-ed-4-half", "onenet-ed-4"),
        ("onenet-ed-4-half,spatial_kernel=9", "onenet-ed-4-spatial"),
        ("onenet-ed-4-spatial,width=16,spatial_place=between", "onenet-ed-4-spatial,spatial_place=between"),
        ("unet-4,width=16", "unet-4"),
    ],
)
def test_a_network_is_the_papers_at_any_width_unless_it_is_a_variant(model, row):
    assert paper_row(model) == row


def test_what_is_printed_stands_in_the_papers_own_text():
    """Every row of the tables, number by number, where the paper's text is at hand."""
    paper = Path(__file__).parents[3] / "shared" / "paper" / "onenet_paper.txt"
    if not paper.is_file():
        pytest.skip("the paper's text is not here")
    text = paper.read_text(encoding="utf-8")
    first, third = (text[text.index("Method\tVOC") : text.index("Table 1:")],
                    text[text.index("Method\t\tPET") : text.index("Table 3:")])  # fmt: skip
    for table, part, sets, models in (
        ("table1", first, ("voc", "pet-full", "pet-small", "heart", "brain", "lung"),
         ("unet-4", "resnet34-unet", "resnet50-unet", "mobilenet-unet-4", "onenet-e-4", "onenet-ed-4")),
        ("table3", third, ("pet-small", "heart", "lung"),
         ("onenet-e-4-spatial", "onenet-e-4", "onenet-ed-4-spatial", "onenet-ed-4")),
    ):  # fmt: skip
        numbers = [list(map(float, re.findall(r"\d\.\d+", line))) for line in part.splitlines()]
        numbers = [line for line in numbers if len(line) >= 12]
        for model, line in zip(models, numbers, strict=True):
            found = [printed(table, name, model) for name in sets]
            ours = [(one.cross_entropy, one.average_precision, one.iou, one.dice) for one in found]
            assert [value for one in ours for value in one if value is not None] == line


@pytest.mark.parametrize("table", ["table1", "table3"])
def test_every_budget_of_a_table_can_be_run(table):
    assert list(budgets_of(table)) == ["quick", "gpu25", "paper"]
    for budget in budgets_of(table):
        plan = load_plan(table, budget)
        assert isinstance(plan, PaperTable) and plan.seeds and plan.sets
        assert any(
            printed(table, one.name, paper_row(model)) for one in plan.sets for model in one.models or plan.models
        )
        for one in plan.sets:
            config = load_config(plan.recipe, [*plan.overrides, *one.overrides])
            for model in one.models or plan.models:
                name, *sizes = model.split(",")
                settings = load_config(plan.recipe, [f"model.name={name}", *(f"model.{size}" for size in sizes)]).model
                with torch.device("meta"):
                    create_model(settings.pop("name"), num_classes=3, **settings)
            assert config.data.format


def test_the_json_is_json(plan, tmp_path):
    alone = replace(plan, seeds=(0,), sets=plan.sets[:1], models=MODELS[:1])
    result = run_table(alone, tmp_path, [], tmp_path / "out", Trainer())
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_an_earlier_result_is_taken_over_and_sets_may_have_models_of_their_own(plan, tmp_path):
    first = replace(plan, seeds=(0,), sets=plan.sets[:1])
    earlier = run_table(first, tmp_path, [], tmp_path / "out", Trainer())
    trainer = Trainer()
    more = replace(first, sets=(*first.sets, replace(plan.sets[1], models=("unet-4,width=4,depth=2",))))
    result = run_table(more, tmp_path, [], tmp_path / "elsewhere", trainer, earlier=earlier)
    assert trainer.runs == [("another", "unet-4", 0)]
    assert result["cells"][:2] == earlier["cells"] and result["cells"][2]["model"] == "unet-4,width=4,depth=2"
    with pytest.raises(ConfigError, match=r"the earlier result has budget 'quick', this study has 'gpu25'"):
        run_table(replace(more, budget="gpu25"), tmp_path, [], tmp_path / "out", trainer, earlier=earlier)
