"""Batches depend on the seed and the epoch alone: not on workers, nor on what was drawn before."""

import pickle

import numpy as np
import pytest
import torch

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.loader import AugmentedItems, EpochBatches, training_batches


@pytest.fixture
def loader(photos, tiny):
    """`loader("train.batch=2")` gives the batches of 7 training photos."""
    root = photos(count=9)

    def make(*changes):
        config = load_config("default", [*tiny, f"data.root={root}", "data.val=0.1", "data.test=0.1", *changes])
        dataset = open_dataset(config.data)
        assert len(dataset.items["train"]) == 7
        return training_batches(dataset, config)

    return make


def epoch(loader, number):
    loader.batch_sampler.epoch = number
    return [(image.clone(), mask.clone()) for image, mask in loader]


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(a, b) for pair, other in zip(first, second, strict=True) for a, b in zip(pair, other, strict=True)
    )


def test_a_batch_is_images_and_masks_of_the_size_as_bytes(loader):
    image, mask = epoch(loader("train.batch=4", "data.size=[16, 12]"), 1)[0]
    assert (image.shape, image.dtype) == ((4, 16, 12, 3), torch.uint8)
    assert (mask.shape, mask.dtype) == ((4, 16, 12), torch.uint8)
    assert set(mask.unique().tolist()) == {0, 1}


def test_the_same_seed_and_epoch_give_the_same_batches_whatever_came_before(loader):
    fresh, used = loader(), loader()
    for number in (1, 2, 5):
        epoch(used, number)
    assert same(epoch(fresh, 3), epoch(used, 3))


def test_another_epoch_and_another_seed_give_other_batches(loader):
    batches = epoch(loader(), 1)
    assert not same(batches, epoch(loader(), 2))
    assert not same(batches, epoch(loader("train.seed=1"), 1))


def test_a_worker_process_gives_the_same_batches(loader):
    with_worker = loader("train.workers=1")
    for number in (1, 2):
        assert same(epoch(loader(), number), epoch(with_worker, number))


def test_the_items_can_be_sent_to_a_process_that_starts_from_nothing(loader):
    items: AugmentedItems = loader().dataset
    copy = pickle.loads(pickle.dumps(items))
    for ours, theirs in zip(items[(2, 3)], copy[(2, 3)], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 50])
def test_every_image_comes_once_an_epoch_and_a_last_batch_of_one_is_left_out(batch):
    batches = EpochBatches(count=7, batch=batch, seed=0)
    batches.epoch = 4
    drawn = list(batches)
    assert len(drawn) == len(batches)
    indices = [index for keys in drawn for _, index in keys]
    assert {number for keys in drawn for number, _ in keys} == {4}
    assert len(set(indices)) == len(indices)
    left_out = {2: 1, 3: 1}.get(batch, 0)  # 2 + 2 + 2 and 3 + 3, one is left
    assert len(indices) == 7 - left_out
    assert batch == 1 or min(len(keys) for keys in drawn) > 1


def test_one_image_alone_is_a_batch():
    assert list(EpochBatches(count=1, batch=8, seed=0)) == [[(0, 0)]]


def test_the_order_changes_from_epoch_to_epoch_so_that_no_image_is_always_left_out():
    batches = EpochBatches(count=7, batch=3, seed=0)
    missing, orders = set(), set()
    for number in range(40):
        batches.epoch = number
        drawn = tuple(index for keys in batches for _, index in keys)
        orders.add(drawn)
        missing |= set(range(7)) - set(drawn)
    assert missing == set(range(7))
    assert len(orders) == 40


def test_each_image_is_varied_differently_in_each_epoch(loader):
    items: AugmentedItems = loader().dataset
    first, second = items[(1, 0)][0].numpy(), items[(2, 0)][0].numpy()
    assert not np.array_equal(first, second)
