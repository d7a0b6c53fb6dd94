"""Batches depend on the seed and the epoch alone: not on workers, ranks or the cache, nor on what was drawn before."""

import os
import pickle
import signal
import threading
import time

import pytest
import torch
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.loader import TrainingBatches, VariedItems
from onenet.errors import ConfigError, DataError, TrainError

CPU = torch.device("cpu")


@pytest.fixture
def open_photos(photos, tiny):
    """`open_photos("train.batch=2")` gives the data set of 7 training photos and the configuration."""
    root = photos(count=9)

    def make(*changes):
        config = load_config("default", [*tiny, f"data.root={root}", "data.val=0.1", "data.test=0.1", *changes])
        dataset = open_dataset(config.data)
        assert len(dataset.items["train"]) == 7
        return dataset, config

    return make


@pytest.fixture
def loader(open_photos):
    """`loader("train.batch=2")` gives the batches of 7 training photos; its workers end with the test."""
    made = []

    def make(*changes, **how):
        made.append(TrainingBatches(*open_photos(*changes), **how))
        return made[-1]

    yield make
    for batches in made:
        batches.close()


def epoch(batches, number):
    batches.set_epoch(number)
    return [(image.clone(), mask.clone()) for image, mask in batches]


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(a, b) for pair, other in zip(first, second, strict=True) for a, b in zip(pair, other, strict=True)
    )


@pytest.mark.parametrize("cache", ["none", "memory", "device"])
def test_a_batch_is_images_in_0_to_1_channels_last_and_masks_as_bytes(loader, cache):
    batches = loader("train.batch=4", "data.size=[16, 12]", "data.mask_size=[8, 6]", f"data.cache={cache}")
    image, mask = epoch(batches, 1)[0]
    assert (image.shape, image.dtype) == ((4, 3, 16, 12), torch.float32)
    assert image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()
    assert (mask.shape, mask.dtype) == ((4, 8, 6), torch.uint8)
    assert image.min() >= 0 and 0.5 < image.max() <= 1
    assert set(mask.unique().tolist()) == {0, 1}
    assert len(batches) == len(epoch(batches, 2)) == 2


def test_the_same_seed_and_epoch_give_the_same_batches_whatever_came_before(loader):
    fresh, used = loader(), loader()
    for number in (1, 2, 5):
        epoch(used, number)
    assert same(epoch(fresh, 3), epoch(used, 3))


def test_another_epoch_and_another_seed_give_other_batches(loader):
    batches = epoch(loader(), 1)
    assert not same(batches, epoch(loader(), 2))
    assert not same(batches, epoch(loader("train.seed=1"), 1))


def test_an_interrupted_pass_leaves_nothing_behind(loader):
    for workers in (0, 1):
        batches = loader(f"train.workers={workers}", "train.batch=2")
        batches.set_epoch(1)
        next(iter(batches))
        assert same(epoch(batches, 2), epoch(loader("train.batch=2"), 2))


@pytest.mark.parametrize("workers", [0, 1])
def test_passes_draw_nothing_from_the_random_numbers_of_training(loader, workers):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    epoch(loader(f"train.workers={workers}"), 1)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_a_worker_process_gives_the_same_batches(loader, cache):
    with_worker = loader("train.workers=2", f"data.cache={cache}")
    for number in (1, 2):
        assert same(epoch(loader(), number), epoch(with_worker, number))


@pytest.mark.parametrize("changes", [[], ["train.foreground=0.5", "augment.rotate=30", "augment.noise=0.1"]])
def test_pictures_kept_in_memory_give_exactly_the_same_batches(loader, changes):
    kept = loader("data.cache=memory", *changes)  # 24 x 20 and zoom 2: nothing is reduced
    assert same(epoch(loader(*changes), 3), epoch(kept, 3))
    bytes_of_pixels = 7 * 24 * 20 * 4
    assert bytes_of_pixels <= len(kept._loader.dataset.pictures.block) <= bytes_of_pixels + 7 * 16
    assert kept.notes == ("data.cache=memory: 7 images take 0 MiB",)


def test_files_are_read_once_where_they_are_kept(open_photos, monkeypatch):
    for cache in ("memory", "device"):
        dataset, config = open_photos(f"data.cache={cache}")
        batches = TrainingBatches(dataset, config)
        monkeypatch.setattr(type(dataset), "read", None)
        assert len(epoch(batches, 1)) == 2
        monkeypatch.undo()


