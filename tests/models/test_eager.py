"""Running a network leaves it as it was, whoever else runs it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch
from torch import nn

import onenet
from onenet.models.eager import EagerRunner

IMAGES = np.random.default_rng(0).random((4, 1, 3, 32, 32), dtype=np.float32)


@pytest.fixture
def network():
    """In train mode, with statistics that differ from a batch's, and one norm that is frozen."""
    torch.manual_seed(0)
    made = onenet.create_model("onenet-ed-4", width=4)
    made(torch.rand(2, 3, 32, 32))
    frozen(made).eval()
    return made


def frozen(network):
    return next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def state(network):
    modes = {name: module.training for name, module in network.named_modules()}
    return modes, {key: tensor.clone() for key, tensor in network.state_dict().items()}


def check_unchanged(network, before):
    modes, tensors = before
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in network.state_dict().items())


def test_a_frozen_norm_stays_frozen_while_the_rest_trains_on(network):
    before = state(network)
    EagerRunner(network).run(IMAGES[0])
    check_unchanged(network, before)
    assert network.training and not frozen(network).training


def test_modes_come_back_where_the_image_is_refused(network):
    before = state(network)
    with pytest.raises(onenet.errors.ShapeError):
        EagerRunner(network).run(IMAGES[0][:, :2])
    check_unchanged(network, before)


def test_threads_run_it_at_once_with_two_runners(network):
    before = state(network)
    expected = [EagerRunner(network).run(image) for image in IMAGES]
    runners, start = [EagerRunner(network), EagerRunner(network)], Barrier(4)

    def run(number):
        start.wait()
        return [runners[number % 2].run(IMAGES[number]) for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        for number, results in enumerate(pool.map(run, range(4))):
            for result in results:
                np.testing.assert_array_equal(result, expected[number])
    check_unchanged(network, before)
