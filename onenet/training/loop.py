"""The training loop: a generator that trains one epoch at a time. What to score, save and print is the caller's."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils.data import DataLoader

from onenet.data.loader import EpochBatches, read_batches
from onenet.errors import TrainError

OnStep = Callable[[int, int, float], None]  # epoch, step of all steps, loss


@dataclass(frozen=True)
class TrainedEpoch:
    """What an epoch of training was: its number from 1, mean loss, last learning rate, seconds."""

    number: int
    loss: float
    learning_rate: float
    seconds: float


def train_epochs(
    fabric: Fabric,
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    average: AveragedModel,
    loss_function: nn.Module,
    batches: DataLoader,
    epochs: range,
    on_step: OnStep,
) -> Iterator[TrainedEpoch]:
    """Train epoch by epoch; `model` and `average` are up to date whenever one is yielded.

    Raises:
        TrainError: the loss is not a number.
    """
    sampler: EpochBatches = batches.batch_sampler  # type: ignore[assignment]
    for number in epochs:
        started = time.perf_counter()
        sampler.epoch = number
        model.train()
        losses = []
        for step, (image, mask) in enumerate(read_batches(batches)):
            rate = float(schedule.get_last_lr()[0])
            loss = loss_function(model(as_images(image, fabric.device)), mask.to(fabric.device))
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise TrainError(
                    f"the loss became {losses[-1]} in epoch {number}, step {step + 1}, at learning rate {rate:.2g}; "
                    "lower train.learning_rate or use train.precision=32-true"
                )
            fabric.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            average.update_parameters(model)
            on_step(number, len(batches) * (number - 1) + step + 1, losses[-1])
        if not all(bool(weight.isfinite().all()) for weight in average.parameters()):
            raise TrainError(
                f"the weights are no numbers after epoch {number}, at learning rate {rate:.2g}; "
                "lower train.learning_rate or use train.precision=32-true"
            )
        yield TrainedEpoch(number, sum(losses) / len(losses), rate, time.perf_counter() - started)


def settle_norms(network: nn.Module, batches: DataLoader, device: torch.device, most: int = 16) -> None:
    """Measure the mean and variance of every batch norm anew, on at most `most` training batches.

    The running figures follow the weights with a delay of tens of steps, and averaged weights are ones that no step has
    seen; on a handful of photos, with a step or two an epoch, masks would stay empty although the loss is low.
    """
    update_bn((as_images(image, device) for image, _ in islice(read_batches(batches), most)), network)


def as_images(pixels: Tensor, device: torch.device) -> Tensor:
    """A batch (b, h, w, c) uint8 as images (b, c, h, w) float32 in [0, 1], its memory left as it is (channels last)."""
    return pixels.to(device).permute(0, 3, 1, 2).float() / 255
