"""The training loop: a generator that trains one epoch at a time. What to score, save and print is the caller's."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from onenet.errors import TrainError
from onenet.training.distributed import agreed, world
from onenet.training.learner import Learner

OnStep = Callable[[int, int, float], None]  # epoch, step of all steps, loss


@runtime_checkable
class Batches(Protocol):
    """What is trained on: passes over images (b, c, h, w) and masks (b, h, w); see `onenet.data.loader`."""

    waited: float  # seconds of the last pass in which a batch was waited for

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...
    def set_epoch(self, number: int) -> None: ...


@dataclass(frozen=True)
class TrainedEpoch:
    """What an epoch of training was.

    Attributes:
        number: from 1.
        loss: mean over its batches.
        learning_rate: of its last step.
        seconds: that it took.
        images: trained on, in all processes together.
        waiting: share of the seconds in which the network waited for images, 0 to 1.
    """

    number: int
    loss: float
    learning_rate: float
    seconds: float
    images: int = 0
    waiting: float = 0.0

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else math.nan


def train_epochs(
    learner: Learner, loss: nn.Module, batches: Batches, epochs: range, on_step: OnStep
) -> Iterator[TrainedEpoch]:
    """Train epoch by epoch; the network and its average are up to date whenever one is yielded.

    A step is made from the mean gradient of `learner.accumulate` batches, or of those that are left at the end of an
    epoch: as one batch of so many images, but for the norms, which see each batch by itself.

    Raises:
        TrainError: the loss is not a number.
        DataError: an image cannot be read.
    """
    total = len(batches)
    for number in epochs:
        started = time.perf_counter()
        batches.set_epoch(number)
        learner.model.train()
        losses, images = [], 0
        for step, (image, mask) in enumerate(agreed(batches)):
            rate = float(learner.schedule.get_last_lr()[0])
            begun = step - step % learner.accumulate
            together = min(learner.accumulate, total - begun)
            is_last = step + 1 == begun + together
            waits = world() > 1 and not is_last  # the processes' gradients meet once a step
            with learner.fabric.no_backward_sync(learner.model) if waits else nullcontext():
                losses.append(learner.gradients(image, mask, loss, 1 / together))
            if not math.isfinite(losses[-1]):
                raise TrainError(
                    f"the loss became {losses[-1]} in epoch {number}, step {step + 1}, at learning rate {rate:.2g}; "
                    "lower train.learning_rate or use train.precision=32-true"
                )
            images += len(image) * world()
            if is_last:
                learner.step()
            on_step(number, total * (number - 1) + step + 1, losses[-1])
        if not all(bool(weight.isfinite().all()) for weight in learner.average.parameters()):
            raise TrainError(
                f"the weights are no numbers after epoch {number}, at learning rate {rate:.2g}; "
                "lower train.learning_rate or use train.precision=32-true"
            )
        seconds = time.perf_counter() - started
        waiting = min(1.0, batches.waited / seconds)
        yield TrainedEpoch(number, sum(losses) / len(losses), rate, seconds, images, waiting)


def settle_norms(network: nn.Module, batches: Batches, most: int = 16) -> None:
    """Measure the mean and variance of every batch norm anew, on at most `most` training batches.

    The running figures follow the weights with a delay of tens of steps, and averaged weights are ones that no step has
    seen; on a handful of photos, with a step or two an epoch, masks would stay empty although the loss is low.
    """
    update_bn((image for image, _ in islice(agreed(batches), most)), network)
