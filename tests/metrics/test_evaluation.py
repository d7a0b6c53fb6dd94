"""A set of images gives one confusion matrix and one cross-entropy over all its pixels."""

import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.card import Card
from onenet.data.sample import Sample
from onenet.metrics.confusion import confusion_matrix, iou
from onenet.metrics.evaluation import cross_entropy_sum, score

CARD = Card("onenet-e-4", {"in_channels": 1, "num_classes": 2}, ("background", "object"), ((0, 0, 0), (1, 1, 1)))


@dataclass
class Fixed:
    """An answer that was drawn beforehand."""

    scores: np.ndarray  # k h w

    def logits(self, rows=slice(None)):
        return self.scores[:, rows]


def samples(*shapes):
    random = np.random.default_rng(0)
    for number, shape in enumerate(shapes):
        mask = random.choice(np.array([0, 0, 0, 1, 255], dtype=np.uint8), shape)
        yield Sample(f"image{number}", random.integers(0, 256, (*shape, 1), dtype=np.uint8), mask)


def bright_is_object(image):
    bright = image[..., 0].astype(np.float32) / 255 - 0.5
    return Fixed(np.stack([-bright, 2 * bright]))


def test_cross_entropy_is_the_log_of_the_softmax_of_the_true_class_pixel_by_pixel():
    random = np.random.default_rng(1)
    logits, mask = random.normal(size=(3, 4, 5)).astype(np.float32), random.integers(0, 3, (4, 5), dtype=np.uint8)
    mask[1, 2] = mask[3, 0] = 255
    expected = 0.0
    for y in range(4):
        for x in range(5):
            if mask[y, x] != 255:
                terms = [math.exp(logits[k, y, x]) for k in range(3)]
                expected -= math.log(terms[mask[y, x]] / sum(terms))
    assert cross_entropy_sum(logits, mask) == pytest.approx(expected, rel=1e-6)


@given(shift=st.integers(-9999, 9999), logits=arrays.arrays(np.float32, (2, 1, 3), elements=st.integers(-50, 50)))
def test_cross_entropy_does_not_overflow(shift, logits):
    mask = np.array([[0, 1, 1]], dtype=np.uint8)
    moved = logits + np.float32(shift)
    assert cross_entropy_sum(moved, mask) == pytest.approx(cross_entropy_sum(logits, mask), abs=1e-6)
    assert cross_entropy_sum(logits, mask) >= 0


def test_cross_entropy_of_nothing_is_nothing():
    assert cross_entropy_sum(np.zeros((2, 2, 2), dtype=np.float32), np.full((2, 2), 255, dtype=np.uint8)) == 0


def test_a_set_is_scored_as_one_large_image_and_not_as_the_mean_of_its_images():
    images = list(samples((3, 4), (20, 30), (1, 1)))
    report = score(bright_is_object, images, CARD, "random", "test")
    truth = np.concatenate([sample.mask.ravel() for sample in images])
    drawn = np.concatenate([bright_is_object(sample.image).scores.argmax(0).ravel() for sample in images])
    assert np.array_equal(report.matrix, confusion_matrix(truth, drawn, 2))
    means = [
        np.nanmean(iou(confusion_matrix(s.mask, bright_is_object(s.image).scores.argmax(0), 2))) for s in images[:2]
    ]
    assert report.mean_iou == pytest.approx(np.mean(iou(report.matrix)))
    assert report.mean_iou != pytest.approx(np.mean(means), abs=1e-3)


def test_the_cross_entropy_is_the_mean_over_all_counted_pixels():
    images = list(samples((3, 4), (20, 30)))
    report = score(bright_is_object, images, CARD, "random", "test")
    whole = sum(cross_entropy_sum(bright_is_object(s.image).logits(), s.mask) for s in images)
    assert report.cross_entropy == pytest.approx(whole / sum((s.mask != 255).sum() for s in images))


def test_the_report_says_what_was_scored():
    report = score(bright_is_object, samples((3, 4), (2, 2)), CARD, "random", "test")
    assert (report.data, report.split, report.images) == ("random", "test", 2)
    assert (report.classes, report.background) == (CARD.classes, 0)
    assert [name for name, _ in report.per_image] == ["image0", "image1"]


def test_nothing_to_score_is_not_a_number():
    report = score(bright_is_object, [], CARD, "random", "test")
    assert report.images == 0 and math.isnan(report.cross_entropy) and math.isnan(report.mean_iou)


def test_scoring_needs_no_torch():
    code = "import onenet.metrics.evaluation, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
