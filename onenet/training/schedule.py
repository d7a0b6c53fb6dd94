"""The learning rate over the steps, and the averaged weights."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def warmup_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Factor on the peak rate at each of `steps` steps: a straight rise over the share `warmup`, a cosine to 0."""
    rising = max(1, round(steps * warmup)) if warmup else 0

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and buffers; call `update_parameters(model)` after each step.

    Its decay ramps up as (1 + n) / (10 + n), so that a short run is not an average with the random start.
    `decay` 0 keeps a plain copy of the latest weights.
    """

    def average(mean: Tensors, current: Tensors, count: Tensor | int) -> None:
        n = float(count)
        keep = min(decay, (1 + n) / (10 + n))
        if mean[0].is_floating_point():
            torch._foreach_lerp_(mean, current, 1 - keep)
        else:
            torch._foreach_copy_(mean, current)  # counters

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
