"""IoU and Dice by their definitions, worked by hand on a 3x3 mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.errors import DataError
from onenet.metrics.confusion import confusion_matrix, dice, iou, mean_over_classes, pixel_accuracy

# Class 3 is nowhere; 255 is not counted.
TRUTH = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 255]], dtype=np.uint8)
DRAWN = np.array([[0, 1, 1], [0, 1, 0], [2, 1, 2]], dtype=np.uint8)


def counted():
    return confusion_matrix(TRUTH, DRAWN, num_classes=4)


def test_rows_are_the_truth_and_columns_what_was_drawn():
    assert counted().tolist() == [
        [2, 1, 0, 0],  # of three background pixels one was drawn as class 1
        [1, 2, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_a_pixel_that_is_not_counted_is_in_no_cell():
    assert counted().sum() == 8


def test_another_value_may_be_the_one_that_is_not_counted():
    assert confusion_matrix(TRUTH[:2], DRAWN[:2], 3, ignore_index=0).tolist() == [[0, 0, 0], [1, 2, 0], [0, 0, 0]]


def test_iou_is_intersection_over_union_and_not_a_number_for_a_class_that_is_nowhere():
    np.testing.assert_allclose(iou(counted()), [2 / 4, 2 / 5, 1 / 2, np.nan])


def test_dice_is_twice_the_intersection_over_both_areas():
    np.testing.assert_allclose(dice(counted()), [4 / 6, 4 / 7, 2 / 3, np.nan])


def test_a_class_that_is_only_drawn_or_only_true_scores_0():
    drawn_only = confusion_matrix(np.array([[0, 0]]), np.array([[0, 1]]), 2)
    true_only = confusion_matrix(np.array([[0, 1]]), np.array([[0, 0]]), 2)
    assert iou(drawn_only).tolist() == iou(true_only).tolist() == [0.5, 0]
    assert dice(drawn_only)[1] == dice(true_only)[1] == 0


def test_pixel_accuracy_is_the_share_of_right_pixels():
    assert pixel_accuracy(counted()) == 5 / 8


def test_where_nothing_is_counted_nothing_is_a_number():
    nothing = confusion_matrix(np.full((2, 2), 255), np.zeros((2, 2), dtype=int), 2)
    assert np.isnan(iou(nothing)).all() and np.isnan(dice(nothing)).all()
    assert np.isnan(pixel_accuracy(nothing))


def test_the_mean_leaves_out_what_is_not_a_number_and_the_background():
    values = np.array([0.5, 0.4, np.nan, 0.2])
    assert mean_over_classes(values) == pytest.approx(1.1 / 3)
    assert mean_over_classes(values, without=0) == pytest.approx(0.3)
    assert mean_over_classes(values, without=2) == pytest.approx(1.1 / 3)
    assert np.isnan(mean_over_classes(np.array([0.5, np.nan]), without=0))


MASKS = arrays.arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 255]))
LABELS = arrays.arrays(np.uint8, (4, 5), elements=st.integers(0, 2))


@given(truth=MASKS, drawn=LABELS)
def test_on_any_masks_the_figures_are_what_sets_of_pixels_say(truth, drawn):
    pixels = [(y, x) for y in range(4) for x in range(5) if truth[y, x] != 255]
    matrix = confusion_matrix(truth, drawn, 3)
    for k in range(3):
        true, predicted = ({p for p in pixels if mask[p] == k} for mask in (truth, drawn))
        nan = float("nan")
        both, either = len(true & predicted), len(true | predicted)
        np.testing.assert_allclose(iou(matrix)[k], both / either if either else nan)
        np.testing.assert_allclose(dice(matrix)[k], 2 * both / (len(true) + len(predicted)) if either else nan)


@pytest.mark.parametrize(
    ("truth", "drawn", "complaint"),
    [
        ([[0, 3]], [[0, 1]], "the mask holds label 3, but there are 3 classes"),
        ([[0, 1]], [[0, 7]], "the prediction holds label 7, but there are 3 classes"),
        ([[0, -1]], [[0, 1]], "the mask holds label -1, but there are 3 classes"),
        ([[0, 1]], [[0]], r"mask of shape \(1, 2\) cannot be compared with a prediction of shape \(1, 1\)"),
    ],
)
def test_labels_and_shapes_that_do_not_fit_are_named(truth, drawn, complaint):
    with pytest.raises(DataError, match=complaint):
        confusion_matrix(np.array(truth), np.array(drawn), 3)
