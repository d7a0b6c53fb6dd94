"""Boundary loss against distances that are measured pair by pair, and by hand."""

import math

import numpy as np
import pytest
import torch

from onenet.training.boundary import boundary_loss, signed_distance

B, K, H, W = 2, 3, 4, 5


def draw(high):
    generator = torch.Generator().manual_seed(high)
    logits = torch.randn(B, K, H, W, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, high, (B, H, W), generator=generator, dtype=torch.uint8)
    mask[0, 0, :3] = 255
    return logits.requires_grad_(), mask


def is_in(label, k, overlapping):
    return label != 255 and (bool(label & 2**k) if overlapping else label == k)


def distance_in_loops(mask, k, overlapping):
    """To the nearest counted pixel on the other side of the outline, less half a pixel, in diagonals; None without."""
    places = list(np.ndindex(*mask.shape))
    inside = [place for place in places if is_in(int(mask[place]), k, overlapping)]
    outside = [place for place in places if int(mask[place]) != 255 and place not in inside]
    if not inside or not outside:
        return None
    distance = np.zeros(mask.shape)
    for place in places:
        sign, others = (-1, outside) if place in inside else (1, inside)
        distance[place] = sign * (min(math.dist(place, other) for other in others) - 0.5) / math.hypot(*mask.shape)
    return distance


def boundary_in_loops(logits, mask, overlapping):
    total = pixels = 0.0
    for b in range(len(mask)):
        for k in range(K):
            distance = distance_in_loops(mask[b], k, overlapping)
            if distance is None:
                continue
            for y, x in np.ndindex(H, W):
                if mask[b, y, x] != 255:
                    terms = [math.exp(value) for value in logits[b, :, y, x]]
                    share = terms[k] / (1 + terms[k]) if overlapping else terms[k] / sum(terms)
                    total += share * distance[y, x]
                    pixels += 1
    return total / pixels


@pytest.mark.parametrize(("overlapping", "high"), [(False, 2), (False, 3), (True, 4), (True, 8)])
def test_it_is_the_mean_of_probability_times_signed_distance(overlapping, high):
    logits, mask = draw(high)
    expected = boundary_in_loops(logits.detach(), mask, overlapping)
    assert boundary_loss(logits, mask, overlapping).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("overlapping", [False, True])
def test_its_gradient_is_its_slope(overlapping):
    logits, mask = draw(K)
    assert torch.autograd.gradcheck(lambda x: boundary_loss(x, mask, overlapping), logits)


def test_by_hand_two_columns_of_two_classes():
    """Every pixel is half a pixel from the outline, of a diagonal of sqrt 8: p = 1 on the own side gives -, else +."""
    mask = torch.tensor([[[0, 1], [0, 1]]]).byte()
    truth = torch.nn.functional.one_hot(mask.long(), 2).permute(0, 3, 1, 2).float()
    far = 0.5 / math.sqrt(8) / 2  # half of the probabilities are 0
    assert boundary_loss(1e4 * truth, mask).item() == pytest.approx(-far)
    assert boundary_loss(-1e4 * truth, mask).item() == pytest.approx(far)
    assert boundary_loss(0 * truth, mask).item() == pytest.approx(0, abs=1e-7)


def test_of_two_classes_one_map_is_the_other_with_the_sign_changed():
    truth = np.random.default_rng(0).random((6, 7)) > 0.5
    everywhere = np.ones_like(truth)
    np.testing.assert_array_equal(signed_distance(truth, everywhere), -signed_distance(~truth, everywhere))


def test_the_loss_lies_within_minus_1_and_1():
    mask = torch.zeros(1, 40, 30).byte()
    mask[0, 0, 0] = 1
    for sign in (-1e4, 1e4):
        logits = sign * torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1).expand(1, 2, 40, 30)
        assert 0.1 < abs(boundary_loss(logits, mask).item()) < 1


def test_a_class_that_fills_an_image_or_is_not_in_it_has_no_outline():
    logits = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = boundary_loss(logits, torch.ones(1, 4, 4).byte())
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


def test_the_rim_of_what_is_not_counted_is_no_outline():
    filled = np.ones((4, 4), bool)
    filled[0] = False
    assert (signed_distance(filled, counted=filled) == 0).all()
