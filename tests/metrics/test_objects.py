"""Average precision of connected regions: by hand, by loops, and against scikit-learn's curve."""

import math

import numpy as np
import pytest

from onenet.metrics.objects import ObjectCounts, average_precision, match_objects


def plane(*rows):
    return np.array([[c == "x" for c in row] for row in rows])


def image(*rows):
    return np.array([[int(c) if c != "." else 255 for c in row] for row in rows], dtype=np.uint8)


def matched(true, drawn, sure=None, counted=None):
    sure = np.full(true.shape, 0.5, dtype=np.float32) if sure is None else np.asarray(sure, dtype=np.float32)
    objects, confidence, found = match_objects(true, drawn, sure, np.ones_like(true) if counted is None else counted)
    return objects, confidence.tolist(), found.tolist()


def test_pixels_that_touch_diagonally_are_one_object():
    assert matched(plane("x..", ".x.", "..x"), plane("...", "...", "...")) == (1, [], [])
    assert matched(plane("x.x", "...", "x.x"), plane("...", "...", "...")) == (4, [], [])


def test_an_object_is_found_where_the_iou_is_at_least_one_half():
    true = plane("xx..", "xx..", "....")
    assert matched(true, plane("xx..", "....", "...."))[2] == [True]  # 2 / 4
    assert matched(true, plane("x...", "....", "...."))[2] == [False]  # 1 / 4
    assert matched(true, plane("xxx.", "xxx.", "xx.."))[2] == [True]  # 4 / 8
    assert matched(true, plane("xxx.", "xxx.", "xxx."))[2] == [False]  # 4 / 9


def test_the_confidence_is_the_mean_probability_over_the_object():
    _, confidence, _ = matched(plane("xx.x"), plane("xx.x"), [[0.5, 0.7, 0.1, 0.9]])
    assert confidence == pytest.approx([0.6, 0.9])


def test_two_halves_of_a_true_object_find_it_neither():
    assert matched(plane("xxxxx"), plane("xx.xx"))[2] == [False, False]


def test_a_predicted_object_finds_one_of_two_true_ones():
    objects, _, found = matched(plane("x.x"), plane("xxx"), counted=~plane(".x."))  # 1 / 2 with each of them
    assert objects == 2 and found == [True]


def test_what_lies_mostly_in_pixels_that_are_not_counted_is_left_out():
    drawn, nothing = plane("xxx.xxx"), plane(".......")
    counted = ~plane("xx..x..")
    assert matched(nothing, drawn, counted=counted)[1:] == ([0.5], [False])  # only the second object is judged


def test_areas_are_of_counted_pixels_only():
    true, drawn, left_out = plane("xx..."), plane("xxxx."), plane("..xx.")
    assert matched(true, drawn)[2] == [True]
    assert matched(plane("x...."), drawn)[2] == [False]  # 1 / 4
    assert matched(plane("x...."), drawn, counted=~left_out)[2] == [True]  # 1 / 2: half of it is not counted


def test_a_confidence_is_of_counted_pixels_only():
    left_out = plane("..x")
    _, confidence, _ = matched(plane("xx."), plane("xxx"), [[0.4, 0.6, 0.9]], ~left_out)
    assert confidence == pytest.approx([0.5])


# --- the area under the curve


def by_loops(confidence, found, objects):
    """For every recall that is reached, the best precision at it or beyond."""
    order = sorted(range(len(found)), key=lambda i: -confidence[i])
    hits, curve = 0, []
    for rank, i in enumerate(order, 1):
        hits += found[i]
        curve.append((hits / objects, hits / rank))
    area, before = 0.0, 0.0
    for recall in sorted({r for r, _ in curve}):
        area += (recall - before) * max(p for r, p in curve if r >= recall)
        before = recall
    return area


def test_a_curve_by_hand():
    # four objects; from the surest: found, wrong, found, wrong. Precision 1 up to a recall of 1/4, 2/3 up to 1/2.
    found = average_precision(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), 4)
    assert found == pytest.approx(1 / 4 + 2 / 3 / 4)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_loops_find(seed):
    random = np.random.default_rng(seed)
    confidence, found = random.random(60), random.random(60) < 0.5
    objects = int(found.sum()) + seed
    assert average_precision(confidence, found, objects) == pytest.approx(by_loops(confidence, found, objects))


