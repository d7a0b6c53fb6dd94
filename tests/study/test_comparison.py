"""A comparison: learning rates searched alike for all, every cell in float and INT8, a table and pictures of it."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from onenet.study.comparison import run_comparison
from onenet.study.comparison_table import comparison_markdown, points
from onenet.study.front_plot import Point, draw_front, front
from onenet.study.plan import Comparison, ImageSet

MODELS = ("onenet-ed-4,width=4,depth=2", "onenet-x-n,width=8,deepest=8")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("onenet.study.comparison.COUNTED_AT", (32, 32))
    monkeypatch.setattr("onenet.bench.latency.LARGE", (64, 32, 16))
    monkeypatch.setattr("onenet.bench.rates._best_seconds", lambda shape, precision, threads: 0.001)


@pytest.fixture
def plan(photos):
    sets = tuple(ImageSet(name, "photos", overrides) for name, overrides in (("one", ()), ("two", ("data.val=0.3",))))
    photos(count=8, size=(24, 24))
    overrides = ("train.epochs=1", "train.batch=2", "data.size=16", "data.fit=none", "train.examples=0")
    return Comparison("pareto", "cpu", "default", "test", MODELS, sets, (0,), (1e-3, 1e-2), overrides)


class Trainer:
    def __init__(self):
        self.runs = []

    def __call__(self, run):
        self.runs.append((run.folder.path.parent.name, run.config.model["name"], run.config.train.learning_rate))
        for _ in run.epochs():
            pass


@pytest.fixture
def done(plan, tmp_path):
    trainer = Trainer()
    return run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer), trainer


def test_rates_are_searched_on_the_first_set_and_the_better_one_is_used_everywhere(done):
    result, trainer = done
    assert [run for run in trainer.runs if run[0] == "one"] == [
        (("one", name, rate)) for name in ("onenet-ed-4", "onenet-x-n") for rate in (1e-3, 1e-2)
    ]
    for cell in result["cells"]:
        tried = {float(rate): value for rate, value in cell["validation_by_rate"].items()}
        assert set(tried) == {1e-3, 1e-2} and cell["learning_rate"] == max(tried, key=tried.get)
    chosen = {cell["model"].split(",")[0]: cell["learning_rate"] for cell in result["cells"]}
    assert [run for run in trainer.runs if run[0] == "two"] == [("two", name, rate) for name, rate in chosen.items()]


def test_every_cell_has_its_scores_and_its_int8_file(done, tmp_path):
    result, _ = done
    assert [(cell["set"], cell["model"]) for cell in result["cells"]] == [
        (one, model) for one in ("one", "two") for model in MODELS
    ]
    for cell in result["cells"]:
        assert 0 <= cell["mean_iou"] <= 1 and 0 <= cell["int8"]["mean_iou"] <= 1
        file = tmp_path / "study" / cell["folder"] / cell["int8"]["file"]
        assert cell["int8"]["megabytes"] == round(file.stat().st_size / 1e6, 3)
        assert cell["parameters"] > 0 and cell["gmacs"] >= 0
    assert {row["model"] for row in result["timing"]["rows"]} == set(MODELS)
    assert all(row["ms"]["median"] > 0 for row in result["timing"]["rows"])
    json.dumps(result, allow_nan=False)


def test_what_is_done_is_not_done_again_and_no_cell_begins_too_late(done, plan, tmp_path):
    result, _ = done
    trainer = Trainer()
    assert run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer)["cells"] == result["cells"]
    assert trainer.runs == []
    late = run_comparison(replace(plan, minutes=1e-9, seeds=(0, 1)), str(tmp_path), [], tmp_path / "study", trainer)
    assert late["cells"] == result["cells"] and trainer.runs == []
    assert late["missing"][0] == f"one {MODELS[0]} seed 1" and len(late["missing"]) == 4
    assert comparison_markdown(late).endswith("Not done yet: 4 cells.")


RESULT = {
    "split": "test", "missing": [],
    "cells": [
        {"set": "pet", "model": model, "seed": seed, "parameters": 1e6, "gmacs": 0.5, "learning_rate": 1e-3,
         "mean_iou": iou, "int8": int8}
        for model, seed, iou, int8 in (
            ("onenet-x-s", 0, 0.70, {"mean_iou": 0.69, "megabytes": 0.9, "file": "a"}),
            ("onenet-x-s", 1, 0.72, {"mean_iou": 0.71, "megabytes": 0.9, "file": "a"}),
            ("unet-4", 0, 0.65, {"mean_iou": 0.64, "megabytes": 8.0, "file": "b"}),
            ("odd", 0, 0.5, {"failed": "no such form"}),
        )
    ],
    "timing": {"rows": [{"model": "unet-4", "ms": {"median": 50.0}}, {"model": "onenet-x-s", "ms": {"median": 2.0}}]},
}  # fmt: skip


def test_the_table_has_a_row_per_network_the_quickest_first():
    lines = comparison_markdown(RESULT).splitlines()
    assert lines[0] == "| network | parameters, M | GMAC | INT8, MB | INT8, ms | rate | pet |"
    assert lines[2] == "| onenet-x-s | 1.00 | 0.50 | 0.90 | 2.0 | 0.001 | 0.700 ± 0.014 (0.710) |"
    assert lines[3] == "| unet-4 | 1.00 | 0.50 | 8.00 | 50.0 | 0.001 | 0.640 (0.650) |"
    assert lines[4] == "| odd | 1.00 | 0.50 |  |  | 0.001 | 0.500 (float) |"
    assert [point["scores"] for point in points(RESULT)] == [{"pet": [0.69, 0.71]}, {"pet": [0.64]}, {"pet": [0.5]}]


def test_the_picture_has_a_point_for_each_network_with_an_int8_file():
    root = ElementTree.fromstring(draw_front(RESULT, "pet", "ms"))
    circles = [element for element in root if element.tag.endswith("circle")]
    assert len(circles) == 2
    quick, slow = circles
    assert float(quick.get("cx")) < float(slow.get("cx")) and float(quick.get("cy")) < float(slow.get("cy"))
    texts = [element.text for element in root if element.tag.endswith("text")]
    assert "onenet-x-s" in texts and "unet-4" in texts and "odd" not in texts


def test_the_front_is_what_nothing_beats():
    shown = [Point(name, cost, score, 0.0) for name, cost, score in (
        ("a", 1.0, 0.5), ("b", 2.0, 0.4), ("c", 3.0, 0.6), ("d", 3.0, 0.55), ("e", 9.0, 0.6),
    )]  # fmt: skip
    assert [point.name for point in front(shown)] == ["a", "c"]
