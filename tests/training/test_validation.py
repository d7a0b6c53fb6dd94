"""The warning where a network has learned nothing but one class, and what is better."""

import numpy as np
import pytest

from onenet.metrics.report import Report
from onenet.training.validation import one_class_only, rank_of

CLASSES = ("background", "cat", "dog")


def report(matrix, entropy=1.0, background=0):
    return Report("photos", "val", 1, CLASSES, background, np.array(matrix, dtype=np.int64), entropy)


def test_one_class_alone_is_named_with_what_to_try():
    line = one_class_only(report([[9, 0, 0], [3, 0, 0], [1, 0, 0]]))
    assert line.startswith("only background is predicted; ")
    assert "loss.balance=enet" in line and "train.overfit" in line
    assert one_class_only(report([[0, 9, 0], [0, 3, 0], [0, 0, 0]])).startswith("only cat is predicted")


@pytest.mark.parametrize(
    "matrix",
    [
        [[9, 0, 0], [2, 1, 0], [1, 0, 0]],  # two classes are predicted
        [[9, 0, 0], [0, 0, 0], [0, 0, 0]],  # there is no other in the truth
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # nothing was counted
    ],
)
def test_there_is_no_warning_where_nothing_is_wrong(matrix):
    assert one_class_only(report(matrix)) is None


def test_overlapping_classes_may_all_be_missing():
    nothing, one = [[5, 0], [3, 0]], [[5, 0], [1, 2]]
    assert one_class_only(report([nothing] * 3, background=None)).startswith("no class is predicted anywhere")
    assert one_class_only(report([nothing, nothing, one], background=None)) is None


def test_the_better_report_has_the_higher_iou_or_else_the_lower_loss():
    good, bad = report([[9, 0, 0], [0, 5, 0], [0, 0, 0]]), report([[9, 0, 0], [4, 1, 0], [0, 0, 0]])
    none, lower = report([[9, 0, 0], [0, 0, 0], [0, 0, 0]]), report([[9, 0, 0], [0, 0, 0], [0, 0, 0]], 0.5)
    unknown = report([[9, 0, 0], [0, 0, 0], [0, 0, 0]], float("nan"))
    order = [unknown, none, lower, bad, good]
    assert [rank_of(one) for one in order] == sorted(rank_of(one) for one in order)
    assert rank_of(good) == (1, 1.0) and rank_of(bad) == (1, pytest.approx(0.2))