def test_it_is_the_upper_hull_of_the_curve_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    confidence, found = random.random(80), random.random(80) < 0.6
    precision, recall, _ = metrics.precision_recall_curve(found, confidence)  # from a recall of 1 down to 0
    hull = np.maximum.accumulate(precision)
    ours = average_precision(confidence, found, int(found.sum()))
    assert ours == pytest.approx(-(np.diff(recall) * hull[:-1]).sum())
    plain = metrics.average_precision_score(found, confidence)
    assert plain < ours < plain + 0.05


def test_without_objects_it_is_not_a_number_and_without_predictions_it_is_0():
    nothing = np.empty(0), np.empty(0, dtype=bool)
    assert math.isnan(average_precision(*nothing, 0))
    assert average_precision(*nothing, 3) == 0
    assert math.isnan(average_precision(np.array([0.5]), np.array([False]), 0))


# --- a set of images


def test_objects_of_all_images_share_one_curve():
    counts = ObjectCounts(2, background=0)
    sure, unsure = np.full((1, 3), 0.9, dtype=np.float32), np.full((1, 3), 0.3, dtype=np.float32)
    counts.add(image("110"), image("110"), unsure)
    counts.add(image("000"), image("011"), sure)  # the surest of all is wrong
    background, objects = counts.average_precision()
    assert objects == 0.5 and math.isnan(background)


def test_a_class_is_judged_by_itself():
    counts = ObjectCounts(4, background=None)
    counts.add(image("1122"), image("1100"), np.ones((1, 4), dtype=np.float32))
    found = counts.average_precision()
    assert found[1:3].tolist() == [1, 0]
    assert math.isnan(found[0]) and math.isnan(found[3])


def test_nothing_at_all_gives_no_score():
    assert np.isnan(ObjectCounts(3).average_precision()).all()


def test_overlapping_classes_are_planes_of_their_bits():
    counts = ObjectCounts(2, overlapping=True)
    sure = np.stack([np.full((1, 5), 0.9), np.full((1, 5), 0.2)]).astype(np.float32)
    counts.add(image("1330."), image("33113"), sure)  # bit 0 all of 1330, bit 1 the two 3s
    counts.add(image("20000"), image("20000"), sure)
    first, second = counts.average_precision()
    assert first == 1  # "1330" holds it in three pixels, the prediction in four of those that are counted
    assert second == 0.25  # the first image's 1 / 3 is not enough; the second's is found, at a precision of 1 / 2


def by_loops_over_pixels(truth, drawn, k):
    """Objects by flooding, IoU by sets of pixels, for images without pixels that are not counted."""

    def objects(mask):
        left, found = {p for p in np.ndindex(mask.shape) if mask[p] == k}, []
        while left:
            group, edge = set(), [min(left)]
            while edge:
                y, x = edge.pop()
                if (y, x) in left:
                    left.discard((y, x))
                    group.add((y, x))
                    edge += [(y + b, x + a) for b in (-1, 0, 1) for a in (-1, 0, 1)]
            found.append(group)
        return found

    return objects(truth), objects(drawn)


@pytest.mark.parametrize("seed", range(4))
def test_a_set_of_images_by_loops_over_pixels(seed):
    random = np.random.default_rng(seed)
    counts, confidences, hits, total = ObjectCounts(2, background=0), [], [], 0
    for _ in range(4):
        truth = (random.random((9, 12)) < 0.25).astype(np.uint8)
        drawn = np.where(random.random(truth.shape) < 0.85, truth, 1 - truth).astype(np.uint8)
        sure = random.random(truth.shape).astype(np.float32)
        counts.add(truth, drawn, sure)
        true, predicted = by_loops_over_pixels(truth, drawn, 1)
        total += len(true)
        taken = set()
        for group in sorted(predicted, key=lambda g: -np.mean([sure[p] for p in g])):
            ious = [len(group & other) / len(group | other) if i not in taken else 0 for i, other in enumerate(true)]
            best = int(np.argmax(ious))
            confidences.append(float(np.mean([sure[p] for p in group])))
            hits.append(ious[best] >= 0.5)
            if hits[-1]:
                taken.add(best)
    assert 0 < sum(hits) < len(hits)
    assert counts.average_precision()[1] == pytest.approx(by_loops(confidences, hits, total))
