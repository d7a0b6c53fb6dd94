"""The means over cases, their intervals, and what is written of them."""

import dataclasses
import json

import numpy as np
import pytest

from onenet.card import Card
from onenet.metrics.bootstrap import mean_interval
from onenet.metrics.case_tables import draw_cases
from onenet.metrics.cases import CaseReport
from onenet.metrics.volume import score_case


@pytest.fixture
def report():
    random = np.random.default_rng(0)
    cases = []
    for number in range(6):
        truth = random.integers(0, 3, (6, 6, 6)).astype(np.uint8)
        prediction = np.where(random.random(truth.shape) < 0.8, truth, 0).astype(np.uint8)
        if number == 0:
            truth[truth == 2] = 0  # a case without the class, in which it is predicted
        if number == 1:
            prediction[prediction == 1] = 0
        cases.append(score_case(f"case{number}", truth, prediction, 3, (1.0, 1.0, 2.0), background=0))
    return CaseReport("knees", "test", ("background", "bone", "cartilage"), 0, 2.0, tuple(cases))


def test_means_are_over_the_cases_that_have_the_class(report):
    found = [case.values["dice"][2] for case in report.cases[1:]]
    assert report.mean("dice", 2) == pytest.approx(sum(found) / 5)
    assert report.missed(1) == 1
    both = [np.nanmean(case.values["dice"][1:]) for case in report.cases]
    assert report.mean("dice") == pytest.approx(np.mean(both))


def test_the_interval_is_that_of_drawing_cases_again():
    values = np.random.default_rng(1).random(30)
    generator = np.random.default_rng(2)
    means = [values[generator.integers(0, 30, 30)].mean() for _ in range(4000)]
    assert mean_interval(values) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.01)
    assert mean_interval(np.array([0.5, np.nan])) is None


def test_json_holds_every_case(report):
    found = json.loads(report.to_json())
    assert [case["name"] for case in found["per_case"]] == [f"case{n}" for n in range(6)]
    first = found["per_case"][0]["classes"][1]
    assert first["name"] == "cartilage"
    assert first["dice"] is None
    assert first["false_volume_ml"] > 0
    assert found["classes"][1]["cases"] == 5
    low, high = found["mean"]["dice"]["interval"]
    assert low <= found["mean"]["dice"]["mean"] <= high


def test_the_table_has_a_row_per_class_and_says_how_it_was_measured(report):
    text = report.to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert len({row.count("|") for row in rows}) == 1
    assert "surface Dice at 2 mm" in text
    assert "6 cases of knees, split test, each in its own grid" in text
    assert "cartilage is predicted where a case has none of it: in 1 of 1, " in text
    assert "95 % confidence interval over cases: Dice" in text


def test_a_single_case_is_called_one_and_has_no_interval(report):
    text = dataclasses.replace(report, cases=report.cases[2:3]).to_markdown()
    assert "\n1 case of knees, split test, in its own grid\n" in text
    assert "interval" not in text


def test_the_page_lists_the_cases_from_the_lowest_dice_to_the_highest(report):
    colours = ((0, 0, 0), (9, 9, 9), (5, 5, 5))
    page = draw_cases(report, Card("any", {"in_channels": 1, "num_classes": 3}, report.classes, colours))
    order = np.argsort(report.per_case("dice"))
    places = [page.index(f">case{place}<") for place in order]
    assert places == sorted(places)
    assert "surface Dice at 2 mm" in page
