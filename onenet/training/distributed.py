"""One run on several processes, each with its part of every batch: sums, batch norm and errors over all of them.

Why the gradient is exactly that of one process with the whole batch. Every process r has its own copy t_r of the
weights and computes sums s_r(t_r) over its part; `all_sum` gives each of them s = s_1 + ... + s_n, and each computes
the same loss L(s). The backward pass of a sum over processes is the sum of the gradients over processes: as each
arrives with the same L'(s), r goes on with n L'(s), and finds the gradient n L'(s) ds_r/dt_r.
DistributedDataParallel then takes the mean over the processes:

    1/n * sum_r n L'(s) ds_r/dt_r  =  L'(s) * sum_r ds_r/dt  =  dL/dt

The n cancels, and nothing was assumed of L: it need not be a mean, and the parts need not be equally large. The sums
inside of batch norm are made in the same way, so a process also feels how its pixels shift the figures of the others.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn

from onenet.errors import OneNetError, TrainError

T = TypeVar("T")

# What gloo and NCCL say when another process has gone.
_GONE = ("connection closed by peer", "connection reset by peer", "broken pipe", "connection refused", "socket timeout")


class LostProcessError(TrainError):
    """Another process of the run has ended; it has said why."""


def world() -> int:
    """How many processes the run has."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0; the first one prints, validates and writes."""
    return distributed.get_rank() if world() > 1 else 0


class _AllSum(torch.autograd.Function):
    """The sum over all processes; its backward pass sums the gradients over all processes."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        return _summed(part)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(part: Tensor) -> Tensor:
    total = part.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def all_sum(part: Tensor) -> Tensor:
    """The sum of `part` over all processes, differentiable; `part` itself where there is but one."""
    return _AllSum.apply(part) if world() > 1 else part


def gathered(value: T) -> list[T]:
    """The values of all processes, in their order, in each of them."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    distributed.all_gather_object(values, value)
    return values


def of_the_first(value: T) -> T:
    """The first process's value, in each of them."""
    if world() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values)
    return values[0]


def agree(error: OneNetError | None = None) -> None:
    """Let all processes come to this point; raise in each of them what any of them has met.

    Raises:
        OneNetError: `error`, or the one of another process.
    """
    if world() > 1:
        device = torch.device("cuda") if distributed.get_backend() == "nccl" else torch.device("cpu")
        failed = torch.tensor(float(error is not None), device=device)
        distributed.all_reduce(failed)
        if failed.item():
            error = next(one for one in gathered(error) if one is not None)
    if error is not None:
        raise error


@contextmanager
def together() -> Iterator[None]:
    """What fails in one process fails in all. Inside, no process may wait for another."""
    if world() == 1:
        yield
        return
    failure = None
    try:
        yield
    except OneNetError as error:
        failure = error
    agree(failure)


def agreed(values: Iterable[T]) -> Iterator[T]:
    """Go through `values`; where they cannot be read in one process, all raise its error."""
    iterator, end = iter(values), object()
    while True:
        value: Any = end
        with together():
            value = next(iterator, end)
        if value is end:
            return
        yield value


@contextmanager
def lost_processes_named() -> Iterator[None]:
    """One line instead of a traceback where another process has ended in the middle of a step.

    Raises:
        LostProcessError: one has.
    """
    try:
        yield
    except RuntimeError as error:
        lost = any(sign in str(error).lower() for sign in _GONE)
        if world() == 1 or isinstance(error, OneNetError) or not lost:
            raise
        raise LostProcessError("another process of this run has ended; what it said stands above") from None


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, on any device (torch's own one refuses the CPU).

    Its weights and buffers have the names of `BatchNorm2d`. In evaluation it is that, and asks no other process.
    """

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        if not self.training or world() == 1:
            return super().forward(input)
        x = input if input.dtype == torch.float64 else input.float()  # under autocast too
        count = all_sum(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = all_sum(x.sum((0, 2, 3))) / count  # c
        centred = x - mean[:, None, None]
        variance = all_sum(centred.square().sum((0, 2, 3))) / count  # c; around the mean: no digits cancel
        self._follow(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        normed = centred * scale[:, None, None]
        return (normed + self.bias[:, None, None] if self.affine else normed).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running figures follow, as `BatchNorm2d` does: a share `momentum`, or the mean of all so far."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def synchronised(module: nn.Module, device: torch.device) -> nn.Module:
    """Let all batch norms of a module see the whole batch where there are several processes.

    Weights, buffers and their names stay. On the CPU the norms stay the same objects too, and only change their class.
    """
    if world() == 1:
        return module
    for name, part in list(module.named_modules()):
        if type(part) is not nn.BatchNorm2d:  # a frozen norm asks nobody
            continue
        if device.type == "cuda":
            module.set_submodule(name, nn.SyncBatchNorm.convert_sync_batchnorm(part))
        else:
            part.__class__ = SyncedBatchNorm2d
    return module


# Channels-last gradients lie otherwise in memory than DistributedDataParallel's buckets: a copy, no mistake.
warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
