"""The bootstrap's interval against resampling by hand, and on sets whose answer is known."""

import numpy as np
import pytest

from onenet.metrics.bootstrap import iou_intervals
from onenet.metrics.confusion import areas, iou


@pytest.fixture
def matrices():
    random = np.random.default_rng(0)
    sure = random.uniform(0.3, 0.98, 40)[:, None, None]
    shares = sure * np.eye(3) + (1 - sure) / 3
    return np.stack([[random.multinomial(200, row / row.sum()) for row in share] for share in shares])


def sizes(matrices):
    return np.stack([areas(matrix) for matrix in matrices])


def test_it_is_what_a_loop_over_resamples_finds(matrices):
    generator = np.random.default_rng(5)
    everything, foreground = [], []
    for _ in range(200):
        counts = generator.multinomial(40, np.full(40, 1 / 40))
        total = np.zeros((3, 3), dtype=np.int64)
        for count, matrix in zip(counts, matrices, strict=True):
            total += count * matrix
        everything.append(iou(total).mean())
        foreground.append(iou(total)[1:].mean())
    found = iou_intervals(sizes(matrices), background=0, resamples=200, seed=5)
    assert found["mean_iou"] == pytest.approx(np.percentile(everything, [2.5, 97.5]))
    assert found["foreground_iou"] == pytest.approx(np.percentile(foreground, [2.5, 97.5]))


def test_drawing_images_by_their_numbers_gives_nearly_the_same(matrices):
    generator = np.random.default_rng(6)
    means = [iou(matrices[generator.integers(0, 40, 40)].sum(0)).mean() for _ in range(3000)]
    assert iou_intervals(sizes(matrices))["mean_iou"] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.01)


def test_the_interval_holds_the_score_and_shrinks_with_more_images(matrices):
    few, many = sizes(matrices[:10]), sizes(np.concatenate([matrices] * 4))
    (low, high), (lower, higher) = (iou_intervals(s)["mean_iou"] for s in (many, few))
    assert low < iou(matrices.sum(0)).mean() < high
    assert high - low < (higher - lower) / 2


def test_images_that_are_all_alike_leave_no_doubt(matrices):
    low, high = iou_intervals(sizes([matrices[0]] * 9))["mean_iou"]
    assert low == pytest.approx(high) == pytest.approx(iou(matrices[0]).mean())


def test_the_same_images_give_the_same_interval(matrices):
    assert iou_intervals(sizes(matrices)) == iou_intervals(sizes(matrices))


def test_one_image_tells_nothing_of_others(matrices):
    assert iou_intervals(sizes(matrices[:1])) == {}
    assert iou_intervals(np.zeros((0, 3, 2), dtype=np.int64)) == {}


def test_where_nothing_is_counted_there_is_no_interval():
    assert iou_intervals(np.zeros((4, 3, 2), dtype=np.int64)) == {}


def test_a_class_that_a_resample_lacks_is_left_out_of_its_mean():
    one, two = np.diag([9, 0]), np.array([[5, 0], [4, 1]])
    low, high = iou_intervals(sizes([one, two]))["mean_iou"]
    assert low == pytest.approx((5 / 9 + 1 / 5) / 2)  # only the second image was drawn
    assert high == 1  # only the first, in which class 1 is nowhere
