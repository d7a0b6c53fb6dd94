"""What a run computes on: the device, the precision, and the processes that Lightning Fabric makes of them."""

import atexit
import logging
import os
import subprocess
from collections.abc import Sequence
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import distributed

from onenet.config import TrainConfig
from onenet.errors import ConfigError
from onenet.training.distributed import world

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its banners are not for our users

PATIENCE = timedelta(hours=2)  # of the processes that wait while the first one validates


def choose_device(device: str) -> str:
    """The accelerator that `train.device` means on this machine.

    Raises:
        ConfigError: it is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise ConfigError(f"train.device={device}: torch finds no such device here; use auto or cpu")
    return device


def choose_precision(precision: str, device: str) -> str:
    """The precision that `train.precision` means on `device`.

    Raises:
        ConfigError: the device does not compute in it.
    """
    if precision == "auto":
        return "bf16-mixed" if gains_by_bf16(device) else "32-true"
    if precision == "16-mixed" and device == "cpu":
        raise ConfigError("train.precision=16-mixed: a CPU does not compute in it; use bf16-mixed, 32-true or auto")
    return precision


def gains_by_bf16(device: str) -> bool:
    """Whether 2D convolutions are quicker in bf16 than in float32 on a device."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    if device == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        # Intel's from Sapphire Rapids on, told by AVX512-FP16, are quick in bf16 by AMX alone, which virtual machines
        # often lack (docs/notebook.md, "bf16 on processors without AMX")
        amx_only = has.get("avx512_fp16") and "AMD" not in str(has.get("cpu_name"))
        return bool(has.get("amx_bf16") or has.get("bf16") or (has.get("avx512_bf16") and not amx_only))
    return False


def start(config: TrainConfig) -> Fabric:
    """Take `config.devices` devices on each of `config.nodes` machines; all processes of the run are there afterwards.

    Under torchrun or Slurm they are there already; else this process starts the others, with its own command line.

    Raises:
        ConfigError: there are not so many devices or processes, or not as many images in a batch.
    """
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    processes = config.devices * config.nodes
    _check_processes(config, device, processes)
    if processes == 1:
        return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]
    strategy = DDPStrategy(timeout=PATIENCE)
    try:
        fabric = Fabric(
            accelerator=device,
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=strategy,
            precision=precision,  # type: ignore[arg-type]
        )
        fabric.launch()
    except (RuntimeError, ValueError) as error:  # a notebook, other counts than torchrun's, a port that is taken
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"train.devices={config.devices}, train.nodes={config.nodes}: cannot be started ({reason})"
        ) from None
    atexit.register(_end, getattr(strategy.launcher, "procs", []))
    return fabric


def _check_processes(config: TrainConfig, device: str, processes: int) -> None:
    wanted = f"train.devices={config.devices} x train.nodes={config.nodes}"
    if device == "mps" and processes > 1:
        raise ConfigError(f"{wanted}: a Mac has one mps device; use train.devices=1")
    if device == "cuda" and config.devices > torch.cuda.device_count():
        raise ConfigError(f"{wanted}: torch finds {torch.cuda.device_count()} cuda device(s) on this machine")
    present = _begun_outside()
    if present not in (None, processes):
        raise ConfigError(
            f"{wanted} is {processes}, but {present} process(es) were started (by torchrun or srun); make them equal"
        )
    if world() not in (1, processes):
        raise ConfigError(f"{wanted} is {processes}, but this process belongs to a group of {world()}; make them equal")
    if config.nodes > 1 and present is None and "NODE_RANK" not in os.environ:
        raise ConfigError(f"{wanted}: start it on every machine with torchrun or srun, see docs/many-machines.md")
    if config.batch < processes:
        raise ConfigError(
            f"train.batch={config.batch}: is shared by {processes} processes ({wanted}), and each needs an image"
        )


def _begun_outside() -> int | None:
    """How many processes torchrun or Slurm's srun have started; None where it was neither."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    if "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    return None


def _end(others: Sequence[subprocess.Popen]) -> None:
    """Leave no process behind that waits for one that has ended."""
    for process in others:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
    if distributed.is_initialized() and distributed.get_backend() == "gloo":  # Fabric ends the others itself
        distributed.destroy_process_group()
