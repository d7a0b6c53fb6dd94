"""The learning rate over the steps, and the averaged weights."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from onenet.config import TrainConfig

Tensors = tuple[Tensor, ...] | list[Tensor]


def rate_factor(config: TrainConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """Factor on the peak rate at each step (from 0) of the optimiser.

    A straight rise over the share `warmup` of all steps, then
    cosine      half a cosine from 1 to 0
    poly        (1 - share of the remaining steps that are done)^0.9 (Chen et al. 2018, "DeepLab")
    step        1, times `step_factor` before epoch `step_from`, counted from 1, and again every `step_every` epochs;
                steps of the warm-up count as steps of their epochs
    constant    1
    """
    steps = steps_per_epoch * config.epochs
    rising = max(1, round(steps * config.warmup)) if config.warmup else 0

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = min(1.0, (step - rising) / max(1, steps - rising))
        if config.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        if config.schedule == "poly":
            return (1 - done) ** 0.9
        if config.schedule == "step":
            epoch = step // steps_per_epoch + 1
            return config.step_factor ** max(0, (epoch - config.step_from) // config.step_every + 1)
        return 1.0

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
