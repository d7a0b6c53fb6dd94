"""Class weights from the pixels of the training masks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.utils.class_weight import compute_class_weight

from onenet.data.sample import Dataset, Item
from onenet.errors import DataError
from onenet.training.weights import balance_weights, class_frequencies


@pytest.fixture
def dataset(tmp_path):
    """Five masks of random labels 0 to 3 and 255, with images that must not be opened."""
    random, items = np.random.default_rng(0), []
    for number in range(5):
        mask = random.choice([0, 1, 2, 3, 255], size=(6 + number, 7)).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
        items.append(Item(str(number), tmp_path / "missing.jpg", tmp_path / f"{number}.png"))

    def make(**changes):
        names = tuple("abcd"[: changes.pop("classes", 4)])
        described = dict(classes=names, colours=((0, 0, 0),) * len(names), background=0, in_channels=3)
        labels = {value: value for value in (0, 1, 2, 3, 255)}
        return Dataset("made up", {"train": tuple(items)}, labels=labels, **described, **changes)

    return make


def pixels(items):
    return [int(value) for item in items for value in np.asarray(Image.open(item.mask)).ravel() if value != 255]


def test_the_pixels_of_each_class_are_counted_and_those_of_255_are_not(dataset):
    items = dataset().split("train")
    expected = [pixels(items).count(label) for label in range(4)]
    assert class_frequencies(dataset(), items).tolist() == expected
    assert class_frequencies(dataset(), items[:1]).tolist() != expected


def test_a_pixel_counts_for_all_classes_that_overlap_there(dataset):
    several = dataset(classes=2, overlapping=True)
    items = several.split("train")
    expected = [sum(bool(code & bit) for code in pixels(items)) for bit in (1, 2)]
    assert class_frequencies(several, items).tolist() == expected


def test_a_broken_mask_is_named_or_left_out_where_that_is_asked_for(dataset):
    items = dataset().split("train")
    whole = class_frequencies(dataset(), items[1:])
    items[0].mask.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0\.png"):
        class_frequencies(dataset(), items)
    assert class_frequencies(dataset(skip_unreadable=True), items).tolist() == whole.tolist()


def test_masks_without_a_counted_pixel_are_refused(dataset):
    item = dataset().split("train")[0]
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(item.mask)
    with pytest.raises(DataError, match="made up: no pixel of the training masks is of any class"):
        class_frequencies(dataset(), [item])


def test_inverse_frequency_is_scikit_learns_balanced_with_a_mean_of_1():
    labels = np.repeat([0, 1, 2], [700, 250, 50])
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    weights = balance_weights([700, 250, 50], "inverse")
    assert weights == pytest.approx(balanced / balanced.mean())
    assert weights[0] / weights[1] == pytest.approx(250 / 700)


def test_inverse_frequency_is_median_frequency_balancing_up_to_a_factor():
    counts = np.array([700, 250, 50])
    median = np.median(counts / 1000) / (counts / 1000)
    assert balance_weights(counts, "inverse") == pytest.approx(median / median.mean())


def test_a_class_that_never_occurs_has_no_weight_and_takes_none():
    assert balance_weights([60, 0, 20], "inverse") == pytest.approx((0.5, 0, 1.5))


def test_enets_weights_are_as_published():
    expected = (1 / math.log(1.02 + 0.75), 1 / math.log(1.02 + 0.25), 1 / math.log(1.02))
    assert balance_weights([75, 25, 0], "enet") == pytest.approx(expected)
    assert max(balance_weights([10**12, 1], "enet")) < 50.5


def test_without_balance_all_weigh_the_same():
    assert balance_weights([75, 25, 0], "none") == (1, 1, 1)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.sampled_from(["none", "inverse", "enet"]))
def test_weights_are_finite_whatever_was_counted(counts, kind):
    weights = balance_weights(counts, kind)
    assert len(weights) == len(counts)
    assert all(type(weight) is float and 0 <= weight < math.inf for weight in weights)
    if kind == "inverse" and any(counts):
        assert np.mean([weight for weight, count in zip(weights, counts, strict=True) if count]) == pytest.approx(1)
