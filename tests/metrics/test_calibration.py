"""The calibration error by hand, by loops and by torchmetrics."""

import math

import numpy as np
import pytest

from onenet.metrics.calibration import BINS, CalibrationBins


def error(confidence, right):
    bins = CalibrationBins()
    bins.add(np.asarray(confidence, dtype=np.float32), np.asarray(right, dtype=bool))
    return bins.error


@pytest.fixture
def decisions():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.3, 1, 5000).astype(np.float32)
    return confidence, random.random(5000) < confidence**2  # surer than it should be


def test_a_model_that_is_as_often_right_as_it_says_has_none():
    assert error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)


def test_a_model_that_is_sure_and_wrong_has_all_of_it():
    assert error([1, 1, 1], [False] * 3) == 1


def test_nine_pixels_by_hand():
    # a 3x3 image: bins of 0.4 (3 pixels, 1 right), 0.7 (4, all right) and 1 (2, 1 right)
    confidence, right = [0.45] * 3 + [0.7] * 4 + [1.0] * 2, [1, 0, 0] + [1] * 4 + [1, 0]
    assert error(confidence, right) == pytest.approx((3 * abs(0.45 - 1 / 3) + 4 * 0.3 + 2 * 0.5) / 9)


def test_it_is_the_weighted_gap_of_every_bin(decisions):
    confidence, right = decisions
    expected = 0.0
    for number in range(BINS):
        inside = [i for i in range(5000) if number / BINS <= confidence[i] < (number + 1) / BINS]
        if inside:
            gap = np.mean(confidence[inside].astype(float)) - np.mean(right[inside])
            expected += len(inside) / 5000 * abs(gap)
    assert error(confidence, right) == pytest.approx(expected, rel=1e-6)
    assert expected > 0.05


def test_torchmetrics_finds_the_same(decisions):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    confidence, right = decisions
    two = torch.tensor(np.stack([confidence, 1 - confidence], axis=1))
    two[confidence < 0.5] = two[confidence < 0.5].flip(1)  # the top class of two is never below one half
    wrong = torch.tensor(~right).long()
    top = np.maximum(confidence, 1 - confidence)
    theirs = metrics.multiclass_calibration_error(two, wrong, num_classes=2, n_bins=BINS, norm="l1")
    assert error(top, (two.argmax(1) == wrong).numpy()) == pytest.approx(float(theirs), abs=1e-6)


def test_parts_add_up_to_the_whole(decisions):
    confidence, right = decisions
    bins = CalibrationBins()
    for part in np.array_split(np.arange(5000), 7):
        bins.add(confidence[part], right[part])
    assert bins.error == pytest.approx(error(confidence, right))


def test_of_nothing_it_is_not_a_number():
    assert math.isnan(CalibrationBins().error)
    assert math.isnan(error([], []))


def test_a_confidence_that_is_not_a_number_counts_as_none():
    assert error([math.nan, 1], [False, True]) == 0
