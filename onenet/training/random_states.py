"""The chance that training draws from (dropout, for example): its own, so that a run can be repeated and resumed.

What images are read and how they are varied depends on (seed, epoch, index) and needs no state.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

States = dict[str, Any]  # plain numbers, lists and tensors: what torch.load reads without running code


def seeded(seed: int, device: torch.device) -> States:
    """The states of Python, NumPy, torch and the device after they are seeded; those that they have are kept."""
    outside = read_states(device)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        return read_states(device)
    finally:
        set_states(outside, device)


def read_states(device: torch.device) -> States:
    """The present states."""
    version, words, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    states = {
        "python": [version, list(words), gauss],
        "numpy": [name, np.asarray(keys).tolist(), place, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["device"] = torch.mps.get_rng_state()
    return states


def set_states(states: States, device: torch.device) -> None:
    """Go on from these states; those of a device only where it is of the same kind."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, place, has_gauss, cached = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), place, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    if "device" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    elif "device" in states and device.type == "mps":
        torch.mps.set_rng_state(states["device"])


@contextmanager
def drawing_from(states: States, device: torch.device) -> Iterator[None]:
    """Draw from `states`, which follow what is drawn; afterwards all others go on as if nothing had been drawn."""
    outside = read_states(device)
    set_states(states, device)
    try:
        yield
    finally:
        states.update(read_states(device))
        set_states(outside, device)
