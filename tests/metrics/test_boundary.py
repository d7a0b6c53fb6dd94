"""The boundary F-score by hand, and against loops over all pixels."""

import math

import numpy as np
import pytest

from onenet.metrics.boundary import TOLERANCE, boundary_f


def image(*rows):
    return np.array([[int(c) if c != "." else 255 for c in row] for row in rows], dtype=np.uint8)


def by_loops(truth, prediction, k):
    """The definition, with nothing but loops over the pixels that are counted."""
    counted = [(y, x) for y in range(truth.shape[0]) for x in range(truth.shape[1]) if truth[y, x] != 255]
    reach = TOLERANCE * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)

    def outline(mask):
        return {p for p in counted for q in counted if mask[p] == k and mask[q] != k and math.dist(p, q) == 1}

    def near(points, others):
        found = sum(any(math.dist(p, q) <= reach for q in others) for p in points)
        return found / len(points)

    in_truth, in_drawing = (any(mask[p] == k for p in counted) for mask in (truth, prediction))
    true, drawn = outline(truth), outline(prediction)
    if in_truth and not true:
        return math.nan
    if not in_truth:
        return 0.0 if in_drawing else math.nan
    if not drawn:
        return 0.0
    precision, recall = near(drawn, true), near(true, drawn)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_a_perfect_prediction_scores_1():
    truth = image("000", "011", "012")
    assert boundary_f(truth, truth, 4).tolist()[:3] == [1, 1, 1]


def test_a_3x3_case_by_hand():
    truth, drawn = image("000", "011", "011"), image("000", "001", "001")
    # Of class 1 the true outline is three pixels (the lower right one has no other neighbour), the drawn one two;
    # in a 3x3 image nothing but the very same pixel lies within 0.75 % of the diagonal, which is one of them.
    precision, recall = 1 / 2, 1 / 3
    assert boundary_f(truth, drawn, 2)[1] == pytest.approx(2 * precision * recall / (precision + recall))
    # Of class 0: five pixels touch class 1 but for the corner: (0,1) (0,2) (1,0) (2,0); drawn: (0,2) (1,1) (2,1).
    assert boundary_f(truth, drawn, 2)[0] == pytest.approx(2 * (1 / 3) * (1 / 4) / (1 / 3 + 1 / 4))


def test_a_class_in_neither_has_no_score_and_one_in_only_one_of_them_has_0():
    found = boundary_f(image("001"), image("002"), 4)
    assert found[1] == found[2] == 0 and math.isnan(found[3])


def test_a_class_without_a_true_outline_has_no_score_whatever_is_predicted():
    for drawn in (image("11", "11"), image("11", "10"), image("00", "00")):
        assert math.isnan(boundary_f(image("11", "11"), drawn, 2)[1])  # it fills the image
        assert math.isnan(boundary_f(image("1.", ".."), drawn, 2)[1])  # it touches nothing that is counted
    assert boundary_f(image("11", "11"), image("11", "10"), 2)[0] == 0  # the class that is not there was drawn


def test_the_edge_of_what_is_not_counted_is_no_outline():
    truth = image("00000000", "00....00", "00.11.00", "00.11.00", "00....00", "00000000")  # VOC's band around an object
    for constant in (0, 1):
        found = boundary_f(truth, np.full_like(truth, constant), 2)
        assert not np.nansum(found)
    assert np.isnan(boundary_f(truth, truth, 2)).all()
    truth[4, 2:6] = 0  # the band is open below: there the outline is
    for constant in (0, 1):
        assert boundary_f(truth, np.full_like(truth, constant), 2).tolist() == [0, 0]
    assert boundary_f(truth, np.where(truth == 255, 1, truth), 2).tolist() == [1, 1]


def test_a_constant_prediction_does_not_score_on_masks_with_a_band_like_vocs():
    random, size = np.random.default_rng(0), 60
    rows, columns = np.mgrid[:size, :size]
    scores = []
    for _ in range(5):
        away = np.hypot(rows - random.integers(20, 40), columns - random.integers(20, 40))
        truth = np.where(away < 12, 1, np.where(away < 15, 255, 0)).astype(np.uint8)
        truth[:, 25:28] = np.where(truth[:, 25:28] == 255, 0, truth[:, 25:28])  # the annotator left gaps
        scores += [boundary_f(truth, np.full_like(truth, constant), 2) for constant in (0, 1)]
    assert np.nanmax(scores) == 0


def test_an_outline_may_be_off_by_less_than_the_tolerance():
    truth, near, far = (np.zeros((240, 320), dtype=np.uint8) for _ in range(3))  # the diagonal is 400: 3 pixels
    truth[100:150, 100:200] = near[103:153, 100:200] = far[104:154, 100:200] = 1
    assert boundary_f(truth, near, 2)[1] == 1
    assert boundary_f(truth, far, 2)[1] < 0.9


def test_pixels_that_are_not_counted_are_of_no_class_in_either():
    truth, drawn = image("00.11", "00.11", "00011"), image("00011", "00111", "00011")
    assert boundary_f(truth, drawn, 2).tolist() == [1, 1]  # they differ only where nothing is counted
    assert math.isnan(boundary_f(image("0."), image("01"), 2)[1])


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_loops_over_all_pixels_find(seed):
    random = np.random.default_rng(seed)
    size = (9, 14) if seed < 3 else (3, 180)  # within 1.35 pixels of the long one
    truth = np.kron(random.integers(0, 3, (size[0] // 3, size[1] // 2)), np.ones((3, 2))).astype(np.uint8)
    drawn = np.where(random.random(truth.shape) < 0.8, truth, random.integers(0, 3, truth.shape)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.05] = 255
    expected = [by_loops(truth, drawn, k) for k in range(4)]
    np.testing.assert_allclose(boundary_f(truth, drawn, 4), expected)
    assert 0 < np.nanmin(expected) < 1


def test_overlapping_classes_are_scored_each_like_a_class_against_the_rest():
    random = np.random.default_rng(0)
    truth, drawn = (random.integers(0, 4, (12, 15), dtype=np.uint8) for _ in range(2))
    truth[2:4, 5] = 255
    found = boundary_f(truth, drawn, 3, overlapping=True)
    for bit in range(2):
        alone = np.where(truth == 255, 255, truth >> bit & 1).astype(np.uint8)
        assert found[bit] == boundary_f(alone, drawn >> bit & 1, 2)[1]
    assert math.isnan(found[2])