def test_the_device_makes_nearly_the_same_batches(loader):
    changes = ["augment.rotate=20", "augment.blur=1", "train.foreground=0.5", "data.size=[20, 22]"]
    for (image, mask), (other, labels) in zip(
        epoch(loader(*changes), 1), epoch(loader("data.cache=device", *changes), 1), strict=True
    ):
        assert (image - other).abs().mean() < 0.03  # the photos of this test are noise, the worst case
        assert (mask == labels).float().mean() > 0.97


def test_kept_pictures_reach_a_process_that_starts_from_nothing_through_shared_memory(loader):
    spawned = loader("train.workers=1", "data.cache=memory", start_method="spawn")
    assert spawned._loader.dataset.pictures.block.is_shared()
    assert same(epoch(loader(), 1), epoch(spawned, 1))


def test_what_goes_to_a_process_can_be_pickled(loader):
    for cache in ("none", "memory"):
        items = loader(f"data.cache={cache}")._loader.dataset
        copy = pickle.loads(pickle.dumps(items))
        for ours, theirs in zip(items[[(2, 3)]][:2], copy[[(2, 3)]][:2], strict=True):
            assert torch.equal(ours, theirs)


def test_each_image_is_varied_differently_in_each_epoch(loader):
    items = loader()._loader.dataset
    assert not torch.equal(items[[(1, 0)]][0], items[[(2, 0)]][0])


def test_overfitting_takes_the_first_images_as_they_are(loader, open_photos):
    batches = loader("train.overfit=3", "data.size=[24, 20]", "train.batch=3", "augment.rotate=90")
    (image, _), (again, _) = epoch(batches, 1)[0], epoch(batches, 2)[0]
    dataset, _ = open_photos()
    expected = {dataset.read(item).image.tobytes() for item in dataset.items["train"][:3]}
    for batch in (image, again):
        found = {(x.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy().tobytes() for x in batch}
        assert found == expected


@pytest.mark.parametrize("cache", ["none", "memory", "device"])
def test_an_image_that_comes_again_in_an_epoch_is_varied_anew(loader, cache):
    changes = ("train.overfit=2", "train.samples=6", "train.batch=6", f"data.cache={cache}")
    ((images, _),) = epoch(loader(*changes, "augment.strength=0"), 1)
    assert len(torch.unique(images.flatten(1), dim=0)) == 2
    assert len(images) == 6


def test_draws_of_one_image_differ(loader):
    batches = loader("train.samples=30", "train.batch=30")
    ((images, _),) = epoch(batches, 1)
    assert len(torch.unique(images.flatten(1), dim=0)) == 30


def test_ranks_read_what_the_one_process_would(loader):
    alone = epoch(loader("train.batch=4"), 1)
    shares = [epoch(loader("train.batch=4", rank=rank, world=2), 1) for rank in range(2)]
    image = torch.stack([shares[0][0][0], shares[1][0][0]], dim=1).flatten(0, 1)
    assert torch.equal(image, alone[0][0])


def test_a_batch_that_cannot_be_shared_evenly_is_refused(loader):
    with pytest.raises(ConfigError, match=r"^train\.batch=4 cannot be shared evenly by 3 devices; use 3, or another"):
        loader("train.batch=4", world=3)
    with pytest.raises(ConfigError, match=r"^7 training image\(s\) cannot be shared by 8 devices; use fewer of them$"):
        loader("train.batch=8", world=8)


# --- what goes wrong


def damage(dataset, *places):
    for place in places:
        dataset.items["train"][place].image.write_bytes(b"no image")


@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, None), (1, "spawn")])
def test_a_file_that_breaks_later_is_named_in_one_line(open_photos, workers, start):
    dataset, config = open_photos(f"train.workers={workers}", "train.batch=2")
    batches = TrainingBatches(dataset, config, start_method=start)
    damage(dataset, 3)
    with pytest.raises(DataError) as caught:
        epoch(batches, 1)
    batches.close()
    message = str(caught.value)
    assert message.startswith(str(dataset.items["train"][3].image)) and "\n" not in message


@pytest.mark.parametrize("cache", ["memory", "device"])
def test_a_broken_file_is_named_before_anything_is_trained_where_all_are_read_first(open_photos, cache):
    dataset, config = open_photos(f"data.cache={cache}")
    damage(dataset, 3)
    with pytest.raises(DataError, match=dataset.items["train"][3].image.name):
        TrainingBatches(dataset, config)


