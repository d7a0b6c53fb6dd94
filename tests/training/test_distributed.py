"""Several processes are one: the sums, the norms, the gradient, and what happens when one of them fails."""

import csv
import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from onenet.errors import DataError
from onenet.training import distributed
from onenet.training.distributed import SyncedBatchNorm2d, agree, agreed, all_sum, gathered, of_the_first, synchronised

RANDOM = torch.Generator().manual_seed(0)


# --- one process


def test_alone_every_sum_is_the_part_itself():
    part = torch.rand(3, requires_grad=True)
    assert all_sum(part) is part
    assert gathered("mine") == ["mine"] and of_the_first("mine") == "mine"
    assert (distributed.world(), distributed.rank()) == (1, 0)
    agree()
    with pytest.raises(DataError, match="what happened"):
        agree(DataError("what happened"))


def test_values_are_read_one_by_one_up_to_the_one_that_fails():
    def values():
        yield 1
        raise DataError("the second one")

    found = []
    with pytest.raises(DataError, match="the second one"):
        found.extend(agreed(values()))
    found.extend(value for value in agreed([1, 2]))
    assert found in ([1, 2], [1, 1, 2])  # `extend` may or may not keep what came before the error


def test_alone_no_norm_is_changed():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    assert synchronised(module, torch.device("cpu")) is module
    assert type(module[1]) is nn.BatchNorm2d


# --- batch norm as if there were two processes with equal halves, whose sums are twice those of one half


@pytest.fixture
def twins(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "all_sum", lambda part: part * 2)


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_on_one_half_is_the_one_on_the_whole_batch(twins, momentum, affine):
    whole, part = (kind(3, momentum=momentum, affine=affine) for kind in (nn.BatchNorm2d, SyncedBatchNorm2d))
    if affine:
        nn.init.normal_(whole.weight, generator=RANDOM)
        part.load_state_dict(whole.state_dict())
    for _ in range(3):
        half = 5 + 2 * torch.randn(2, 3, 4, 5, generator=RANDOM)
        expected = whole(torch.cat([half, half]))[:2]
        torch.testing.assert_close(part(half), expected)
    torch.testing.assert_close(part.state_dict(), whole.state_dict())
    assert part.num_batches_tracked == 3


def test_in_evaluation_it_is_the_plain_norm_and_asks_nobody(monkeypatch):
    def refuse(part):
        raise AssertionError("asked another process")

    norm, x = SyncedBatchNorm2d(3).eval(), torch.randn(2, 3, 4, 4, generator=RANDOM)
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "all_sum", refuse)
    assert torch.equal(norm(x), nn.BatchNorm2d(3).eval()(x))


@pytest.mark.parametrize("device", ["cpu", "cuda"])  # the classes are changed alike without a GPU
def test_a_frozen_norm_asks_nobody(twins, device):
    from onenet.training.starting import FrozenNorm

    module = nn.Sequential(nn.BatchNorm2d(2), FrozenNorm(2))
    kinds = [type(part) for part in synchronised(module, torch.device(device))]
    assert kinds == [SyncedBatchNorm2d if device == "cpu" else nn.SyncBatchNorm, FrozenNorm]


def test_a_norm_keeps_its_tensors_and_their_names_when_it_is_synchronised(twins):
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    before = dict(module.state_dict(keep_vars=True))
    after = synchronised(module, torch.device("cpu")).state_dict(keep_vars=True)
    assert type(module[1]) is SyncedBatchNorm2d
    assert before.keys() == after.keys() and all(before[name] is after[name] for name in before)


def test_half_precision_stays_what_it_is_and_is_summed_in_full(twins):
    x = (300 + 20 * torch.randn(2, 1, 64, 64, generator=RANDOM)).to(torch.bfloat16)
    normed = SyncedBatchNorm2d(1)(x)
    assert normed.dtype == torch.bfloat16
    torch.testing.assert_close(normed, nn.BatchNorm2d(1)(torch.cat([x, x]).float())[:2].to(torch.bfloat16))


# --- two processes that are really there

