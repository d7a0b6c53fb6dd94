"""IoU and Dice by their definitions, worked by hand on a 3x3 mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.errors import DataError
from onenet.metrics.confusion import (
    areas,
    confusion_matrix,
    counted_pixels,
    dice,
    iou,
    mean_over_classes,
    overlapping_matrix,
    pixel_accuracy,
    precision,
    recall,
    right_decisions,
)

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


def test_precision_and_recall_are_the_shares_of_what_is_drawn_and_of_what_is_true():
    np.testing.assert_allclose(precision(counted()), [2 / 3, 2 / 4, 1 / 1, np.nan])
    np.testing.assert_allclose(recall(counted()), [2 / 3, 2 / 3, 1 / 2, np.nan])


def test_a_class_that_is_never_drawn_has_a_recall_and_no_precision():
    never_drawn = confusion_matrix(np.array([[0, 1]]), np.array([[0, 0]]), 2)
    assert recall(never_drawn)[1] == 0 and np.isnan(precision(never_drawn)[1])


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


# --- classes that overlap: bit codes, one two-by-two matrix per class

CODES = np.array([[0, 1, 3], [2, 255, 1], [0, 3, 2]], dtype=np.uint8)  # bit 0 and bit 1
CODES_DRAWN = np.array([[0, 1, 1], [3, 3, 0], [0, 3, 2]], dtype=np.uint8)


def test_every_overlapping_class_has_its_own_two_by_two_matrix():
    assert overlapping_matrix(CODES, CODES_DRAWN, 2).tolist() == [
        [[3, 1], [1, 3]],  # class 0: one pixel drawn too many, one missed
        [[4, 0], [1, 3]],
    ]


def test_the_figures_of_overlapping_classes_by_hand():
    matrix = overlapping_matrix(CODES, CODES_DRAWN, 2)
    np.testing.assert_allclose(iou(matrix), [3 / 5, 3 / 4])
    np.testing.assert_allclose(dice(matrix), [6 / 8, 6 / 7])
    np.testing.assert_allclose(precision(matrix), [3 / 4, 1])
    np.testing.assert_allclose(recall(matrix), [3 / 4, 3 / 4])
    assert right_decisions(matrix) == 13 / 16
    assert counted_pixels(matrix) == 8


def test_what_counts_cannot_tell_is_not_a_number():
    assert np.isnan(pixel_accuracy(overlapping_matrix(CODES, CODES_DRAWN, 2)))
    assert np.isnan(right_decisions(counted()))


@given(
    truth=arrays.arrays(np.uint8, (4, 5), elements=st.sampled_from([*range(8), 255])),
    drawn=arrays.arrays(np.uint8, (4, 5), elements=st.integers(0, 7)),
)
def test_each_overlapping_class_is_counted_like_a_class_against_the_rest(truth, drawn):
    matrix = overlapping_matrix(truth, drawn, 3)
    for bit in range(3):
        there = np.where(truth == 255, 255, truth >> bit & 1)
        assert np.array_equal(matrix[bit], confusion_matrix(there, drawn >> bit & 1, 2))


def test_seven_overlapping_classes_are_the_most_that_a_byte_holds():
    codes = np.arange(128, dtype=np.uint8)[None]
    matrix = overlapping_matrix(codes, codes[:, ::-1], 7)
    assert matrix.tolist() == [[[0, 64], [64, 0]]] * 7


def test_a_code_beyond_the_classes_is_named():
    with pytest.raises(DataError, match="the mask holds the code 4, but 2 overlapping classes end at 3"):
        overlapping_matrix(np.array([[4]]), np.array([[0]]), 2)


# --- other people's figures


@pytest.fixture
def labels():
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, (40, 50), dtype=np.uint8)
    drawn = np.where(random.random(truth.shape) < 0.6, truth, random.integers(0, 4, truth.shape)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.1] = 255
    return truth, drawn


def test_scikit_learn_counts_the_same(labels):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, drawn = labels
    kept = truth != 255
    matrix = confusion_matrix(truth, drawn, 4)
    assert np.array_equal(matrix, metrics.confusion_matrix(truth[kept], drawn[kept]))
    expected = metrics.precision_recall_fscore_support(truth[kept], drawn[kept])
    np.testing.assert_allclose((precision(matrix), recall(matrix), dice(matrix), areas(matrix)[1]), expected)


def test_torchmetrics_says_the_same_where_every_class_occurs(labels):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    truth, drawn = labels
    matrix = confusion_matrix(truth, drawn, 4)
    pairs = {
        "multiclass_jaccard_index": iou, "multiclass_f1_score": dice,
        "multiclass_precision": precision, "multiclass_recall": recall,
    }  # fmt: skip
    for name, ours in pairs.items():
        theirs = getattr(metrics, name)(
            torch.tensor(drawn).long(), torch.tensor(truth).long(), num_classes=4, average="none", ignore_index=255
        )
        np.testing.assert_allclose(ours(matrix), theirs, rtol=1e-6, err_msg=name)
