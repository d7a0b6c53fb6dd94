"""The rate over the steps, by schedule and by recipe; the averaged weights follow."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from onenet.config import load_config
from onenet.training.schedule import averaged, rate_factor

SCHEDULES = ["cosine", "poly", "step", "constant"]


def rates(schedule, steps, warmup, steps_per_epoch=1):
    """The rate at each step of a run, and the one after the last."""
    config = dataclasses.replace(
        load_config().train, schedule=schedule, epochs=steps // steps_per_epoch, warmup=warmup, step_from=5,
        step_every=3, step_factor=0.5,
    )  # fmt: skip
    factor = rate_factor(config, steps_per_epoch)
    return [factor(step) for step in range(steps + 1)]


def by_epoch(recipe, steps_per_epoch=7):
    """(first, last) learning rate of each epoch, counted from 1."""
    config = load_config(recipe).train
    factor = rate_factor(config, steps_per_epoch)
    ends = ((0, steps_per_epoch - 1),) * config.epochs
    return {
        epoch + 1: tuple(config.learning_rate * factor(steps_per_epoch * epoch + step) for step in pair)
        for epoch, pair in enumerate(ends)
    }


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_over_the_warm_up_in_a_straight_line(schedule):
    assert rates(schedule, 100, 0.1, 50)[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])


def test_cosine_falls_to_nothing_along_half_a_cosine():
    factor = rates("cosine", 100, 0.1)
    for step in range(10, 101):
        assert factor[step] == pytest.approx((1 + math.cos(math.pi * (step - 10) / 90)) / 2)
    assert factor[10] == 1 and factor[55] == pytest.approx(0.5) and factor[100] == 0


def test_poly_falls_to_nothing_as_torchs_own_does():
    layer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.PolynomialLR(layer, total_iters=100, power=0.9)
    for factor in rates("poly", 100, 0.0):
        assert factor == pytest.approx(theirs.get_last_lr()[0])
        layer.step()
        theirs.step()


def test_step_falls_before_epoch_step_from_and_again_every_so_many_epochs():
    epochs = [1] * 4 + [0.5] * 3 + [0.25] * 3 + [0.125] * 2
    assert rates("step", 24, 0.0, steps_per_epoch=2)[:24] == [rate for rate in epochs for _ in range(2)]
    assert rates("step", 24, 0.25, steps_per_epoch=2)[6:24] == [rate for rate in epochs[3:] for _ in range(2)]


def test_constant_stays_at_the_peak():
    assert rates("constant", 20, 0.25) == [0.2, 0.4, 0.6, 0.8] + [1] * 17


def test_the_recipe_paper_has_the_rates_of_section_4():
    """1e-4, a tenth of it every 20 epochs from epoch 50."""
    rate = by_epoch("paper")
    assert len(rate) == 300
    for first, last, expected in [(1, 49, 1e-4), (50, 69, 1e-5), (70, 89, 1e-6), (90, 109, 1e-7), (110, 129, 1e-8)]:
        for epoch in range(first, last + 1):
            assert rate[epoch] == pytest.approx((expected, expected)), epoch
    assert all(max(rate[epoch]) < 1.01e-9 for epoch in range(130, 301))


def test_the_recipe_paper_short_has_the_same_rates_and_stops():
    rate, whole = by_epoch("paper-short"), by_epoch("paper")
    assert len(rate) == 130
    assert all(rate[epoch] == whole[epoch] for epoch in rate)


def test_the_default_recipe_warms_up_and_follows_the_cosine():
    rate = by_epoch("default")
    assert rate[1][0] == pytest.approx(1e-3 / 35)  # a twentieth of 700 steps
    assert rate[6][0] == pytest.approx(1e-3)
    assert 0 < rate[100][1] < 1e-7


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_without_a_warm_up_the_first_step_is_at_the_peak_and_the_rate_never_rises(schedule, steps):
    factor = rates(schedule, steps, 0.0)
    assert factor[0] == 1
    assert factor == sorted(factor, reverse=True)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", range(1, 30))
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
def test_every_step_of_a_run_of_any_length_has_a_rate_above_0_and_at_most_the_peak(schedule, steps, warmup):
    assert all(0 < factor <= 1 for factor in rates(schedule, steps, warmup)[:steps])


def follow(decay, values):
    """The average of a layer whose weight takes these values, one step after the other."""
    layer = nn.Linear(1, 1, bias=False)
    average = averaged(layer, decay)
    for value in values:
        layer.weight.data.fill_(value)
        average.update_parameters(layer)
    return average.module.weight.item()


def test_the_average_is_exponential_with_a_decay_that_ramps_up():
    values = [1.0, 5.0, -2.0, 3.0, 8.0]
    expected = values[0]
    for n, value in enumerate(values[1:], start=1):
        keep = min(0.3, (1 + n) / (10 + n))
        expected = keep * expected + (1 - keep) * value
    assert follow(0.3, values) == pytest.approx(expected)


def test_after_many_steps_the_decay_is_the_one_that_was_asked_for():
    assert follow(0.9, [0.0] * 200 + [1.0]) == pytest.approx(0.1)


def test_the_random_start_is_soon_forgotten():
    assert follow(0.999, [100.0] + [1.0] * 20) < 1.1


def test_decay_0_is_a_copy_of_the_latest_weights_to_the_bit():
    layer, random = nn.BatchNorm2d(3), torch.Generator().manual_seed(0)
    average = averaged(layer, 0.0)
    for _ in range(4):
        layer.weight.data.normal_(generator=random)
        layer(torch.rand(2, 3, 4, 4, generator=random))
        average.update_parameters(layer)
    for name, value in layer.state_dict().items():
        assert torch.equal(average.module.state_dict()[name], value), name


def test_statistics_of_norms_are_averaged_and_their_counters_copied():
    layer, random = nn.BatchNorm2d(3), torch.Generator().manual_seed(0)
    average = averaged(layer, 0.9)
    seen = []
    for _ in range(3):
        layer(torch.rand(2, 3, 4, 4, generator=random) + len(seen))
        average.update_parameters(layer)
        seen.append(layer.running_mean.clone())
    expected = seen[0]
    for n, mean in enumerate(seen[1:], start=1):
        expected = torch.lerp(expected, mean, 1 - (1 + n) / (10 + n))
    torch.testing.assert_close(average.module.running_mean, expected)
    assert average.module.num_batches_tracked == 3
