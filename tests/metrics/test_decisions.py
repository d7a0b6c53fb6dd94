"""Logits become labels, probabilities and cross-entropies by their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onenet.metrics.decisions import decide, decide_each


@pytest.fixture
def logits():
    return np.random.default_rng(1).normal(scale=3, size=(3, 4, 5)).astype(np.float32)


@pytest.fixture
def mask():
    mask = np.random.default_rng(2).integers(0, 3, (4, 5), dtype=np.uint8)
    mask[1, 2] = mask[3, 0] = 255
    return mask


def test_cross_entropy_is_the_log_of_the_softmax_of_the_true_class_pixel_by_pixel(logits, mask):
    expected = np.zeros(3)
    for y in range(4):
        for x in range(5):
            if mask[y, x] != 255:
                terms = [math.exp(logits[k, y, x]) for k in range(3)]
                expected[mask[y, x]] -= math.log(terms[mask[y, x]] / sum(terms))
    np.testing.assert_allclose(decide(logits, mask).entropy, expected, rtol=1e-6)


def test_scikit_learn_finds_the_same_cross_entropy(logits, mask):
    metrics = pytest.importorskip("sklearn.metrics")
    kept = mask != 255
    softmax = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(0)
    expected = metrics.log_loss(mask[kept], softmax[:, kept].T, normalize=False, labels=[0, 1, 2])
    assert decide(logits, mask).entropy.sum() == pytest.approx(expected, rel=1e-6)


@given(shift=st.integers(-9999, 9999), logits=arrays.arrays(np.float32, (2, 1, 3), elements=st.integers(-50, 50)))
def test_cross_entropy_does_not_overflow(shift, logits):
    mask = np.array([[0, 1, 1]], dtype=np.uint8)
    here, there = decide(logits, mask).entropy, decide(logits + np.float32(shift), mask).entropy
    np.testing.assert_allclose(there, here, atol=1e-6)
    assert (here >= 0).all()


def test_logits_that_lie_as_far_apart_as_numbers_can_are_told_apart():
    top = np.finfo(np.float32).max
    found = decide(np.array([[[-top]], [[top]]], dtype=np.float32), np.array([[0]], dtype=np.uint8))
    assert found.labels.item() == 1 and found.probability.item() == 1
    assert found.entropy[0] == pytest.approx(2 * float(top))


def test_cross_entropy_of_nothing_is_nothing():
    nothing = np.full((2, 2), 255, dtype=np.uint8)
    assert decide(np.zeros((2, 2, 2), dtype=np.float32), nothing).entropy.tolist() == [0, 0]
    assert decide_each(np.zeros((2, 2, 2), dtype=np.float32), nothing).entropy.tolist() == [0, 0]


@given(arrays.arrays(np.float32, (4, 2, 3), elements=st.integers(-2, 2)))
def test_the_label_is_the_first_of_the_largest_logits(logits):
    found = decide(logits, np.zeros((2, 3), dtype=np.uint8))
    assert np.array_equal(found.labels, logits.argmax(0))
    softmax = np.exp(logits) / np.exp(logits).sum(0)
    np.testing.assert_allclose(found.probability, softmax.max(0), rtol=1e-5)


def test_the_logits_stay_as_they_are(logits, mask):
    before = logits.copy()
    decide(logits, mask)
    decide_each(logits, mask)
    assert np.array_equal(logits, before)


# --- classes that overlap


def test_an_overlapping_class_is_where_its_logit_is_above_zero():
    logits = np.array([[[1, -1, 2, 0]], [[1, 3, -2, -1]]], dtype=np.float32)
    found = decide_each(logits, np.zeros((1, 4), dtype=np.uint8))
    assert found.labels.tolist() == [[3, 2, 1, 0]]
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-logits)), rtol=1e-6)


def test_binary_cross_entropy_is_summed_for_each_class(logits, mask):
    codes = np.where(mask == 255, 255, mask * 3).astype(np.uint8)  # 0, 3 or 6 of bits 1, 2 and 4
    expected = np.zeros(3)
    for y, x in zip(*np.nonzero(codes != 255), strict=True):
        for k in range(3):
            probability = 1 / (1 + math.exp(-logits[k, y, x]))
            expected[k] -= math.log(probability if codes[y, x] >> k & 1 else 1 - probability)
    np.testing.assert_allclose(decide_each(logits, codes).entropy, expected, rtol=1e-5)


def test_binary_cross_entropy_does_not_overflow():
    logits = np.array([[[-9999, 9999, 9999]]], dtype=np.float32)
    found = decide_each(logits, np.array([[0, 1, 0]], dtype=np.uint8))
    assert found.entropy.tolist() == [9999]
    assert found.probability.tolist() == [[[0, 1, 1]]]
