"""The sum of losses: its weights, sizes, precision, what is not counted, and several processes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from onenet.config import load_config
from onenet.errors import ConfigError
from onenet.training.boundary import boundary_loss
from onenet.training.dice import dice_loss
from onenet.training.losses import SegmentationLoss
from onenet.training.lovasz import lovasz_loss
from onenet.training.pixelwise import cross_entropy_loss, focal_loss

B, K, H, W = 2, 3, 4, 5
NONE = dict(cross_entropy=0.0, dice=0.0, focal=0.0, lovasz=0.0, boundary=0.0)
LOSSES = list(NONE)
ALL = dict(cross_entropy=1.0, dice=0.5, focal=2.0, lovasz=0.25, boundary=3.0)

every_loss = pytest.mark.parametrize("name", LOSSES)
both_kinds = pytest.mark.parametrize("overlapping", [False, True])


def table(**values):
    """The [loss] table with these losses alone."""
    return dataclasses.replace(load_config().loss, **{**NONE, **values})


def make(overlapping=False, background=None, balance=None, all_sum=lambda x: x, classes=K, **values):
    return SegmentationLoss(classes, background, table(**values), overlapping, balance, all_sum)


@pytest.fixture
def logits():
    return torch.randn(B, K, H, W, generator=torch.Generator().manual_seed(0), requires_grad=True)


@pytest.fixture
def mask():
    """Two classes of three, or codes of them, and some pixels that are not counted."""
    labels = torch.randint(0, 2, (B, H, W), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    labels[0, 0, :3] = 255
    return labels


@both_kinds
def test_it_is_the_weighted_sum_of_the_losses(logits, mask, overlapping):
    weight, rest = torch.ones(K), dict(overlapping=overlapping)
    expected = (
        1.0 * cross_entropy_loss(logits, mask, weight, **rest) + 0.5 * dice_loss(logits, mask, **rest)
        + 2.0 * focal_loss(logits, mask, weight, 1.5, **rest) + 0.25 * lovasz_loss(logits, mask, **rest)
        + 3.0 * boundary_loss(logits, mask, **rest)
    )  # fmt: skip
    torch.testing.assert_close(make(overlapping, **ALL, focal_gamma=1.5)(logits, mask), expected)


class TestWeights:
    @pytest.mark.parametrize(
        ("background", "weights"), [(0, (0.25, 1.0, 1.0)), (1, (1.0, 0.25, 1.0)), (None, (1.0, 1.0, 1.0))]
    )
    def test_the_background_weighs_what_the_recipe_says(self, logits, mask, background, weights):
        loss = make(background=background, background_weight=0.25, cross_entropy=1.0)
        assert loss.class_weights == weights
        expected = cross_entropy(logits, mask.long(), torch.tensor(weights), ignore_index=255)
        torch.testing.assert_close(loss(logits, mask), expected)

    @pytest.mark.parametrize("name", ["cross_entropy", "focal"])
    def test_the_weights_of_the_recipe_and_of_the_balance_are_multiplied(self, logits, mask, name):
        changes = {name: 1.0, "background_weight": 0.5, "class_weights": (1.0, 2.0, 3.0)}
        loss = make(background=0, balance=[10.0, 5.0, 0.1], **changes)
        assert loss.class_weights == pytest.approx((5, 10, 0.3))
        other = make(**{name: 1.0, "class_weights": loss.class_weights})
        torch.testing.assert_close(loss(logits, mask), other(logits, mask))
        assert loss(logits, mask) != make(**{name: 1.0})(logits, mask)

    def test_another_number_of_weights_than_classes_is_refused(self):
        two = table(cross_entropy=1.0, class_weights=(1.0, 2.0))
        with pytest.raises(ConfigError, match=r"loss\.class_weights has 2 weights, but there are 3 classes; give") as e:
            SegmentationLoss(3, 0, two)
        assert "\n" not in str(e.value)

    def test_nothing_to_minimise_is_refused(self):
        with pytest.raises(ConfigError, match=r"all losses have weight 0; set one above 0, for example loss\.cross"):
            make()

    def test_classes_that_all_weigh_nothing_are_refused(self):
        with pytest.raises(ConfigError, match=r"every class weighs 0 .* raise loss\.class_weights"):
            make(cross_entropy=1.0, background=0, background_weight=0.0, class_weights=(1.0, 0.0, 0.0))


class TestWhatIsNotCounted:
    @both_kinds
    @every_loss
    def test_pixels_of_255_have_no_gradient_and_others_have(self, logits, mask, name, overlapping):
        make(overlapping, **{name: 1.0})(logits, mask).backward()
        left_out = (mask == 255)[:, None].expand_as(logits)
        assert (logits.grad[left_out] == 0).all()
        sloped = (logits.grad[~left_out] != 0).float().mean()
        assert sloped == 1 if name in ("cross_entropy", "focal") else sloped > 0.2  # not of classes that do not occur

    @both_kinds
    @every_loss
    def test_nor_do_their_logits_change_the_loss(self, logits, mask, name, overlapping):
        loss = make(overlapping, **{name: 1.0})
        changed = torch.where((mask == 255)[:, None], 77.0, logits)
        assert torch.equal(loss(logits, mask), loss(changed, mask))

    @both_kinds
    @every_loss
    def test_a_batch_without_a_counted_pixel_has_no_loss_and_a_gradient_of_zeros(self, logits, name, overlapping):
        loss = make(overlapping, **{name: 1.0})(logits, torch.full((B, H, W), 255, dtype=torch.uint8))
        loss.backward()
        assert loss.item() == 0
        assert (logits.grad == 0).all()

    def test_a_batch_of_background_that_weighs_nothing_has_no_loss(self, logits):
        loss = make(background=0, background_weight=0.0, cross_entropy=1.0, focal=1.0)
        assert loss(logits, torch.zeros(B, H, W, dtype=torch.uint8)).item() == 0


class TestNumbers:
    @both_kinds
    @every_loss
    @settings(max_examples=40)
    @given(scale=st.sampled_from([0.0, 1.0, 100.0, 1e4]), seed=st.integers(0, 1000), high=st.integers(1, 8))
    def test_loss_and_gradient_are_finite(self, name, overlapping, scale, seed, high):
        random = np.random.default_rng(seed)
        logits = torch.tensor(random.normal(size=(2, K, 3, 4)) * scale, dtype=torch.float32).requires_grad_()
        labels = random.choice([*range(high if overlapping else min(high, K)), 255], size=(2, 3, 4))
        loss = make(overlapping, **{name: 1.0})(logits, torch.tensor(labels, dtype=torch.uint8))
        loss.backward()
        assert loss.isfinite() and logits.grad.isfinite().all()

    @both_kinds
    def test_a_perfect_answer_has_the_least_loss_and_a_wrong_one_more(self, mask, overlapping):
        label = torch.where(mask == 255, 0, mask).long()
        truth = torch.stack([label & 1, label * 0, label * 0], 1) if overlapping else one_hot(label, K).movedim(3, 1)
        right, wrong = 200.0 * truth - 100, 100 - 200.0 * truth
        for name in LOSSES:
            loss = make(overlapping, **{name: 1.0})
            if name != "boundary":  # its least is below 0
                assert loss(right, mask).item() == pytest.approx(0, abs=1e-5)
            assert loss(right, mask) < loss(0 * right, mask) < loss(wrong, mask)

    def test_half_precision_logits_are_summed_in_full(self):
        """65536 and more pixels must not overflow: the sums are float32."""
        large = torch.zeros(1, 2, 300, 300, dtype=torch.float16)
        loss = make(classes=2, cross_entropy=1.0, dice=1.0)(large, torch.ones(1, 300, 300).byte())
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(math.log(2) + 1 - (90000 + 1) / (135000 + 1), rel=1e-4)

    @every_loss
    @both_kinds
    def test_under_autocast_the_loss_of_half_precision_logits_is_that_of_the_same_numbers_in_full(
        self, logits, mask, overlapping, name
    ):
        loss, given = make(overlapping, **{name: 1.0}), logits.detach().bfloat16()
        for labels in (mask, mask[:, ::2].contiguous(), mask.repeat_interleave(2, 1)):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                inside = loss(given, labels)
            assert inside.dtype == torch.float32
            assert torch.equal(inside, loss(given.float(), labels))

    def test_float64_stays_float64(self, logits, mask):
        assert make(**ALL)(logits.double(), mask).dtype == torch.float64


class TestSizes:
    @every_loss
    def test_logits_at_half_size_are_compared_with_the_mask_at_half_size(self, logits, mask, name):
        large = mask.repeat_interleave(2, 1).repeat_interleave(2, 2)
        loss = make(**{name: 1.0})
        assert torch.equal(loss(logits, large), loss(logits, mask))

    @every_loss
    def test_logits_at_twice_the_masks_size_are_averaged_down_to_it(self, logits, mask, name):
        """Four logits around each of the small ones, with that mean."""
        large = logits.detach().repeat_interleave(2, 2).repeat_interleave(2, 3)
        large[:, 0, ::2, ::2] += 0.75
        large[:, 0, 1::2] -= 0.25
        large[:, 0, ::2, 1::2] -= 0.25
        loss = make(**{name: 1.0})
        torch.testing.assert_close(loss(large, mask), loss(logits, mask))

    def test_of_nine_labels_the_one_in_the_middle_is_taken(self, logits, mask):
        large = torch.full((B, 3 * H, 3 * W), 255, dtype=torch.uint8)
        large[:, 1::3, 1::3] = mask
        loss = make(**ALL)
        assert torch.equal(loss(logits, large), loss(logits, mask))

    def test_each_axis_is_brought_to_the_smaller_size(self, logits, mask):
        large = mask.repeat_interleave(2, 1)
        loss = make(**ALL)
        torch.testing.assert_close(loss(logits.repeat_interleave(2, 3), large), loss(logits, mask))


class TestAuxiliary:
    def test_heads_add_the_mean_of_their_losses(self, logits, mask):
        others = [torch.randn(B, K, *size, generator=torch.Generator().manual_seed(2)) for size in [(1, 1), (2, 3)]]
        loss = make(**ALL, auxiliary=0.4)
        expected = loss(logits, mask) + 0.4 * (loss(others[0], mask) + loss(others[1], mask)) / 2
        torch.testing.assert_close(loss([logits, *others], mask), expected)
        torch.testing.assert_close(loss((logits, *others), mask), expected)

    def test_a_list_without_heads_is_the_network_alone(self, logits, mask):
        loss = make(**ALL, auxiliary=0.4)
        assert torch.equal(loss([logits], mask), loss(logits, mask))


class TestProcesses:
    """Two of them with a half each, in turn: what one adds up is kept for the other."""

    @both_kinds
    @pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal", "boundary"])
    def test_two_with_half_a_batch_each_have_the_loss_and_the_gradient_of_one(self, logits, mask, name, overlapping):
        settings = {"overlapping": overlapping, "background": 0, "background_weight": 0.25, "auxiliary": 0.5, name: 1.0}
        inner = logits.detach()[:, :, ::2, ::2].clone().requires_grad_()
        whole = make(**settings)([logits, inner], mask)
        gradients = torch.autograd.grad(whole, [logits, inner])
        kept = {}
        for half in (0, 1):
            kept[half] = []
            keep = lambda x: kept[half].append(x.detach()) or x  # noqa: B023, E731
            make(**settings, all_sum=keep)([logits[[half]], inner[[half]]], mask[[half]])
        for half in (0, 1):
            others = iter(kept[1 - half])
            loss = make(**settings, all_sum=lambda x: x + next(others))([logits[[half]], inner[[half]]], mask[[half]])  # noqa: B023
            torch.testing.assert_close(loss, whole)
            own = torch.autograd.grad(loss, [logits, inner])
            for mine, all_ in zip(own, gradients, strict=True):
                torch.testing.assert_close(mine[half], all_[half])
            assert next(others, None) is None  # all of the other's sums were asked for
