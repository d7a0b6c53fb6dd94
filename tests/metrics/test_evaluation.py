"""A set of images gives one confusion matrix and one cross-entropy over all its pixels."""

import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from onenet.card import Card
from onenet.data.sample import Sample
from onenet.errors import ConfigError, OneNetError, TrainError
from onenet.metrics.authors import authors_figures
from onenet.metrics.boundary import boundary_f
from onenet.metrics.calibration import CalibrationBins
from onenet.metrics.confusion import confusion_matrix, iou, overlapping_matrix
from onenet.metrics.decisions import decide
from onenet.metrics.evaluation import predicted_mask, score
from onenet.metrics.objects import ObjectCounts

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


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("overlapping", [False, True])
def test_outputs_that_are_no_numbers_are_refused_before_anything_is_computed_from_them(number, overlapping):
    def diverged(image):
        scores = np.zeros((2, *image.shape[:2]), dtype=np.float32)
        scores[1, -1, -1] = number
        return Fixed(scores)

    images = [Sample("image0", np.zeros((70, 4, 1), np.uint8), np.zeros((70, 4), np.uint8))]
    with pytest.raises(TrainError, match="image0: the network's outputs are no numbers, so its training has diverged"):
        score(diverged, images, CARD.replace(overlapping=overlapping), "random", "test")


def test_the_cross_entropy_is_the_mean_over_all_counted_pixels():
    images = list(samples((3, 4), (200, 30)))
    report = score(bright_is_object, images, CARD, "random", "test")
    whole = sum(decide(bright_is_object(s.image).logits(), s.mask).entropy.sum() for s in images)
    assert report.cross_entropy == pytest.approx(whole / sum((s.mask != 255).sum() for s in images))
    assert math.isnan(report.weighted_cross_entropy)  # nothing was weighted in training


def test_torch_weighs_the_cross_entropy_the_same():
    torch = pytest.importorskip("torch")
    (sample,) = samples((30, 40))
    weights = [0.25, 1.5]
    report = score(bright_is_object, [sample], CARD.replace(training={"class_weights": weights}), "random", "test")
    logits = torch.tensor(bright_is_object(sample.image).scores)[None]
    expected = torch.nn.functional.cross_entropy(
        logits, torch.tensor(sample.mask)[None].long(), torch.tensor(weights), ignore_index=255
    )
    assert report.weighted_cross_entropy == pytest.approx(float(expected), rel=1e-5)
    assert report.weighted_cross_entropy != pytest.approx(report.cross_entropy, rel=1e-3)


@pytest.mark.parametrize("weights", [[1.0, 1.0], [], [1.0, 2.0, 3.0], None])
def test_weights_that_weigh_nothing_or_fit_nothing_give_no_second_figure(weights):
    card = CARD.replace(training={"class_weights": weights})
    assert math.isnan(score(bright_is_object, samples((3, 4)), card, "random", "test").weighted_cross_entropy)


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


# --- details


@pytest.fixture
def detailed():
    images = list(samples((70, 40), (130, 90), (5, 5)))
    return images, score(bright_is_object, images, CARD, "random", "test", details=True)


def whole(image):
    return decide(bright_is_object(image).scores, np.full(image.shape[:2], 255, dtype=np.uint8))


def test_details_are_left_out_unless_asked_for(detailed):
    images, report = detailed
    plain = score(bright_is_object, images, CARD, "random", "test")
    assert plain.details is None and report.details is not None
    assert np.array_equal(plain.matrix, report.matrix) and plain.per_image == report.per_image


def test_details_are_those_of_whole_images_though_they_are_counted_in_strips(detailed):
    images, report = detailed
    bins, objects, outlines = CalibrationBins(), ObjectCounts(2, 0), []
    for sample in images:
        found, kept = whole(sample.image), sample.mask != 255
        bins.add(found.probability[kept], (found.labels == sample.mask)[kept])
        objects.add(sample.mask, found.labels, found.probability)
        outlines.append(boundary_f(sample.mask, found.labels, 2))
    assert report.details.calibration_error == pytest.approx(bins.error)
    np.testing.assert_allclose(report.details.average_precision, objects.average_precision())
    np.testing.assert_allclose(report.details.boundary_f, np.mean(outlines, axis=0))
    low, high = report.details.intervals["mean_iou"]
    assert low <= report.mean_iou <= high


