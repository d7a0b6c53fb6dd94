"""The rate rises in a straight line and falls along a cosine; the averaged weights follow."""

import math

import pytest
import torch
from torch import nn

from onenet.training.schedule import averaged, warmup_cosine


def test_the_rate_rises_over_the_warm_up_and_then_falls_to_nothing():
    factor = warmup_cosine(steps=100, warmup=0.1)
    assert [factor(step) for step in range(10)] == pytest.approx([(step + 1) / 10 for step in range(10)])
    for step in range(10, 101):
        assert factor(step) == pytest.approx((1 + math.cos(math.pi * (step - 10) / 90)) / 2)
    assert factor(10) == 1 and factor(55) == pytest.approx(0.5) and factor(100) == 0


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_without_a_warm_up_the_first_step_is_at_the_peak_and_the_rate_never_rises(steps):
    factor = warmup_cosine(steps, warmup=0.0)
    rates = [factor(step) for step in range(steps)]
    assert rates[0] == 1
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("steps", range(1, 30))
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
def test_every_step_of_a_run_of_any_length_has_a_rate_above_0_and_at_most_the_peak(steps, warmup):
    factor = warmup_cosine(steps, warmup)
    assert all(0 < factor(step) <= 1 for step in range(steps))


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
