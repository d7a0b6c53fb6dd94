"""A study trains every cell of its grid once, can be stopped at any time, and says what it found."""

import json

import pytest

from onenet.errors import OneNetError
from onenet.study.grid import run_plan, to_markdown
from onenet.study.plan import Plan

PLAN = Plan("pets", "default", "test", models=("onenet-ed-4", "unet-4"), seeds=(0, 1), overrides=("train.epochs=1",))
CELLS = [("onenet-ed-4", 0), ("unet-4", 0), ("onenet-ed-4", 1), ("unet-4", 1)]


@pytest.fixture
def changes(tiny, photos):
    return [*(change for change in tiny if "epochs" not in change), f"data.root={photos()}"]


class Trainer:
    """Trains a cell; keeps which, and stops where it is told to."""

    def __init__(self, stop_in=None):
        self.cells, self.stop_in = [], stop_in

    def __call__(self, run):
        cell = run.config.model["name"], run.config.train.seed
        self.cells.append(cell)

        def on_step(epoch, step, loss):
            if cell == self.stop_in:
                raise KeyboardInterrupt

        for _ in run.epochs(on_step):
            pass


def untimed(result):
    return [{key: value for key, value in cell.items() if key != "train_minutes"} for cell in result["cells"]]


def test_every_model_is_trained_with_every_seed_and_scored_on_the_split(tmp_path, changes):
    trainer = Trainer()
    result = run_plan(PLAN, tmp_path / "study", changes, trainer)
    assert trainer.cells == CELLS
    assert [(cell["model"], cell["seed"]) for cell in result["cells"]] == CELLS
    for cell in result["cells"]:
        assert cell["report"]["split"] == "test" and cell["report"]["data"] == "photos"
        assert cell["epochs"] == 1 and cell["size"] == [16, 16] and cell["sizes"]["width"] == 4
        assert cell["images"] == {"train": 4, "val": 1, "test": 1} and cell["report"]["images"] == 1
        assert cell["parameters"] > 0 and cell["gmacs"] >= 0
    assert result["cells"][0]["parameters"] == result["cells"][2]["parameters"]
    json.dumps(result, allow_nan=False)


def test_cells_that_are_done_are_not_trained_again(tmp_path, changes):
    first = run_plan(PLAN, tmp_path / "study", changes, Trainer())
    trainer = Trainer()
    assert run_plan(PLAN, tmp_path / "study", changes, trainer) == first
    assert trainer.cells == []


def test_a_study_that_was_stopped_in_a_cell_goes_on_there_and_ends_with_the_same_figures(tmp_path, changes):
    with pytest.raises(KeyboardInterrupt):
        run_plan(PLAN, tmp_path / "study", changes, Trainer(stop_in=CELLS[1]))
    trainer = Trainer()
    result = run_plan(PLAN, tmp_path / "study", changes, trainer)
    assert trainer.cells == CELLS[1:]
    assert untimed(result) == untimed(run_plan(PLAN, tmp_path / "again", changes, Trainer()))


def test_cells_of_another_configuration_are_not_taken_for_these(tmp_path, changes):
    run_plan(PLAN, tmp_path / "study", changes, Trainer())
    trainer = Trainer()
    try:
        result = run_plan(PLAN, tmp_path / "study", [*changes, "train.epochs=2"], trainer)
    except OneNetError as refusal:
        assert "study" in str(refusal)
    else:
        assert [cell["epochs"] for cell in result["cells"]] == [2] * 4


def test_a_model_argument_may_be_changed_for_all_cells(tmp_path, changes):
    one = Plan("one", "default", "test", models=("onenet-ed-4",), seeds=(0,), overrides=("train.epochs=1",))
    result = run_plan(one, tmp_path / "study", [*changes, "model.num_classes=2", "model.width=6"], Trainer())
    assert result["cells"][0]["sizes"] == {"width": 6, "depth": 2, "stem_repeat": 1, "num_classes": 2}


def cell(model, iou, **changes):
    report = {
        "mean_iou": iou, "mean_dice": 0.5, "pixel_accuracy": 0.75, "cross_entropy": 0.25,
        "classes": [{"name": "cat", "iou": iou}, {"name": "dog", "iou": None}],
    }  # fmt: skip
    costs = dict(sizes={"width": 16}, size=[16, 24], parameters=1_500_000, gmacs=0.25, train_minutes=2.0)
    return {"model": model, **costs, "report": report, **changes}


def test_the_table_has_a_row_per_model_with_mean_and_standard_deviation():
    table = to_markdown({"cells": [cell("a", 0.50), cell("b", 0.70), cell("a", 0.60), cell("a", 0.70)]})
    head, rule, a, b = ([part.strip() for part in line.strip("|").split("|")] for line in table.splitlines())
    assert len(head) == len(rule) == len(a) == len(b)
    row = dict(zip(head, a, strict=True))
    assert row["model"] == "a" and row["seeds"] == "3" and row["width"] == "16"
    assert row["mean IoU"] == "**0.600 ± 0.100**"  # of 0.5, 0.6 and 0.7, with n - 1
    assert row["IoU cat"] == "0.600 ± 0.100" and row["IoU dog"] == "-"
    assert row["parameters, M"] == "1.50" and row["GMAC at 16x24"] == "0.25"
    assert dict(zip(head, b, strict=True))["mean IoU"] == "**0.700**"  # one seed has no spread
    assert "| GMAC at the size of training |" in to_markdown({"cells": [cell("a", 0.5), cell("b", 0.5, size=[16, 16])]})
    one = cell("c", 0.70)
    one["report"]["confidence_intervals"] = {"mean_iou": [0.65, 0.74]}
    assert "| **0.700 (0.650 to 0.740)** |" in to_markdown({"cells": [one]})


def test_many_classes_have_no_columns_of_their_own():
    many = cell("a", 0.5)
    many["report"] = many["report"] | {"classes": [{"name": f"class {i}", "iou": 0.5} for i in range(11)]}
    assert "IoU class" not in to_markdown({"cells": [many]})


def test_done_cells_are_scored_again_where_it_is_asked_for(tmp_path, changes):
    one = Plan("one", "default", "test", models=("onenet-ed-4",), seeds=(0,), overrides=("train.epochs=1",))
    first = run_plan(one, tmp_path / "study", changes, Trainer())
    file = tmp_path / "study/onenet-ed-4-seed0/cell.json"
    stale = json.loads(file.read_text())
    del stale["images"]  # as cells of earlier versions
    stale["report"]["mean_iou"] = 2.0
    file.write_text(json.dumps(stale))
    assert run_plan(one, tmp_path / "study", changes, Trainer())["cells"][0]["report"]["mean_iou"] == 2.0
    trainer = Trainer()
    again = run_plan(one, tmp_path / "study", changes, trainer, rescore=True)
    assert again["cells"] == first["cells"] and trainer.cells == []
