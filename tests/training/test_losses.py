"""The losses by their definitions, in loops over pixels."""

import math

import pytest
import torch

from onenet.training.losses import SegmentationLoss, dice_loss

B, K, H, W = 2, 3, 4, 5


@pytest.fixture
def logits():
    return torch.randn(B, K, H, W, generator=torch.Generator().manual_seed(0), requires_grad=True)


@pytest.fixture
def mask():
    """Two classes of three, and some pixels that are not counted."""
    labels = torch.randint(0, 2, (B, H, W), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    labels[0, 0, :3] = 255
    return labels


def pixels():
    return ((b, y, x) for b in range(B) for y in range(H) for x in range(W))


def cross_entropy_in_loops(logits, mask, weights):
    """Sum of the weighted -log softmax over the sum of the weights."""
    logits, above, below = logits.detach(), 0.0, 0.0
    for b, y, x in pixels():
        label = int(mask[b, y, x])
        if label != 255:
            terms = [math.exp(logits[b, k, y, x]) for k in range(K)]
            above -= weights[label] * math.log(terms[label] / sum(terms))
            below += weights[label]
    return above / below


def dice_in_loops(logits, mask):
    """1 - (2 * overlap + 1) / (both areas + 1), mean over the classes that the masks hold."""
    logits, scores = logits.detach(), []
    for k in range(K):
        overlap = area = truth = 0.0
        for b, y, x in pixels():
            label = int(mask[b, y, x])
            if label != 255:
                terms = [math.exp(logits[b, c, y, x]) for c in range(K)]
                share = terms[k] / sum(terms)
                overlap += share * (label == k)
                area += share + (label == k)
                truth += label == k
        if truth:
            scores.append((2 * overlap + 1) / (area + 1))
    return 1 - sum(scores) / len(scores)


def cross_entropy_alone(background=0, background_weight=1.0):
    return SegmentationLoss(K, background, background_weight, cross_entropy=1.0, dice=0.0)


@pytest.mark.parametrize(
    ("background", "weight", "weights"),
    [(0, 1.0, (1, 1, 1)), (0, 0.25, (0.25, 1, 1)), (1, 0.25, (1, 0.25, 1)), (None, 0.25, (1, 1, 1))],
)
def test_cross_entropy_weighs_the_background_and_skips_what_is_not_counted(logits, mask, background, weight, weights):
    loss = cross_entropy_alone(background, weight)(logits, mask)
    assert loss.item() == pytest.approx(cross_entropy_in_loops(logits, mask, weights))


def test_dice_is_over_the_whole_batch_and_the_classes_it_holds(logits, mask):
    assert dice_loss(logits, mask).item() == pytest.approx(dice_in_loops(logits, mask), rel=1e-5)


def test_the_loss_is_the_weighted_sum_of_both(logits, mask):
    loss = SegmentationLoss(K, 0, 0.25, cross_entropy=2.0, dice=0.5)(logits, mask)
    both = 2 * cross_entropy_in_loops(logits, mask, (0.25, 1, 1)) + 0.5 * dice_in_loops(logits, mask)
    assert loss.item() == pytest.approx(both, rel=1e-5)


def test_pixels_that_are_not_counted_have_no_gradient_and_all_others_have(logits, mask):
    SegmentationLoss(K, 0, 1.0, cross_entropy=1.0, dice=1.0)(logits, mask).backward()
    left_out = (mask == 255)[:, None].expand_as(logits)
    assert (logits.grad[left_out] == 0).all()
    assert (logits.grad[~left_out] != 0).all()


def test_a_batch_without_any_counted_pixel_has_a_finite_loss_and_no_gradient(logits):
    nothing = torch.full((B, H, W), 255, dtype=torch.uint8)
    loss = SegmentationLoss(K, 0, 0.25, cross_entropy=1.0, dice=1.0)(logits, nothing)
    loss.backward()
    assert math.isfinite(loss.item())
    assert (logits.grad == 0).all()


def test_a_batch_of_background_that_weighs_nothing_has_a_finite_loss(logits):
    loss = cross_entropy_alone(0, 0.0)(logits, torch.zeros(B, H, W, dtype=torch.uint8))
    assert loss.item() == 0


def test_a_perfect_answer_has_no_loss_and_a_wrong_one_has(mask):
    truth = torch.nn.functional.one_hot(torch.where(mask == 255, 0, mask).long(), K).permute(0, 3, 1, 2)
    loss = SegmentationLoss(K, 0, 1.0, cross_entropy=1.0, dice=1.0)
    assert loss(100.0 * truth, mask).item() == pytest.approx(0, abs=1e-5)
    assert loss(-100.0 * truth, mask).item() > 10


def test_half_precision_logits_are_summed_in_full(mask):
    """65536 and more pixels must not overflow: the sums are float32."""
    large = torch.zeros(1, 2, 300, 300, dtype=torch.float16)
    loss = SegmentationLoss(2, None, 1.0, cross_entropy=1.0, dice=1.0)(large, torch.ones(1, 300, 300).byte())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(2) + 1 - (90000 + 1) / (135000 + 1), rel=1e-4)


def test_logits_at_half_size_are_compared_with_every_second_pixel_of_the_mask(logits, mask):
    large = mask.repeat_interleave(2, 1).repeat_interleave(2, 2)
    loss = SegmentationLoss(K, 0, 1.0, 1.0, 1.0)
    assert torch.equal(loss(logits, large), loss(logits, mask))
