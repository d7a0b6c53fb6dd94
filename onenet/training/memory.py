"""Out of memory: which batch would fit, in one line."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from onenet.config import Config
from onenet.errors import TrainError

T = TypeVar("T")


class TooLittleMemoryError(TrainError):
    """The device has too little memory for the batch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out: on a GPU, a Mac's, or the CPU."""
    said = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("allocate memory" in said or "out of memory" in said)
    )


def within_memory(do: Callable[[], T], explain: Callable[[], str]) -> T:
    """Do it.

    Raises:
        TooLittleMemoryError: the memory does not suffice; `explain` is asked for the message once all is free that
            was held.
    """
    try:
        return do()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    free()  # here, and not above: the exception holds the frames of the failed step, and they their tensors
    raise TooLittleMemoryError(explain())


def free() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def largest_that_fits(batch: int, attempt: Callable[[int], None]) -> int:
    """The first of batch / 2, batch / 4, ... 1 for which `attempt` has enough memory; 0 where even 1 is too much."""
    while batch > 1:
        batch //= 2
        if _fits(batch, attempt):
            return batch
    return 0


def _fits(batch: int, attempt: Callable[[int], None]) -> bool:
    try:
        attempt(batch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        fits = False
    else:
        fits = True
    free()
    return fits


def advice(config: Config, device: str, batch: int, processes: int, attempt: Callable[[int], None]) -> str:
    """The message after a training step that had too little memory.

    Args:
        batch: images per process in the step that failed.
        processes: how many share a batch of `train.batch`.
        attempt: makes a forward and a backward pass with so many images, and raises where they do not fit.
    """
    size = list(config.data.size)
    failed = f"out of memory on {device} with train.batch={config.train.batch} and data.size={size}"
    fits = largest_that_fits(batch, attempt)
    if not fits:
        smaller = [max(1, length // 2) for length in size]
        return f"{failed}; not even one image of that size fits: set a smaller data.size, for example {smaller}"
    steps = -(-batch // fits) * config.train.accumulate
    return (
        f"{failed}; a batch of {fits * processes} fits: set train.batch={fits * processes} "
        f"(with train.accumulate={steps} a step still sees as many images)"
    )


VALIDATION = (
    "out of memory on {device} while validating, where images are segmented one by one, at their own size or scaled to "
    "data.size={size}; {fits}"
)


def advice_for_validation(
    config: Config, device: str, batch: int, processes: int, attempt: Callable[[int], None]
) -> str:
    """The message after a validation that had too little memory; the arguments are those of `advice`."""
    fits = largest_that_fits(batch, attempt)
    hint = f"set train.batch={fits * processes}, which fits with room to spare" if fits else "set a smaller data.size"
    if config.data.fit == "none":
        hint += ", or scale large images down with data.fit=cover"
    return VALIDATION.format(device=device, size=list(config.data.size), fits=hint)
