"""The report says the same in JSON and in Markdown, also of what is not a number."""

import json

import numpy as np
import pytest

from onenet.metrics.report import Report


def report(matrix=((2, 1, 0), (1, 4, 0), (0, 0, 0)), background=0, **changes):
    values = dict(
        data="pets", split="test", images=2, classes=("background", "pet", "border"), background=background,
        matrix=np.array(matrix), cross_entropy=0.25, per_image=(("a", 0.5), ("b", float("nan"))),
    )  # fmt: skip
    return Report(**(values | changes))


def test_means_are_over_the_classes_that_occur_with_and_without_the_background():
    found = report()
    assert found.mean_iou == pytest.approx((2 / 4 + 4 / 6) / 2)
    assert found.foreground_iou == pytest.approx(4 / 6)
    assert found.mean_dice == pytest.approx((4 / 6 + 8 / 10) / 2)
    assert found.foreground_dice == pytest.approx(8 / 10)


def test_without_a_background_the_foreground_is_everything():
    found = report(background=None)
    assert found.foreground_iou == found.mean_iou
    assert found.foreground_dice == found.mean_dice


def test_json_holds_every_figure_and_null_for_what_is_not_a_number():
    text = report().to_json()
    assert "NaN" not in text
    found = json.loads(text)
    assert found["foreground_iou"] == pytest.approx(4 / 6, abs=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(6 / 8)
    assert found["cross_entropy"] == 0.25
    assert [row["iou"] for row in found["classes"]] == [0.5, pytest.approx(4 / 6, abs=1e-6), None]
    assert [row["pixels"] for row in found["classes"]] == [3 / 8, 5 / 8, 0]
    assert found["confusion_matrix"] == [[2, 1, 0], [1, 4, 0], [0, 0, 0]]
    assert found["per_image"] == [{"name": "a", "mean_iou": 0.5}, {"name": "b", "mean_iou": None}]


def test_json_of_an_empty_set_is_valid_too():
    found = json.loads(report(np.zeros((3, 3), dtype=int), cross_entropy=float("nan"), images=0).to_json())
    assert found["mean_iou"] is found["cross_entropy"] is found["pixel_accuracy"] is None


def test_markdown_has_a_row_per_class_and_a_dash_for_what_is_not_a_number():
    lines = report().to_markdown().splitlines()
    assert lines[:5] == [
        "| class | pixels | IoU | Dice |",
        "|---|---:|---:|---:|",
        "| background | 37.5 % | 0.500 | 0.667 |",
        "| pet | 62.5 % | 0.667 | 0.800 |",
        "| border | 0.0 % | - | - |",
    ]
    assert lines[5] == "| **mean** | | **0.583** | **0.733** |"
    assert lines[6] == "| mean without background | | 0.667 | 0.800 |"
    assert lines[-1] == "2 images of pets, split test; pixel accuracy 0.750, cross-entropy 0.250"


def test_markdown_has_no_row_without_background_where_there_is_none():
    assert "without" not in report(background=None).to_markdown()
