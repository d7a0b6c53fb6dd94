"""What tests of runs share: train a run, list its files, and say whether two runs are the same to the bit."""

import torch


def train(ready, epochs=None, **options):
    """Train that many epochs of a run and abandon it."""
    found = []
    for epoch in ready.epochs(**options):
        found.append(epoch)
        if len(found) == epochs:
            break
    return found


def files(path):
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*"))


def contents(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


TIMES = {"seconds", "validation_seconds", "images_per_second", "waiting"}


def same_bits(first, second):
    """Whether two nests of dictionaries, lists, tensors and numbers are equal to the bit; times aside."""
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_bits(first[k], second[k]) for k in first.keys() - TIMES)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same_bits, first, second))
    return first == second or (first != first and second != second)


def same_runs(first, second):
    """Whether two folders tell the same story: weights, optimiser, log, and the file of the best model."""
    state, other = first.folder.read_state(), second.folder.read_state()
    weights = [path.read_bytes() for path in (first.folder.model, second.folder.model)]
    return same_bits(state, other) and weights[0] == weights[1]
