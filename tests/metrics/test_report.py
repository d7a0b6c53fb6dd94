"""The report says the same in JSON and in Markdown, also of what is not a number."""

import dataclasses
import json

import numpy as np
import pytest

from onenet.metrics.report import Details, Report

NAN = float("nan")


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
        "| class | pixels | IoU | Dice | precision | recall |",
        "|---|---:|---:|---:|---:|---:|",
        "| background | 37.5 % | 0.500 | 0.667 | 0.667 | 0.667 |",
        "| pet | 62.5 % | 0.667 | 0.800 | 0.800 | 0.800 |",
        "| border | 0.0 % | - | - | - | - |",
    ]
    assert lines[5] == "| **mean** | | **0.583** | **0.733** | **0.733** | **0.733** |"
    assert lines[6] == "| mean without background | | 0.667 | 0.800 | 0.800 | 0.800 |"
    assert lines[-1] == "2 images of pets, split test; pixel accuracy 0.750, cross-entropy 0.250"


def test_markdown_has_no_row_without_background_where_there_is_none():
    assert "without" not in report(background=None).to_markdown()


def detailed(**changes):
    details = Details(
        0.0625, np.array([0.5, 0.25, NAN]), np.array([NAN, 0.75, NAN]),
        {"mean_iou": (0.5, 0.625), "foreground_iou": (0.25, 0.875)},
    )  # fmt: skip
    return report(details=details, weighted_cross_entropy=0.375, **changes)


def test_json_has_the_details_beside_the_counts():
    found = json.loads(detailed().to_json())
    assert [row["boundary_f"] for row in found["classes"]] == [0.5, 0.25, None]
    assert [row["average_precision"] for row in found["classes"]] == [None, 0.75, None]
    assert [row["precision"] for row in found["classes"]] == [pytest.approx(2 / 3, abs=1e-6), 0.8, None]
    assert (found["mean_boundary_f"], found["foreground_boundary_f"]) == (0.375, 0.25)
    assert found["mean_average_precision"] == found["foreground_average_precision"] == 0.75
    assert (found["cross_entropy"], found["weighted_cross_entropy"]) == (0.25, 0.375)
    assert found["calibration_error"] == 0.0625
    assert found["confidence_intervals"] == {"mean_iou": [0.5, 0.625], "foreground_iou": [0.25, 0.875]}


def test_json_without_details_says_nothing_of_them():
    found = report().to_dict()
    assert "calibration_error" not in found and "confidence_intervals" not in found and "authors" not in found
    assert "boundary_f" not in found["classes"][0]
    assert found["weighted_cross_entropy"] is None


def test_markdown_names_both_cross_entropies_and_the_interval():
    text = detailed(images=8).to_markdown()
    assert "| boundary F | AP at IoU 0.5 |" in text
    assert "| pet | 62.5 % | 0.667 | 0.800 | 0.800 | 0.800 | 0.250 | 0.750 |" in text
    assert "cross-entropy 0.250 unweighted, 0.375 weighted as trained" in text
    assert text.endswith("calibration error 0.062; 95 % confidence interval over images: mean IoU 0.500 to 0.625, "
                         "without background 0.250 to 0.875")  # fmt: skip


def test_an_interval_of_few_images_says_so():
    assert "confidence interval over images (of 2 only, from which little follows): mean" in detailed().to_markdown()


def test_the_authors_figures_are_apart_and_said_not_to_be_iou_or_dice():
    found = report(authors={"authors' mIOU": 0.9, "authors' DSC": NAN})
    assert json.loads(found.to_json())["authors"] == {"authors' mIOU": 0.9, "authors' DSC": None}
    last = found.to_markdown().splitlines()[-1]
    assert last.startswith("authors' mIOU 0.900, authors' DSC -. The authors' figures")
    assert "They are not IoU, Dice or average precision" in last


def overlapping():
    return report(np.array([[[5, 1], [1, 3]], [[6, 0], [4, 0]], [[10, 0], [0, 0]]]), background=None, cross_entropy=0.5)


def test_overlapping_classes_have_decisions_instead_of_a_pixel_accuracy():
    found = json.loads(overlapping().to_json())
    assert found["overlapping"] is True and report().to_dict()["overlapping"] is False
    assert found["pixel_accuracy"] is found["cross_entropy"] is None
    assert found["right_decisions"] == pytest.approx(24 / 30)
    assert found["binary_cross_entropy"] == 0.5
    assert [row["iou"] for row in found["classes"]] == [0.6, 0, None]
    assert [row["pixels"] for row in found["classes"]] == [0.4, 0.4, 0]
    assert found["confusion_matrix"][0] == [[5, 1], [1, 3]]


def test_markdown_of_overlapping_classes_names_what_it_shows():
    assert overlapping().to_markdown().endswith("split test; right decisions 0.800, binary cross-entropy 0.500")


def test_a_class_of_which_the_data_has_no_image_has_no_score_even_where_it_is_predicted():
    matrix = np.array([[6, 2, 0], [0, 4, 4], [0, 0, 0]])  # class 2 is predicted four times and never there
    whole = Report("pets", "test", 1, ("background", "cat", "dog"), 0, matrix, 0.5)
    assert whole.mean_iou == pytest.approx((6 / 8 + 4 / 10 + 0) / 3)
    without = dataclasses.replace(whole, absent=(2,))
    assert without.mean_iou == pytest.approx((6 / 8 + 4 / 10) / 2)
    assert without.foreground_dice == pytest.approx(2 * 4 / (8 + 6))
    assert without.to_dict()["classes"][2]["iou"] is None
