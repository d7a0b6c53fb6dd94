"""Cross-entropy and focal loss: against scikit-learn, against loops over pixels, by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from onenet.training.pixelwise import cross_entropy_loss, focal_loss

B, K, H, W = 2, 3, 4, 5
WEIGHTS = (0.25, 1.0, 3.0)
GAMMAS = [0.0, 0.5, 1.0, 2.0, 5.0]


def draw(high, dtype=torch.float64):
    """Logits, and labels 0 .. high - 1 of which some are not counted."""
    generator = torch.Generator().manual_seed(high)
    logits = torch.randn(B, K, H, W, generator=generator, dtype=dtype) * 2
    mask = torch.randint(0, high, (B, H, W), generator=generator, dtype=torch.uint8)
    mask[0, 0, :3] = 255
    return logits.requires_grad_(), mask


def weights(dtype=torch.float64):
    return torch.tensor(WEIGHTS, dtype=dtype)


def softmax(values):
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def focal_in_loops(logits, mask, gamma, overlapping):
    """The definition, pixel by pixel; gamma 0 is the cross-entropy."""
    above = below = 0.0
    for b, y, x in np.ndindex(B, H, W):
        label = int(mask[b, y, x])
        if label == 255:
            continue
        values = [float(value) for value in logits[b, :, y, x]]
        if overlapping:
            shares = [1 / (1 + math.exp(-value)) for value in values]
            terms = [(k, shares[k] if label & 2**k else 1 - shares[k]) for k in range(K)]
        else:
            terms = [(label, softmax(values)[label])]
        for k, p in terms:
            above += WEIGHTS[k] * (1 - p) ** gamma * -math.log(p)
            below += WEIGHTS[k]
    return above / below


def test_the_cross_entropy_is_scikit_learns_log_loss_with_the_weights_of_the_classes():
    logits, mask = draw(K)
    counted = mask.numpy() != 255
    shares = logits.detach().softmax(1).permute(0, 2, 3, 1).numpy()[counted]
    labels = mask.numpy()[counted]
    expected = log_loss(labels, shares, sample_weight=np.array(WEIGHTS)[labels], labels=range(K))
    assert cross_entropy_loss(logits, mask, weights()).item() == pytest.approx(expected)


def test_that_of_overlapping_classes_is_the_weighted_mean_of_scikit_learns_log_losses():
    logits, mask = draw(2**K)
    counted = mask.numpy() != 255
    shares = logits.detach().sigmoid().permute(0, 2, 3, 1).numpy()[counted]
    codes = mask.numpy()[counted]
    each = [log_loss(codes >> k & 1, shares[:, k], labels=[0, 1]) for k in range(K)]
    loss = cross_entropy_loss(logits, mask, weights(), overlapping=True)
    assert loss.item() == pytest.approx(np.average(each, weights=WEIGHTS))


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_focal_loss_is_its_definition(gamma, overlapping):
    logits, mask = draw(2**K if overlapping else K)
    expected = focal_in_loops(logits.detach(), mask, gamma, overlapping)
    assert focal_loss(logits, mask, weights(), gamma, overlapping).item() == pytest.approx(expected)


@pytest.mark.parametrize("overlapping", [False, True])
def test_the_focal_loss_of_gamma_0_is_the_cross_entropy(overlapping):
    logits, mask = draw(K)
    entropy = cross_entropy_loss(logits, mask, weights(), overlapping)
    torch.testing.assert_close(focal_loss(logits, mask, weights(), 0.0, overlapping), entropy)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_gradients_are_the_slopes_of_the_loss(gamma, overlapping):
    logits, mask = draw(K)
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, mask, weights(), gamma, overlapping), logits)
    assert torch.autograd.gradcheck(lambda x: cross_entropy_loss(x, mask, weights(), overlapping), logits)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("size", [0.0, 20.0, 1e4])
def test_a_sure_answer_right_or_wrong_has_a_finite_loss_and_gradient(size, gamma, overlapping):
    sure = torch.tensor([size, -size]).reshape(1, 2, 1, 1).expand(1, 2, 1, 2).clone().requires_grad_()
    loss = focal_loss(sure, torch.tensor([[[0, 1]]]).byte(), torch.ones(2), gamma, overlapping)
    loss.backward()
    assert loss.isfinite() and sure.grad.isfinite().all()


def test_by_hand_an_easy_pixel_counts_a_quarter_less_and_a_hard_one_nearly_in_full():
    """Two pixels of class 1, seen with probability 3/4 and 1/4; gamma 2 weighs them 1/16 and 9/16."""
    logits = torch.log(torch.tensor([[[[0.25, 0.75]], [[0.75, 0.25]]]]))
    loss = focal_loss(logits, torch.ones(1, 1, 2).byte(), torch.ones(2))
    assert loss.item() == pytest.approx((math.log(4 / 3) / 16 + math.log(4) * 9 / 16) / 2)


def test_by_hand_overlapping_classes_are_asked_one_by_one():
    """One pixel of classes 0 and 2 (code 5), each class seen with probability 3/4."""
    logits = torch.full((1, 3, 1, 1), math.log(3))
    loss = cross_entropy_loss(logits, torch.full((1, 1, 1), 5).byte(), torch.ones(3), overlapping=True)
    assert loss.item() == pytest.approx((2 * math.log(4 / 3) + math.log(4)) / 3)