def test_the_boundary_score_is_the_mean_over_the_images_that_have_the_class():
    masks = [np.zeros((4, 4), dtype=np.uint8), np.eye(4, dtype=np.uint8)]
    images = [Sample(str(i), np.full((4, 4, 1), 255, np.uint8) * mask[..., None], mask) for i, mask in enumerate(masks)]
    report = score(bright_is_object, images, CARD, "random", "test", details=True)
    assert report.details.boundary_f.tolist() == [1, 1]


def test_details_of_nothing_are_not_numbers():
    details = score(bright_is_object, [], CARD, "random", "test", details=True).details
    assert math.isnan(details.calibration_error) and details.intervals == {}
    assert np.isnan(details.boundary_f).all() and np.isnan(details.average_precision).all()


def test_without_scipy_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(OneNetError, match=r"pip install 'onenet-seg\[scores\]'"):
        score(bright_is_object, [], CARD, "random", "test", details=True)


def test_a_mask_as_it_is_scored():
    (sample,) = samples((150, 20))
    prediction = bright_is_object(sample.image)
    assert np.array_equal(predicted_mask(prediction, (150, 20)), prediction.scores.argmax(0))
    codes = (prediction.scores[0] > 0) + 2 * (prediction.scores[1] > 0)
    assert np.array_equal(predicted_mask(prediction, (150, 20), overlapping=True), codes)


# --- the authors' figures


def test_the_authors_figures_are_added_where_they_are_asked_for():
    (sample,) = samples((256, 256))
    report = score(bright_is_object, [sample], CARD, "random", "test", authors=True)
    expected = authors_figures(bright_is_object(sample.image).scores[None], sample.mask[None])
    assert report.authors["authors' mIOU"] == pytest.approx(expected["mean_IoU"])
    assert score(bright_is_object, [sample], CARD, "random", "test").authors == {}


def test_the_authors_know_no_overlapping_classes():
    with pytest.raises(ConfigError, match="classes overlap"):
        score(bright_is_object, [], OVERLAPPING, "random", "test", authors=True)


# --- classes that overlap, and images in floating point

OVERLAPPING = Card(
    "onenet-e-4", {"in_channels": 1, "num_classes": 2}, ("a", "b"), ((1, 0, 0), (0, 1, 0)), None, overlapping=True
)


def overlapping_sample(size=(130, 50)):
    random = np.random.default_rng(0)
    mask = random.choice(np.array([0, 1, 2, 3, 255], dtype=np.uint8), size)
    return Sample("one", random.random((*size, 1)).astype(np.float32), mask)


def each_by_its_brightness(image):
    return Fixed(np.stack([image[..., 0] - 0.5, 3 * image[..., 0] - 1]))


def test_overlapping_classes_are_counted_and_detailed_each_by_itself():
    sample = overlapping_sample()
    report = score(each_by_its_brightness, [sample], OVERLAPPING, "random", "test", details=True)
    scores = each_by_its_brightness(sample.image).scores
    drawn = ((scores[0] > 0) + 2 * (scores[1] > 0)).astype(np.uint8)
    assert np.array_equal(report.matrix, overlapping_matrix(sample.mask, drawn, 2))
    np.testing.assert_allclose(report.details.boundary_f, boundary_f(sample.mask, drawn, 2, overlapping=True))
    kept = sample.mask != 255
    probability = 1 / (1 + np.exp(-scores.astype(np.float64)))[:, kept]
    there = np.stack([sample.mask[kept] & 1, sample.mask[kept] >> 1 & 1])
    bins = CalibrationBins()
    for sure, yes in zip(probability, there == 1, strict=True):
        bins.add(np.maximum(sure, 1 - sure), (sure > 0.5) == yes)
    assert report.details.calibration_error == pytest.approx(bins.error, abs=1e-6)


def test_scikit_learn_finds_the_same_binary_cross_entropy():
    metrics = pytest.importorskip("sklearn.metrics")
    sample = overlapping_sample()
    report = score(each_by_its_brightness, [sample], OVERLAPPING, "random", "test")
    scores, kept = each_by_its_brightness(sample.image).scores, sample.mask != 255
    expected = [
        metrics.log_loss(sample.mask[kept] >> k & 1, 1 / (1 + np.exp(-scores[k][kept].astype(np.float64))))
        for k in (0, 1)
    ]
    assert report.cross_entropy == pytest.approx(np.mean(expected), rel=1e-6)
