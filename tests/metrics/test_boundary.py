"""The boundary F-score by hand, and against loops over all pixels."""

import math

import numpy as np
import pytest

from onenet.metrics.boundary import TOLERANCE, boundary_f


def image(*rows):
    return np.array([[int(c) if c != "." else 255 for c in row] for row in rows], dtype=np.uint8)


def by_loops(truth, prediction, k):
    """The definition, with nothing but loops."""
    height, width = truth.shape
    reach = TOLERANCE * math.sqrt(height**2 + width**2)

    def outline(mask):
        points = []
        for y in range(height):
            for x in range(width):
                near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                inside = [(b, a) for b, a in near if 0 <= b < height and 0 <= a < width]
                if mask[y, x] == k and truth[y, x] != 255 and any(other(mask, *p) for p in inside):
                    points.append((y, x))
        return points

    def other(mask, y, x):
        return mask[y, x] != k or truth[y, x] == 255

    def near(points, others):
        found = sum(any(math.dist(p, q) <= reach for q in others) for p in points)
        return found / len(points)

    counted = truth != 255
    there = [bool(((mask == k) & counted).any()) for mask in (truth, prediction)]
    if not any(there):
        return math.nan
    true, drawn = outline(truth), outline(prediction)
    if not all(there) or bool(true) != bool(drawn):
        return 0.0
    if not true:
        return 1.0
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


def test_a_class_that_fills_the_image_in_both_has_no_outline_and_scores_1():
    assert boundary_f(image("11", "11"), image("11", "11"), 2)[1] == 1
    assert boundary_f(image("11", "11"), image("11", "10"), 2)[1] == 0


def test_an_outline_may_be_off_by_less_than_the_tolerance():
    truth, near, far = (np.zeros((240, 320), dtype=np.uint8) for _ in range(3))  # the diagonal is 400: 3 pixels
    truth[100:150, 100:200] = near[103:153, 100:200] = far[104:154, 100:200] = 1
    assert boundary_f(truth, near, 2)[1] == 1
    assert boundary_f(truth, far, 2)[1] < 0.9


def test_pixels_that_are_not_counted_are_of_no_class_in_either():
    truth, drawn = image("00.11", "00.11"), image("00011", "00111")
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
