"""What a run computes on: asked for and there, or refused in one line."""

import pytest
import torch

from onenet.config import load_config
from onenet.errors import ConfigError
from onenet.training import machine
from onenet.training.machine import choose_precision, start


def settings(*changes):
    return load_config("default", ["train.device=cpu", "train.precision=32-true", *changes]).train


def test_one_device_needs_no_other_process():
    fabric = start(settings())
    assert (fabric.world_size, fabric.device.type) == (1, "cpu")


@pytest.mark.parametrize(
    ("changes", "environment", "complaint"),
    [
        (["train.devices=2", "train.batch=1"], {}, "train.batch=1: is shared by 2 processes"),
        (["train.nodes=2"], {}, "start it on every machine with torchrun or srun, see docs/many-machines.md"),
        (["train.devices=2"], {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4"}, "is 2, but 4 process(es) were started"),
        ([], {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, "train.devices=1 x train.nodes=1 is 1, but 2 process"),
        (["train.devices=2"], {"SLURM_NTASKS": "2"}, "is 2, but 1 process(es) were started (by torchrun or srun)"),
        ([], {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}, "is 1, but 4 process(es) were started"),
    ],
)
def test_processes_that_do_not_add_up_are_refused_in_one_line(monkeypatch, changes, environment, complaint):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refusal:
        start(settings(*changes))
    assert complaint in str(refusal.value) and "\n" not in str(refusal.value)


def test_an_interactive_slurm_shell_is_like_any_other(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert start(settings()).world_size == 1


@pytest.mark.parametrize(
    ("has", "precision"),
    [
        ({"avx2": True}, "32-true"),
        ({"avx512_bf16": True, "avx512_fp16": False}, "bf16-mixed"),  # AMD's, Cooper Lake
        ({"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": False}, "32-true"),  # a virtual machine without AMX
        ({"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": True, "avx512_fp16": True, "cpu_name": "AMD EPYC"}, "bf16-mixed"),
        ({"bf16": True}, "bf16-mixed"),  # Arm's
    ],
)
def test_a_processor_trains_in_bf16_where_that_is_quicker(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert choose_precision("auto", "cpu") == precision
    assert choose_precision("bf16-mixed", "cpu") == "bf16-mixed"


def test_a_process_of_a_group_cannot_train_alone(monkeypatch):
    monkeypatch.setattr(machine, "world", lambda: 2)
    with pytest.raises(ConfigError, match="this process belongs to a group of 2"):
        start(settings())


def test_there_are_not_more_devices_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"train\.devices=2.*torch finds 1 cuda device"):
        start(settings("train.device=cuda", "train.devices=2"))


def test_a_mac_has_one_device(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="a Mac has one mps device"):
        start(settings("train.device=mps", "train.devices=2"))
