"""A hint says what is striking in the counts, and nothing is said where nothing is."""

import numpy as np
import pytest

from onenet.metrics.hints import hints
from onenet.metrics.report import Report

NAMES = ("background", "cat", "dog", "bird")


def hinted(matrix, classes=NAMES):
    matrix = np.array(matrix)
    return hints(Report("pets", "test", 3, tuple(classes[: len(matrix)]), 0, matrix, 0.5))


def test_a_good_model_gets_none():
    assert hinted([[90, 10, 0], [5, 40, 5], [0, 5, 60]]) == ()


def test_a_class_that_is_in_no_mask_is_named():
    assert hinted([[90, 10, 0], [5, 40, 5], [0, 0, 0]]) == (
        "in no mask of these images: dog; predicted all the same, so the IoU is 0",
    )
    assert hinted([[90, 10, 0], [5, 40, 0], [0, 0, 0]]) == (
        "in no mask of these images and never predicted: dog; the means leave it out",
    )


def test_a_class_that_is_never_predicted_is_named_with_its_share():
    assert hinted([[90, 8, 0], [5, 40, 0], [2, 5, 0]]) == ("never predicted: dog (4.7 % of the pixels); the IoU is 0",)


def test_a_model_that_predicts_one_class_only_is_told_apart_from_one_that_misses_a_class():
    (only,) = hinted([[90, 0, 0], [5, 0, 0], [7, 0, 0]])
    assert only.startswith("every pixel is predicted as background: the network has learned nothing yet")


def test_where_the_truth_has_one_class_only_predicting_it_is_right():
    assert hinted([[90, 0], [0, 0]]) == ("in no mask of these images and never predicted: cat; the means leave it out",)


def test_swapped_labels_are_found():
    (swapped,) = hinted([[90, 2, 3], [2, 5, 60], [1, 50, 3]])
    assert "cat is mostly predicted as dog, dog is mostly predicted as cat" in swapped
    better = np.mean([90 / 98, 60 / 73, 50 / 61])
    assert f"would be {better:.3f} instead of" in swapped


def test_shifted_labels_are_found():
    shifted = hinted([[2, 95, 0, 0], [0, 1, 40, 0], [0, 0, 2, 30], [0, 0, 0, 0]])
    (line,) = [line for line in shifted if "shifted" in line]
    for pair in ("background is mostly predicted as cat", "cat is mostly predicted as dog", "dog is mostly predicted"):
        assert pair in line


def test_of_shifted_labels_only_those_are_named_that_moved_as_a_whole():
    (line,) = hinted([[2, 95, 0, 0], [0, 1, 40, 0], [0, 0, 2, 30], [20, 15, 10, 10]])
    assert "dog is mostly predicted as bird; with" in line and "bird is mostly" not in line


def test_classes_that_are_merely_confused_are_not_called_swapped():
    assert hinted([[90, 5, 5], [2, 20, 25], [1, 24, 20]]) == ()


@pytest.mark.parametrize(
    "matrix",
    [
        [[2, 2814], [0, 256]],
        [[245, 2571], [13, 243]],
        [[123, 615, 4400], [0, 0, 494], [11, 89, 412]],
        [[200, 700, 100], [650, 250, 100], [150, 50, 20]],
    ],
)
def test_a_network_that_has_learned_little_is_not_called_swapped(matrix):
    """Under another order its mean IoU would be higher by more than 0.1, but few classes move, or it would be low."""
    assert hinted(matrix) == ()


def test_masks_without_any_counted_pixel_are_said():
    assert "no pixel was counted" in hinted(np.zeros((2, 2), dtype=int))[0]


def test_long_lists_are_cut():
    count = 12
    matrix = np.diag([50, 50] + [0] * (count - 2))
    (line,) = hinted(matrix, ("background", *(f"class {i}" for i in range(1, count))))
    assert "class 2, class 3, class 4, class 5, class 6 and 5 more" in line


def test_of_overlapping_classes_absent_and_missed_ones_are_named():
    matrix = [[[5, 1], [1, 5]], [[9, 3], [0, 0]], [[10, 0], [2, 0]]]
    found = hints(Report("pets", "test", 3, ("a", "b", "c"), None, np.array(matrix), 0.5))
    assert found == (
        "in no mask of these images: b; predicted all the same, so the IoU is 0",
        "never predicted: c (17 % of the pixels); the IoU is 0",
    )


def test_overlapping_classes_none_of_which_is_predicted_are_said():
    found = hints(Report("pets", "test", 3, ("a",), None, np.array([[[5, 0], [5, 0]]]), 0.5))
    assert found[0].startswith("no class is predicted anywhere")


@pytest.mark.parametrize("count", [1, 2])
def test_few_classes_are_no_trouble(count):
    assert hinted(np.eye(count, dtype=int) * 9) == ()