TWO = """
import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from onenet.errors import DataError
from onenet.training.distributed import (
    LostProcessError, SyncedBatchNorm2d, agree, agreed, all_sum, gathered, lost_processes_named, of_the_first, rank,
    synchronised, together, world,
)

distributed.init_process_group("gloo")
mine = rank()
assert world() == 2 and gathered(mine) == [0, 1] and of_the_first(mine) == 0

def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1)
    return nn.Sequential(*layers).double()

def loss(logits, truth, total):  # a quotient of sums, as Dice is; not a mean over images
    hits, area = total(torch.stack([(logits.sigmoid() * truth).sum(), (logits.sigmoid() + truth).sum()]))
    return 1 - (2 * hits + 1) / (area + 1)

torch.manual_seed(1)
x, truth = torch.randn(5, 2, 6, 6).double(), (torch.rand(5, 1, 6, 6) < 0.3).double()
alone = network()
loss(alone(x), truth, lambda part: part).backward()

here = slice(0, 2) if mine == 0 else slice(2, 5)  # parts of unequal size
part = synchronised(network(), torch.device("cpu"))
shared = DistributedDataParallel(part)
value = loss(shared(x[here]), truth[here], all_sum)
value.backward()
for (name, one), two in zip(alone.named_parameters(), part.parameters()):
    torch.testing.assert_close(two.grad, one.grad, rtol=1e-10, atol=1e-12), name
torch.testing.assert_close(part[1].running_var, alone[1].running_var, rtol=1e-12, atol=1e-12)

def values():
    yield "first"
    if mine == 1:
        raise DataError("cat.png: is damaged")
    yield "second"

seen = []
try:
    for value in agreed(values()):
        seen.append(value)
except DataError as error:
    assert str(error) == "cat.png: is damaged" and seen == ["first"]
else:
    raise AssertionError("the other process's error was not met")

agree()
try:
    with lost_processes_named():
        if mine == 1:
            os._exit(0)  # at once, as a process that is lost goes: no goodbye to the other one
        all_sum(torch.ones(1))
except LostProcessError as error:
    print("met:", error, flush=True)
    os._exit(0)  # the group is broken; to take it down could wait, or abort, for the one that has gone
"""


def ran(*words, cwd, **environment):
    """A process of its own, with one thread."""
    values = os.environ | {"OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=values, capture_output=True, text=True, check=False)


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one_agree_on_errors_and_notice_when_one_is_lost(tmp_path):
    (tmp_path / "two.py").write_text(TWO)
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "two.py"], cwd=tmp_path, env=os.environ | rendezvous | {"RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    (out, first), (_, second) = (process.communicate(timeout=120) for process in started)
    assert [process.returncode for process in started] == [0, 0], first + second
    assert "met: another process of this run has ended" in out


# --- whole runs on two processes

RUN = [
    "data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32", "model.width=4",
    "model.name=onenet-e-4", "model.depth=2",
    "model.stem_repeat=1", "train.epochs=3", "train.batch=4", "train.device=cpu", "train.precision=32-true",
    "train.optimizer=sgd", "train.learning_rate=0.05", "train.examples=1", "loss.auxiliary=0.4", "loss.focal=0.5",
    "train.clip=1",
]  # fmt: skip
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]


def log_of(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_run_on_two_processes_is_the_run_of_one_with_the_same_batches(tmp_path):
    """Started by torchrun, and by the command line itself."""
    one = ran("-m", "onenet", "train", *RUN, "--out", "one", cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    others = {
        "torchrun": ran(*TORCHRUN, free_port(), "-m", "onenet", "train", *RUN, "train.devices=2", "--out", "torchrun",
                        cwd=tmp_path),
        "itself": ran("-m", "onenet", "train", *RUN, "train.devices=2", "--out", "itself", cwd=tmp_path),
    }  # fmt: skip
    expected = log_of(tmp_path / "one")
    for name, other in others.items():
        assert other.returncode == 0, other.stderr
        assert other.stdout.count("epoch 3/3") == 1 and "2 processes" in other.stdout  # one of them speaks
        rows = log_of(tmp_path / name)
        for row, alone in zip(rows, expected, strict=True):
            for key in ("train_loss", "learning_rate", "val_cross_entropy"):
                assert row[key] == pytest.approx(alone[key], rel=2e-5), (name, key)
        assert json.loads((tmp_path / name / "report.json").read_text())["images"] == 1


@pytest.mark.slow
def test_a_run_in_two_tasks_of_slurm_is_one_run(tmp_path):
    """As srun starts them: by the variables that it sets."""
    slurm = {
        "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "7",
        "SLURM_JOB_NAME": "onenet", "SLURM_NODELIST": "localhost", "SLURM_NODEID": "0", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "onenet", "train", *RUN, "train.devices=2", "--out", "run"], cwd=tmp_path,
            env=os.environ | slurm | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for task in range(2)
    ]  # fmt: skip
    (out, first), (silent, second) = (task.communicate(timeout=300) for task in tasks)
    assert [task.returncode for task in tasks] == [0, 0], first + second
    assert "2 processes" in out and silent == ""
    assert len(log_of(tmp_path / "run")) == 3


@pytest.mark.slow
def test_a_file_that_one_of_two_processes_cannot_read_ends_both_in_one_line(tmp_path, photos):
    root = photos(count=8)
    truncated = sorted((root / "images").iterdir())[3]
    truncated.write_bytes(truncated.read_bytes()[:200])  # its header can be read
    run = [word for word in RUN if not word.startswith("data.")] + [f"data.root={root}", "data.size=16"]
    done = ran("-m", "onenet", "train", *run, "train.devices=2", "--out", "run", cwd=tmp_path)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1, done.stderr
    assert truncated.name in errors[0] and "Traceback" not in done.stderr
