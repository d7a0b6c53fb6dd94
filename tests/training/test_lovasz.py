"""Lovasz loss: against the definition of the extension of a set function, in two forms, and by hand."""

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from onenet.training.lovasz import jaccard_rises, lovasz_loss


def jaccard(wrong, truth):
    """The Jaccard loss of a class where exactly the pixels of `wrong` are answered wrongly."""
    true = {i for i, here in enumerate(truth) if here}
    answered = true ^ set(wrong)
    union = true | answered
    return 1 - Fraction(len(true & answered), len(union)) if union else Fraction(0)


def extension(errors, truth):
    """The Lovasz extension of a submodular set function: the largest over all orders of the pixels."""
    return max(
        sum(
            errors[pixel] * (jaccard(order[: i + 1], truth) - jaccard(order[:i], truth))
            for i, pixel in enumerate(order)
        )
        for order in permutations(range(len(errors)))
    )


def choquet(errors, truth):
    """The same as an integral: Jaccard loss of the pixels whose error exceeds a threshold, over all thresholds."""
    levels = sorted({0.0, *errors})
    wrong = [[i for i, error in enumerate(errors) if error > low] for low in levels]
    return sum(
        (high - low) * jaccard(pixels, truth) for (low, high), pixels in zip(pairwise(levels), wrong, strict=False)
    )


def classes_in_loops(logits, mask, overlapping, measure):
    """Mean over the classes that occur, of `measure(errors, truth)` over the counted pixels of the batch."""
    values = []
    for k in range(logits.shape[1]):
        errors, truth = [], []
        for b, y, x in np.ndindex(*mask.shape):
            label, scores = int(mask[b, y, x]), logits[b, :, y, x].double().numpy()
            if label == 255:
                continue
            truth.append(bool(label & 2**k) if overlapping else label == k)
            if overlapping:
                errors.append(max(0.0, 1 - scores[k] * (1 if truth[-1] else -1)))
            else:
                errors.append(abs(truth[-1] - np.exp(scores[k]) / np.exp(scores).sum()))
        if any(truth):
            values.append(float(measure(errors, truth)))
    return sum(values) / len(values) if values else 0.0


def draw(high, h=4, w=5, k=3):
    generator = torch.Generator().manual_seed(high)
    logits = torch.randn(2, k, h, w, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, high, (2, h, w), generator=generator, dtype=torch.uint8)
    mask[0, 0, 0] = 255
    return logits.requires_grad_(), mask


@pytest.mark.parametrize(("overlapping", "high"), [(False, 2), (False, 3), (True, 4), (True, 8)])
def test_it_is_the_convex_extension_of_the_jaccard_loss(overlapping, high):
    logits, mask = draw(high, h=1, w=3)  # 5 counted pixels: 120 orders
    expected = classes_in_loops(logits.detach(), mask, overlapping, extension)
    assert lovasz_loss(logits, mask, overlapping).item() == pytest.approx(expected)


@pytest.mark.parametrize(("overlapping", "high"), [(False, 2), (False, 3), (True, 4), (True, 8)])
def test_over_many_pixels_it_is_the_integral_over_thresholds(overlapping, high):
    logits, mask = draw(high)
    expected = classes_in_loops(logits.detach(), mask, overlapping, choquet)
    assert lovasz_loss(logits, mask, overlapping).item() == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
def test_the_rises_in_closed_form_are_the_differences_of_the_jaccard_loss(truth):
    order = range(len(truth))
    expected = [float(jaccard(order[: i + 1], truth) - jaccard(order[:i], truth)) for i in order]
    rises = jaccard_rises(torch.tensor([truth]), torch.float64)[0]
    assert rises.tolist() == pytest.approx(expected)
    assert rises.sum().item() == pytest.approx(1)


def test_of_a_million_pixels_in_float32_no_rise_is_lost():
    truth = torch.arange(2**20)[None] % 4 == 0
    rises, exact = jaccard_rises(truth), jaccard_rises(truth, torch.float64)
    torch.testing.assert_close(rises.double(), exact, rtol=1e-6, atol=0)
    assert (rises[0, :-3] > 0).all()  # the last ones are counted when nothing is left to lose


@pytest.mark.parametrize(("overlapping", "high"), [(False, 3), (True, 8)])
def test_its_gradient_is_its_slope(overlapping, high):
    logits, mask = draw(high)
    assert torch.autograd.gradcheck(lambda x: lovasz_loss(x, mask, overlapping), logits)


def test_a_sure_answer_has_the_mean_jaccard_loss():
    """Class 0 has 1 of 2 pixels in the union, class 1 has 2 of 3."""
    mask = torch.tensor([[[0, 0], [1, 1]]]).byte()
    answer = torch.tensor([[[0, 1], [1, 1]]])
    logits = 1e4 * torch.nn.functional.one_hot(answer, 2).permute(0, 3, 1, 2).float()
    assert lovasz_loss(logits, mask).item() == pytest.approx(((1 - 1 / 2) + (1 - 2 / 3)) / 2)


def test_by_hand_an_undecided_answer():
    """All errors are 1/2, and the rises of each class sum to 1."""
    assert lovasz_loss(torch.zeros(1, 2, 2, 2), torch.tensor([[[0, 0], [0, 1]]]).byte()).item() == pytest.approx(0.5)


def test_a_margin_of_1_is_enough_where_classes_overlap():
    mask = torch.tensor([[[1, 2]]]).byte()
    right = torch.tensor([[[[1.0, -1.0]], [[-1.0, 1.0]]]])
    assert lovasz_loss(right, mask, overlapping=True).item() == 0
    assert lovasz_loss(0.5 * right, mask, overlapping=True).item() == pytest.approx(0.5)


def test_two_processes_have_the_mean_over_the_classes_of_both():
    logits, mask = draw(3)
    mask[1] = mask[1].clamp(max=1)  # two classes there, three in the first
    halves = [lovasz_loss(logits[[i]], mask[[i]]) for i in (0, 1)]
    other = torch.stack([2 * halves[1], torch.tensor(2.0)]).detach()  # what the second process would add
    loss = lovasz_loss(logits[[0]], mask[[0]], all_sum=lambda own: own + other)
    torch.testing.assert_close(loss, (3 * halves[0] + 2 * halves[1]) / 5)
