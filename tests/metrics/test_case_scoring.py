"""Scores of several volumes: one report per case, one of all voxels."""

import numpy as np
import pytest

from onenet.card import Card
from onenet.metrics.case_scoring import SegmentedCase, score_cases
from onenet.metrics.confusion import confusion_matrix

CARD = Card("any", {"in_channels": 1, "num_classes": 3}, ("background", "a", "b"), ((0, 0, 0), (9, 9, 9), (5, 5, 5)))


def cases(count):
    random = np.random.default_rng(0)
    for number in range(count):
        truth = random.integers(0, 3, (6, 5, 4)).astype(np.uint8)
        wrong = random.random(truth.shape) < number / (count + 1)
        prediction = np.where(wrong, (truth + 1) % 3, truth).astype(np.uint8)
        image = truth[..., None].astype(np.float32)
        yield SegmentedCase(f"case{number}", image, truth, prediction, (1.0, 1.0, 2.0))


def test_voxels_are_counted_together_and_cases_each_by_itself():
    of_cases, report, _ = score_cases(cases(3), CARD, "knees", "val", 1.0)
    total = sum(confusion_matrix(case.truth, case.prediction, 3) for case in cases(3))
    assert (report.matrix == total).all()
    assert report.images == 3
    assert [case.name for case in of_cases.cases] == ["case0", "case1", "case2"]
    assert of_cases.mean("dice", 1) > 0.5
    assert of_cases.cases[0].values["dice"][1] == 1
    assert np.isnan(report.figures()["cross_entropy"])


def test_the_best_and_the_worst_cases_are_pictured_from_best_to_worst():
    _, report, strips = score_cases(cases(12), CARD, "knees", "val")
    ranked = [name for name, _ in sorted(report.per_image, key=lambda pair: -pair[1])]
    assert [strip.name for strip in strips] == ranked[:4] + ranked[-4:]
    assert strips[0].image.shape == (5, 6, 1)
    assert strips[0].truth.shape == (5, 6)


def test_the_pictured_slice_is_the_one_with_most_of_the_classes():
    truth = np.zeros((6, 5, 4), np.uint8)
    truth[1:4, 2, 3] = 1
    case = SegmentedCase("one", np.zeros((6, 5, 4, 1)), truth, truth, (1.0, 1.0, 1.0))
    _, _, strips = score_cases([case], CARD, "knees", "val")
    assert strips[0].truth.sum() == 3


def test_nothing_to_score_is_an_empty_report():
    of_cases, report, strips = score_cases([], CARD, "knees", "val")
    assert (len(of_cases.cases), report.images, strips) == (0, 0, [])
    assert of_cases.mean("dice") != of_cases.mean("dice")
    assert "0 cases" in of_cases.to_markdown()
    assert of_cases.to_dict()["mean"]["dice"] == {"mean": None, "interval": None}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_may_be_shown_along_any_axis(axis):
    case = next(cases(1))
    turned = SegmentedCase("one", case.image, case.truth, case.prediction, case.spacing, axis)
    _, _, strips = score_cases([turned], CARD, "knees", "val")
    sides = [length for place, length in enumerate((6, 5, 4)) if place != axis]
    assert strips[0].truth.shape == (sides[1], sides[0])
