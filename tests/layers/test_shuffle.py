import numpy as np
import pytest
import torch

from onenet.layers.shuffle import Repeat, Shuffle, Unshuffle


def test_unshuffle_puts_the_four_pixels_of_a_square_into_four_channels():
    x = torch.tensor([[[[0.0, 1], [2, 3]], [[4, 5], [6, 7]]]])  # 1 2 2 2
    assert Unshuffle()(x).flatten().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_shuffle_spreads_four_channels_over_a_square():
    x = torch.arange(8.0).view(1, 8, 1, 1)
    assert Shuffle()(x).tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]


def test_each_undoes_the_other():
    fine, coarse = torch.rand(2, 3, 4, 6), torch.rand(2, 8, 3, 5)
    assert torch.equal(Shuffle()(Unshuffle()(fine)), fine)
    assert torch.equal(Unshuffle()(Shuffle()(coarse)), coarse)


@pytest.mark.parametrize("layer", [Unshuffle(), Shuffle(), Repeat()])
def test_there_is_nothing_to_learn(layer):
    assert not layer.state_dict()


def test_repeat_makes_a_square_of_each_pixel():
    x = torch.rand(2, 3, 4, 5)
    assert np.array_equal(Repeat()(x).numpy(), np.kron(x.numpy(), np.ones((2, 2), dtype=np.float32)))
