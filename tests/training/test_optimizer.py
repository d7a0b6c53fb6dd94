"""One step of each optimiser, worked out by hand."""

import dataclasses

import pytest
import torch
from torch import nn

from onenet.config import load_config
from onenet.training.optimizer import make_optimizer

RATE, DECAY = 0.1, 0.01


def make(name, module):
    changes = dict(optimizer=name, learning_rate=RATE, weight_decay=DECAY)
    return make_optimizer(dataclasses.replace(load_config().train, **changes), module)


def after(name, gradients, weight=2.0):
    """The weight of a layer after steps with these gradients."""
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(weight)
    optimizer = make(name, layer)
    for gradient in gradients:
        layer.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return layer.weight.item()


def test_adamw_shrinks_the_weight_and_takes_a_step_of_the_rate():
    assert after("adamw", [5.0]) == pytest.approx(2 * (1 - RATE * DECAY) - RATE)


def test_adam_takes_a_step_of_the_rate_and_adds_the_decay_to_the_gradient():
    assert after("adam", [5.0]) == pytest.approx(2 - RATE)
    assert after("adam", [0.0]) == pytest.approx(2 - RATE)  # the decay alone, brought to length 1


def test_sgd_has_nesterovs_momentum_and_adds_the_decay_to_the_gradient():
    weight, velocity = 2.0, 0.0
    for gradient in (5.0, -3.0):
        gradient += DECAY * weight
        velocity = 0.9 * velocity + gradient
        weight -= RATE * (gradient + 0.9 * velocity)
    assert after("sgd", [5.0, -3.0]) == pytest.approx(weight)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_all_parameters_are_trained_alike(name):
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    (group,) = make(name, module).param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in module.parameters()}
    assert (group["lr"], group["weight_decay"]) == (RATE, DECAY)


def test_the_recipe_paper_trains_with_adam_at_1e_4_without_decay():
    optimizer = make_optimizer(load_config("paper").train, nn.Linear(1, 1))
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.Adam
    assert (group["lr"], group["weight_decay"]) == (1e-4, 0)