@pytest.mark.parametrize("changes", [[], ["train.workers=2"], ["data.cache=memory"], ["data.cache=device"]])
def test_broken_files_are_skipped_by_option_replaced_and_told(open_photos, changes):
    dataset, config = open_photos("data.skip_unreadable=true", "train.batch=7", "augment.strength=0", *changes)
    damage(dataset, 2, 6)
    batches = TrainingBatches(dataset, config)
    ((image, _),) = epoch(batches, 1)
    batches.close()
    names = {dataset.items["train"][place].name for place in (2, 6)}
    assert set(batches.skipped) == names
    assert all(name in why and "\n" not in why for name, why in batches.skipped.items())
    assert len(image.unique(dim=0)) == 5  # of 7: two came twice


def test_nothing_is_skipped_where_all_is_well(loader):
    batches = loader("data.skip_unreadable=true")
    epoch(batches, 1)
    assert batches.skipped == {} and batches.notes == ()


def test_a_killed_worker_is_told_with_the_way_out_and_the_next_pass_has_new_ones(loader, monkeypatch):
    monkeypatch.setattr(_MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (0.2,))  # seconds; 5 of its own
    batches = loader("train.workers=1", "train.batch=1")
    batches.set_epoch(1)
    passing = iter(batches)
    next(passing)
    worker = batches._loader._iterator._workers[0]
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()  # this process lives on, and no error comes in the middle of a training step
    with pytest.raises(TrainError, match=r"reads images has ended .* use train\.workers=0") as caught:
        list(passing)
    assert "\n" not in str(caught.value)
    assert len(epoch(batches, 1)) == 7


def test_too_little_shared_memory_is_told_with_the_way_out(loader, monkeypatch):
    def full(tensor):
        raise RuntimeError("unable to allocate shared memory(shm)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(DataError, match=r"MiB of shared memory are not to be had; use data\.cache=none or train"):
        loader("data.cache=memory", "train.workers=1")


def test_closing_ends_the_processes(loader):
    batches = loader("train.workers=2")
    epoch(batches, 1)
    processes = list(batches._loader._iterator._workers)
    assert all(process.is_alive() for process in processes)
    batches.close()
    assert not any(process.is_alive() for process in processes)
    batches.close()


def test_the_time_that_the_caller_waits_is_measured(loader, monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr("onenet.data.loader.perf_counter", lambda: float(next(now)))
    batches = loader("train.batch=4")
    epoch(batches, 1)
    assert batches.waited == 3.0  # two batches and the end, a second each by this clock
    epoch(batches, 2)
    assert batches.waited == 3.0


@pytest.fixture
def readers(monkeypatch):
    """The threads in which images are read, one entry an image."""
    threads = []
    read = VariedItems.__getitem__

    def note(items, keys):
        threads.extend([threading.current_thread()] * len(keys))
        return read(items, keys)

    monkeypatch.setattr(VariedItems, "__getitem__", note)
    return threads


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_the_next_batch_is_made_while_the_last_one_is_used_and_no_more_than_it(loader, readers):
    batches = loader("train.batch=1")
    passing = iter(batches)
    for number in range(1, 4):
        next(passing)
        wait_for(lambda made=number + 1: len(readers) == made)
        time.sleep(0.02)
        assert len(readers) == number + 1
    assert threading.main_thread() not in readers and batches.beside > 0
    passing.close()
    wait_for(lambda: not any(thread.is_alive() for thread in readers))


@pytest.mark.parametrize("policy", ["ACTIVE", None])
def test_where_threads_spin_batches_are_made_when_they_are_wanted(loader, readers, monkeypatch, policy):
    expected = epoch(loader(), 1)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy) if policy else monkeypatch.delenv("OMP_WAIT_POLICY")
    readers.clear()
    batches = loader()
    assert same(epoch(batches, 1), expected)
    assert set(readers) == {threading.main_thread()} and batches.beside == 0


def test_an_interrupted_pass_waits_for_one_image_and_not_for_the_batch(loader, open_photos, monkeypatch):
    batches, read, held = loader("train.batch=3"), type(open_photos()[0]).read, threading.Event()
    seen = []

    def slow(dataset, item):
        seen.append(item)
        if len(seen) == 4:  # the first one of the second batch
            held.wait(60)
        return read(dataset, item)

    monkeypatch.setattr(type(open_photos()[0]), "read", slow)
    passing = iter(batches)
    next(passing)
    wait_for(lambda: len(seen) == 4)
    threading.Timer(0.05, held.set).start()
    passing.close()
    assert len(seen) == 4
    monkeypatch.undo()
    monkeypatch.setattr("onenet.data.loader.threads_sleep", lambda: False)
    assert same(epoch(batches, 1), epoch(loader("train.batch=3"), 1))
    monkeypatch.undo()
    assert same(epoch(batches, 1), epoch(loader("train.batch=3"), 1))
