"""Post-processing is chosen where it raises Dice, and left out where it does not."""

import numpy as np
import pytest

from onenet.metrics.case_scoring import SegmentedCase
from onenet.metrics.postprocessing import choose_steps
from onenet.metrics.volume import score_case


def case(truth, prediction):
    image = np.zeros((*truth.shape, 1), np.float32)
    return SegmentedCase("any", image, truth, prediction, (1.0, 1.0, 1.0))


@pytest.fixture
def organs():
    """Two classes: the prediction of the first has a speck and a hole, that of the second is perfect in two parts."""
    truth = np.zeros((20, 16, 12), np.uint8)
    truth[2:9, 2:9, 2:9] = 1
    truth[12:14, 2:5, 2:5] = truth[16:18, 2:5, 2:5] = 2
    prediction = truth.copy()
    prediction[5, 5, 5] = 0
    prediction[10:12, 13:15, 9:11] = 1
    return case(truth, prediction)


def test_specks_and_holes_are_put_right_where_they_are_wrong(organs):
    steps, dice = choose_steps([organs, organs], 3, 0)
    assert steps == {"largest": [1], "holes": [1]}
    assert dice[3, 1] == 1
    assert dice[1, 2] < dice[0, 2] == 1  # the largest part alone would lose the other one
    plain = score_case("any", organs.truth, organs.prediction, 3, (1.0, 1.0, 1.0), 0).values["dice"]
    assert dice[0, 1:] == pytest.approx(plain[1:])


def test_nothing_is_done_where_nothing_helps(organs):
    steps, _ = choose_steps([case(organs.truth, organs.truth)], 3, 0)
    assert steps == {}


def test_classes_that_overlap_are_tried_each_by_itself(organs):
    codes = [np.where(mask == 1, 1, 0) + np.where(mask > 0, 2, 0) for mask in (organs.truth, organs.prediction)]
    truth, prediction = (code.astype(np.uint8) for code in codes)
    steps, _ = choose_steps([case(truth, prediction)], 2, None, overlapping=True)
    assert 0 in steps["largest"] and 0 in steps["holes"]
    assert 1 not in steps["largest"]


def test_without_a_class_in_the_truth_there_is_nothing_to_choose():
    nothing = np.zeros((4, 4, 4), np.uint8)
    steps, dice = choose_steps([case(nothing, nothing)], 2, 0)
    assert steps == {}
    assert np.isnan(dice[:, 1]).all()
