"""Too little memory: the line says which batch fits."""

import gc
import weakref

import pytest
import torch

from onenet.config import load_config
from onenet.errors import TrainError
from onenet.training.folder import RunFolder
from onenet.training.memory import (
    TooLittleMemoryError,
    advice,
    advice_for_validation,
    is_out_of_memory,
    largest_that_fits,
    within_memory,
)
from onenet.training.run import Run


def config(*changes):
    return load_config("default", ["data.root=photos", "data.size=64", *changes])


def device_for(most):
    """A device on which so many images fit, and what was tried on it."""
    tried = []

    def attempt(images):
        tried.append(images)
        if images > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    return attempt, tried


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True),
        (RuntimeError("expected scalar type Float but found Half"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error, expected):
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("batch", "most", "found", "tried"),
    [(32, 8, 8, [16, 8]), (32, 31, 16, [16]), (7, 1, 1, [3, 1]), (32, 0, 0, [16, 8, 4, 2, 1]), (1, 0, 0, [])],
)
def test_halves_are_tried_until_one_fits(batch, most, found, tried):
    attempt, seen = device_for(most)
    assert largest_that_fits(batch, attempt) == found
    assert seen == tried


def test_an_error_of_another_kind_is_not_hidden():
    def broken(images):
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        largest_that_fits(8, broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        within_memory(broken_runtime, str)


def broken_runtime():
    raise RuntimeError("a mistake")


def test_the_line_names_the_batch_that_fits():
    line = advice(config("train.batch=32"), "cuda", 32, 1, device_for(8)[0])
    assert line == (
        "out of memory on cuda with train.batch=32 and data.size=[64, 64]; a batch of 8 fits: set train.batch=8 "
        "(with train.accumulate=4 a step still sees as many images)"
    )


def test_several_processes_share_the_batch_that_fits():
    line = advice(config("train.batch=32", "train.accumulate=2"), "cuda", 8, 4, device_for(2)[0])
    assert "set train.batch=8 (with train.accumulate=8 " in line


@pytest.mark.parametrize("batch", [1, 4])
def test_where_not_even_one_image_fits_a_smaller_size_is_named(batch):
    line = advice(config(f"train.batch={batch}"), "cuda", batch, 1, device_for(0)[0])
    assert line.endswith("not even one image of that size fits: set a smaller data.size, for example [32, 32]")


def test_in_validation_images_are_segmented_one_by_one():
    line = advice_for_validation(config("train.batch=8"), "cuda", 8, 1, device_for(4)[0])
    assert "while validating" in line and "train.batch=4" in line
    line = advice_for_validation(config("data.fit=none"), "cuda", 8, 1, device_for(0)[0])
    assert "data.size" in line and "data.fit=cover" in line


def test_what_the_failed_step_held_is_free_before_a_smaller_batch_is_tried():
    held = []

    def step():
        tensor = torch.zeros(4)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("out of memory")

    def explain():
        assert held[0]() is None
        return "explained"

    gc.disable()
    try:
        with pytest.raises(TooLittleMemoryError, match="explained"):
            within_memory(step, explain)
    finally:
        gc.enable()


# --- in a run whose network fails above a batch

PETS = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32", "train.batch=8"]


@pytest.fixture
def cramped(tmp_path, tiny):
    """`cramped(2)` is a run whose network has memory for two images."""

    def make(most, *changes, out="run"):
        run = Run(load_config("default", [*tiny, *PETS, *changes]), RunFolder(tmp_path / out))

        def hook(module, inputs):
            if len(inputs[0]) > most():
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")

        run.network.register_forward_pre_hook(hook)
        return run

    return make


def test_a_run_whose_batch_is_too_large_says_which_one_fits(cramped):
    with pytest.raises(TrainError, match=r"on cpu with train\.batch=8 and data\.size=\[32, 32\]; a batch of 2 fits"):
        next(cramped(lambda: 3, "loss.auxiliary=0.4").epochs())


def test_a_run_for_which_one_image_is_too_much_says_so(cramped):
    with pytest.raises(TrainError, match="not even one image"):
        next(cramped(lambda: 0).epochs())


def test_a_validation_without_memory_keeps_what_there_was_and_says_what_to_do(cramped):
    room = [99]
    run = cramped(lambda: room[0])
    epochs = run.epochs()
    next(epochs)
    before = (run.folder.path / "last.ckpt").read_bytes()
    validating = run.learner.averaged_network

    def hook(module, inputs):
        if not module.training:
            raise torch.OutOfMemoryError("out of memory")

    validating.register_forward_pre_hook(hook)
    with pytest.raises(TrainError, match=r"while validating.*set train\.batch=4"):
        next(epochs)
    assert (run.folder.path / "last.ckpt").read_bytes() == before


def test_the_trial_changes_no_weight_and_no_norm(cramped):
    run = cramped(lambda: 3)
    before = {name: value.clone() for name, value in run.learner.whole.state_dict().items()}
    with pytest.raises(TrainError):
        next(run.epochs())
    for name, value in run.learner.whole.state_dict().items():
        assert torch.equal(value, before[name]), name
