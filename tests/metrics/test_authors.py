"""The authors' figures are those of their evaluator, to 1e-6, and say what they are."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from onenet import images
from onenet.metrics.authors import NAMES, AuthorsFigures, authors_figures
from onenet.volumes import read_volume

FIXTURES = Path(__file__).parent.parent / "fixtures"
HEART = Path(__file__).parents[2] / "../shared/data/msd/Task02_Heart/labelsTr"


@dataclass
class Fixed:
    scores: np.ndarray  # k h w

    def logits(self, rows=slice(None)):
        return self.scores[:, rows]


@pytest.mark.parametrize("case", ["a", "b", "perfect"])
def test_the_figures_of_the_authors_own_evaluator_are_met(case):
    arrays = np.load(FIXTURES / "authors_metrics.npz")
    expected = json.loads((FIXTURES / "authors_metrics.json").read_text())[case]
    found = authors_figures(arrays[f"{case}_logits"], arrays[f"{case}_mask"])
    assert set(found) == set(NAMES)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], abs=1e-6), name


def one_hot(mask, k):
    return 9 * np.eye(k, dtype=np.float32)[mask].transpose(0, 3, 1, 2)


def test_a_3x3_case_by_hand():
    truth = np.array([[[0, 1, 1], [2, 0, 0], [0, 0, 0]]], dtype=np.uint8)
    drawn = np.array([[[0, 1, 2], [1, 0, 0], [0, 0, 0]]])
    found = authors_figures(one_hot(drawn, 3), truth)
    # Row 1: and 0 + 1 + 0 = 1, sums 3 and 2, so 1 / 4; row 2: 2 & 1 = 0, so 0 / 3; row 3: 0 / 0 = 0.
    assert found["mean_IoU"] == pytest.approx((1 / 4 + 0 + 0) / 3)
    assert found["accuracy"] == found["f1_score"] == pytest.approx(7 / 9)
    # Row 1: product 1 + 2 = 3, sums 2 and 3, weight 1/4; row 2: 2, 2 and 1, 1/4; row 3 is empty and adds nothing.
    assert found["dice_similarity"] == pytest.approx((2 * 3 / 4 + 2 * 2 / 4) / (5 / 4 + 3 / 4))
    # Class 0: 6 of 6, IoU 1; class 1: IoU 1 / 3; class 2: IoU 0.
    assert found["mAP_dataset"] == found["mAP_per_image"] == pytest.approx((1 + 0 + 0) / 3)


def test_their_precision_exceeds_1_where_too_little_is_drawn():
    truth = np.ones((1, 2, 2), dtype=np.uint8)
    drawn = np.array([[[1, 1], [1, 0]]])
    assert authors_figures(one_hot(drawn, 2), truth)["mAP_dataset"] == pytest.approx((4 / 3 + 0) / 2)


def test_torchmetrics_computes_their_dice_on_the_misread_masks():
    torch = pytest.importorskip("torch")
    segmentation = pytest.importorskip("torchmetrics.functional.segmentation")
    random = np.random.default_rng(0)
    truth, drawn = (random.integers(0, 3, (4, 6, 5)) * (random.random((4, 6, 1)) < 0.6) for _ in range(2))
    assert (truth.sum(2) == 0).any()
    theirs = segmentation.generalized_dice_score(torch.tensor(drawn), torch.tensor(truth), num_classes=6)
    assert authors_figures(one_hot(drawn, 3), truth)["dice_similarity"] == pytest.approx(float(theirs.mean()))


def test_pixels_that_are_not_counted_add_to_no_sum():
    truth = np.array([[[1, 1, 255], [0, 255, 2]]], dtype=np.uint8)
    drawn = np.array([[[1, 1, 0], [0, 0, 2]]])
    for other in (0, 1, 2):
        drawn[0, 0, 2] = drawn[0, 1, 1] = other
        found = authors_figures(one_hot(drawn, 3), truth)
        assert found["accuracy"] == 1 and found["mAP_dataset"] == 1
        assert found["mean_IoU"] == pytest.approx(1)


# --- a whole data set, in the authors' batches


def test_every_name_says_whose_figure_it_is():
    figures = AuthorsFigures(2)
    figures.add(Fixed(np.zeros((2, 4, 4), dtype=np.float32)), np.zeros((4, 4), dtype=np.uint8))
    assert figures.figures() and all(name.startswith("authors' ") for name in figures.figures())


def test_without_images_there_are_none():
    assert AuthorsFigures(2).figures() == {}


def test_images_of_the_authors_size_are_taken_as_they_are_and_batches_weigh_the_same():
    random = np.random.default_rng(0)
    logits = random.normal(size=(33, 3, 256, 256)).astype(np.float32)
    mask = np.where(random.random((33, 256, 256)) < 0.7, logits.argmax(1), 0).astype(np.uint8)
    mask[32] = 1  # the last batch is one image, and another one
    figures = AuthorsFigures(3)
    for scores, truth in zip(logits, mask, strict=True):
        figures.add(Fixed(scores), truth)
    whole, rest = authors_figures(logits[:32], mask[:32]), authors_figures(logits[32:], mask[32:])
    for name, shown in NAMES.items():
        assert figures.figures()[shown] == pytest.approx((whole[name] + rest[name]) / 2)


@pytest.mark.parametrize("size", [(300, 410), (600, 259), (100, 90), (3, 2)])
def test_other_sizes_are_brought_to_256_as_one_picture(size):
    random = np.random.default_rng(1)
    logits = random.normal(size=(2, *size)).astype(np.float32)
    mask = random.integers(0, 2, size, dtype=np.uint8)
    figures = AuthorsFigures(2)
    figures.add(Fixed(logits), mask)
    whole = np.stack([images.resize(plane, (256, 256)) for plane in logits])
    expected = authors_figures(whole[None], images.resize(mask, (256, 256), "nearest")[None])
    for name, shown in NAMES.items():
        assert figures.figures()[shown] == pytest.approx(expected[name], abs=1e-3), name


@pytest.mark.slow
@pytest.mark.skipif(not HEART.is_dir(), reason="the shared data are not here")
def test_on_hearts_the_authors_miou_of_a_perfect_mask_is_about_a_twentieth():
    """Table 1 of the paper has 0.063 and 0.066 (docs/findings.md)."""
    scores = []
    for path in sorted(HEART.iterdir()):
        true = (np.asarray(read_volume(path).array) > 0).astype(np.int64).transpose(2, 0, 1)  # slices, rows, columns
        smaller = ndimage.binary_erosion(true, np.ones((1, 3, 3)), iterations=2).astype(np.int64)
        both = []
        for drawn in (true, smaller, np.zeros_like(true)):
            starts = range(0, len(true), 32)
            logits = [np.eye(4, dtype=np.float32)[drawn[n : n + 32]].transpose(0, 3, 1, 2) for n in starts]
            figures = [
                authors_figures(part, true[n : n + 32])["mean_IoU"] for n, part in zip(starts, logits, strict=True)
            ]
            both.append(np.mean(figures))
        scores.append(both)
    lows, highs = np.round(np.min(scores, axis=0), 3), np.round(np.max(scores, axis=0), 3)
    assert lows.tolist() == [0.043, 0.02, 0.0] and highs.tolist() == [0.07, 0.042, 0.0]
