"""A run that is killed at any moment goes on, as if nothing had happened, when it is resumed."""

import csv
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

COMMAND = [sys.executable, "-m", "onenet", "train"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
EPOCHS = 100
RUN = [
    "data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32", "model.width=4",
    "model.name=onenet-e-4", "model.depth=2",
    "model.stem_repeat=1", f"train.epochs={EPOCHS}", "train.batch=4", "train.device=cpu", "train.precision=32-true",
    "train.accumulate=2", "train.clip=1", "train.examples=1", "loss.auxiliary=0.4", "train.validate_every=3",
]  # fmt: skip
TIMES = {"seconds", "validation_seconds", "images_per_second", "waiting"}


def log_without_times(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def tensors(value, path=""):
    """Every tensor of a nest, by where it stands."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {name: tensor for key, inner in pairs for name, tensor in tensors(inner, f"{path}/{key}").items()}


def killed(words, cwd, after):
    """Start a command and kill it so many seconds after its run has begun; whether it was still at work then."""
    process = subprocess.Popen([*COMMAND, *words], cwd=cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    log = cwd / "killed" / "log.csv"
    was = log.stat().st_mtime_ns if log.exists() else None
    while process.poll() is None and (log.stat().st_mtime_ns if log.exists() else None) == was:
        time.sleep(0.01)  # until it has trained its first epoch
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_run_killed_at_random_moments_and_resumed_ends_as_one_that_was_left_alone(tmp_path):
    whole = subprocess.run([*COMMAND, *RUN, "--out", "whole"], cwd=tmp_path, env=ENVIRONMENT, check=True)
    assert whole.returncode == 0
    moments = random.Random(0)
    kills = killed([*RUN, "--out", "killed"], tmp_path, moments.uniform(0, 0.8))
    for _ in range(2):
        kills += killed(["--resume", "--out", "killed"], tmp_path, moments.uniform(0, 0.8))
    assert kills >= 2  # else the machine was too quick for this test to say anything
    subprocess.run([*COMMAND, "--resume", "--out", "killed"], cwd=tmp_path, env=ENVIRONMENT, check=True)
    one, other = tmp_path / "whole", tmp_path / "killed"
    assert one.joinpath("model.safetensors").read_bytes() == other.joinpath("model.safetensors").read_bytes()
    states = [tensors(torch.load(path / "last.ckpt", weights_only=True)) for path in (one, other)]
    assert states[0].keys() == states[1].keys() and len(states[0]) > 50
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert log_without_times(one) == log_without_times(other) and len(log_without_times(one)) == EPOCHS
    assert not list(other.rglob(".*"))  # nothing half-written is left
    assert sorted(path.name for path in one.rglob("*")) == sorted(path.name for path in other.rglob("*"))
