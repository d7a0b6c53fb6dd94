"""Which images make a batch depends on the seed and the epoch alone; each comes about as often as the others."""

import numpy as np
import pytest

from onenet.data.order import EpochBatches, sample_generator


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


@pytest.mark.parametrize(("count", "samples", "batch"), [(3, 20, 8), (5, 5, 2), (7, 21, 4), (40, 12, 5), (1, 4, 2)])
def test_an_epoch_of_so_many_samples_takes_each_image_about_as_often(count, samples, batch):
    batches = EpochBatches(count, batch, seed=0, samples=samples)
    seen = []
    for number in range(3):
        batches.epoch = number
        drawn = [draw for keys in batches for _, draw in keys]
        assert len(set(drawn)) == len(drawn) and len(drawn) >= samples - 1  # each draw has its own chance
        often = np.bincount(np.array(drawn) % count, minlength=count)
        assert often.max() - often.min() <= 1 + (len(drawn) < samples)
        seen += drawn
    assert len({draw % count for draw in seen}) > min(count - 1, samples)


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


@pytest.mark.parametrize(
    ("count", "batch", "world"), [(16, 4, 2), (17, 4, 2), (19, 4, 2), (23, 6, 3), (9, 3, 3), (3, 8, 2)]
)
def test_ranks_share_the_batches_of_one_process_evenly(count, batch, world):
    whole = list(EpochBatches(count, batch, seed=1))
    parts = [list(EpochBatches(count, batch, 1, rank, world)) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    for step, shares in enumerate(zip(*parts, strict=True)):
        assert len({len(share) for share in shares}) == 1 and len(shares[0]) >= 1
        for rank, share in enumerate(shares):
            assert share == whole[step][rank::world][: len(share)]
        assert len(whole[step]) - sum(map(len, shares)) < world
    if count > batch > world:
        assert all(len(share) > 1 for part in parts for share in part)  # batch norm needs two


def test_the_order_and_the_first_sample_have_random_numbers_of_their_own():
    order = EpochBatches(count=50, batch=50, seed=4)
    order.epoch = 3
    (keys,) = order
    drawn = [sample_generator(4, 3, 0), np.random.default_rng([4, 3]), np.random.default_rng([4, 3, 0])]
    assert all([index for _, index in keys] != list(random.permutation(50)) for random in drawn)
