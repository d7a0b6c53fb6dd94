"""Dice loss against loops over pixels, against torchmetrics, by hand."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional import f1_score

from onenet.training.dice import dice_loss

B, K, H, W = 2, 3, 4, 5


def draw(high):
    """Logits, and labels 0 .. high - 1 of which some are not counted."""
    generator = torch.Generator().manual_seed(high)
    logits = torch.randn(B, K, H, W, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, high, (B, H, W), generator=generator, dtype=torch.uint8)
    mask[0, 0, :3] = 255
    return logits.requires_grad_(), mask


def dice_in_loops(logits, mask, overlapping):
    """1 - (2 * overlap + 1) / (both areas + 1), mean over the classes that the masks hold."""
    scores = []
    for k in range(K):
        overlap = area = truth = 0.0
        for b, y, x in np.ndindex(B, H, W):
            label = int(mask[b, y, x])
            if label != 255:
                terms = [math.exp(value) for value in logits[b, :, y, x]]
                share = terms[k] / (1 + terms[k]) if overlapping else terms[k] / sum(terms)
                here = bool(label & 2**k) if overlapping else label == k
                overlap += share * here
                area += share + here
                truth += here
        if truth:
            scores.append((2 * overlap + 1) / (area + 1))
    return 1 - sum(scores) / len(scores)


@pytest.mark.parametrize(("overlapping", "high"), [(False, K), (False, K - 1), (True, 2**K), (True, 2 ** (K - 1))])
def test_it_is_over_the_whole_batch_and_the_classes_that_it_holds(overlapping, high):
    logits, mask = draw(high)
    expected = dice_in_loops(logits.detach(), mask, overlapping)
    assert dice_loss(logits, mask, overlapping).item() == pytest.approx(expected)


def test_of_a_sure_answer_it_is_1_minus_the_f1_score_up_to_the_1_that_is_added():
    truth, answer = (
        torch.randint(0, K, (1, 200, 200), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    logits = 1e4 * torch.nn.functional.one_hot(answer, K).permute(0, 3, 1, 2).float()
    f1 = f1_score(answer.flatten(), truth.flatten(), task="multiclass", num_classes=K, average="macro")
    assert dice_loss(logits, truth.byte()).item() == pytest.approx(1 - f1.item(), abs=1e-4)


@pytest.mark.parametrize("overlapping", [False, True])
def test_its_gradient_is_its_slope(overlapping):
    logits, mask = draw(K)
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, mask, overlapping), logits)


def test_by_hand_an_undecided_answer_to_three_pixels_of_class_0_and_one_of_class_1():
    """p is 1/2 everywhere: (3 + 1) / (2 + 3 + 1) and (1 + 1) / (2 + 1 + 1)."""
    mask = torch.tensor([[[0, 0], [0, 1]]]).byte()
    assert dice_loss(torch.zeros(1, 2, 2, 2), mask).item() == pytest.approx(1 - (4 / 6 + 2 / 4) / 2)
