"""The scores of a case against counts by hand and MONAI's Dice."""

import warnings

import numpy as np
import pytest

from onenet.images import IGNORED
from onenet.metrics.volume import NAMES, score_case

SPACING = (1.0, 2.0, 3.0)


@pytest.fixture
def masks():
    random = np.random.default_rng(3)
    return random.integers(0, 4, (2, 8, 7, 6)).astype(np.uint8)


def test_overlap_and_volume_are_counts_of_voxels(masks):
    truth, prediction = masks
    scores = score_case("a", truth, prediction, 4, SPACING, background=0)
    for index in (1, 2, 3):
        both = sum(t == p == index for t, p in zip(truth.flat, prediction.flat, strict=True))
        true, drawn = int((truth == index).sum()), int((prediction == index).sum())
        values = {name: scores.values[name][index] for name in NAMES}
        assert values["dice"] == pytest.approx(2 * both / (true + drawn))
        assert values["iou"] == pytest.approx(both / (true + drawn - both))
        assert values["sensitivity"] == pytest.approx(both / true)
        assert values["true_ml"] == pytest.approx(true * 6 / 1000)
        assert values["volume_error_ml"] == pytest.approx((drawn - true) * 6 / 1000)
        assert np.isnan(values["false_volume_ml"])
    assert all(np.isnan(scores.values[name][0]) for name in NAMES)


def test_monai_has_the_same_dice(masks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = pytest.importorskip("monai.metrics")
        import torch

        one, two = (
            torch.from_numpy(np.stack([mask == k for k in range(4)])[None].astype(np.float32)) for mask in masks
        )
        theirs = metrics.compute_dice(two, one, include_background=True)[0]
    ours = score_case("a", *masks, 4, SPACING).values["dice"]
    assert ours == pytest.approx(theirs.numpy(), abs=1e-6)


def test_a_class_that_is_not_there_has_no_dice_but_a_false_volume():
    truth, prediction = np.zeros((2, 4, 4, 4), np.uint8)
    prediction[0, 0, :2] = 1
    scores = score_case("a", truth, prediction, 2, SPACING, background=0)
    values = {name: scores.values[name][1] for name in NAMES}
    assert all(np.isnan(values[name]) for name in ("dice", "iou", "hd95_mm", "surface_dice", "volume_error_ml"))
    assert values["false_volume_ml"] == pytest.approx(2 * 6 / 1000)
    assert values["false_lesions"] == 1
    assert not scores.missed.any()


def test_a_class_that_is_missed_is_told():
    truth, prediction = np.zeros((2, 4, 4, 4), np.uint8)
    truth[0, 0, :2] = 1
    scores = score_case("a", truth, prediction, 2, SPACING, background=0)
    assert (scores.values["dice"][1], scores.values["surface_dice"][1]) == (0, 0)
    assert np.isnan(scores.values["hd95_mm"][1])
    assert scores.missed.tolist() == [False, True]


def test_what_is_not_counted_counts_for_nothing(masks):
    truth, prediction = masks
    truth[:4] = IGNORED
    whole = score_case("a", truth, prediction, 4, SPACING, background=0)
    part = score_case("a", truth[4:], prediction[4:], 4, SPACING, background=0)
    for name in NAMES:
        assert whole.values[name] == pytest.approx(part.values[name], nan_ok=True)


def test_classes_that_overlap_are_scored_each_by_itself(masks):
    codes_true, codes_drawn = masks  # two bits
    scores = score_case("a", codes_true, codes_drawn, 2, SPACING, overlapping=True)
    for bit in range(2):
        plain = [(codes >> bit & 1).astype(np.uint8) for codes in masks]
        alone = score_case("a", *plain, 2, SPACING, background=0)
        for name in NAMES:
            assert scores.values[name][bit] == pytest.approx(alone.values[name][1], nan_ok=True)
