"""What learns: the network with its optimiser, schedule and averaged copy, on the device of the run."""

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from onenet.config import Config
from onenet.errors import ConfigError
from onenet.models.network import Network
from onenet.training.auxiliary import WithAuxiliary
from onenet.training.distributed import synchronised
from onenet.training.network import card_of
from onenet.training.optimizer import make_optimizer
from onenet.training.schedule import averaged, rate_factor


class Learner:
    """Everything that a step changes.

    Args:
        fabric: device, precision and processes.
        network: what is trained; it is moved to the device.
        config: how.
        batches: per epoch.

    Attributes:
        whole: the network, with the auxiliary heads that exist in training only.
        model: what Fabric has made of that: it is called in training.
        average: the averaged copy of the network, which is the one that is scored and saved.
        accumulate: batches that make a step of the optimiser.
        layout: of the images in memory, which the features follow.

    Raises:
        ConfigError: `loss.auxiliary` is given, and the network has no inner levels.
    """

    def __init__(self, fabric: Fabric, network: Network, config: Config, batches: int) -> None:
        train = config.train
        self.fabric, self.network, self.accumulate, self.clip = fabric, network, train.accumulate, train.clip
        self.whole: nn.Module = network
        if config.loss.auxiliary:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(train.seed)
                self.whole = with_heads = WithAuxiliary(network, card_of(network).num_classes)
            if not with_heads.heads:
                given = f"loss.auxiliary={config.loss.auxiliary:g}: {card_of(network).architecture}"
                raise ConfigError(f"{given} has no inner levels of a decoder without logits of their own; leave it out")
        self.whole = synchronised(self.whole, fabric.device)
        optimizer = make_optimizer(train, self.whole)
        self.model, self.optimizer = fabric.setup(self.whole, optimizer)
        self.schedule = LambdaLR(optimizer, rate_factor(train, -(-batches // train.accumulate)))
        self.average = averaged(network, train.ema)
        self.layout = quickest_layout(network, fabric.device)

    @property
    def averaged_network(self) -> Network:
        """The network with the averaged weights."""
        module = self.average.module
        assert isinstance(module, Network)
        return module

    def gradients(self, image: Tensor, mask: Tensor, loss: nn.Module, share: float) -> float:
        """Add `share` of the gradient of a batch's loss to the gradients; returns the loss, which may be no number."""
        value = loss(self.model(image.contiguous(memory_format=self.layout)), mask)
        number = value.item()
        if math.isfinite(number):
            self.fabric.backward(value * share)
        return number

    def step(self) -> None:
        """Change the weights by the gradients, and let the averaged ones follow."""
        if self.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with warnings.catch_warnings():  # in 16-mixed the first step may be one that is left out
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            self.schedule.step()
        self.average.update_parameters(self.network)

    def state(self) -> dict[str, Any]:
        """All of it, as tensors, numbers and lists."""
        return {
            "model": self.whole.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),  # of 16-mixed
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            KeyError, ValueError, RuntimeError: it is that of another network.
        """
        self.whole.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if state["scaler"]:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])

    def trial(self, loss: nn.Module, size: tuple[int, int], mask_size: tuple[int, int]) -> Callable[[int], None]:
        """A function that makes a step's forward and backward pass on so many black images, and changes nothing.

        It works on a copy in evaluation mode, which asks no other process; `loss` must not do so either.
        """
        self.optimizer.zero_grad(set_to_none=True)
        model, device = copy.deepcopy(self.whole).eval(), self.fabric.device

        def attempt(images: int) -> None:
            image = torch.zeros(images, self.network.in_channels, *size, device=device)
            mask = torch.zeros(images, *mask_size, dtype=torch.uint8, device=device)
            with self.fabric.autocast():
                logits = model(image.contiguous(memory_format=torch.channels_last))
            loss(logits, mask).backward()
            model.zero_grad(set_to_none=True)

        return attempt


def quickest_layout(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last, but for networks with a kernel for each channel on a GPU.

    There channels last is quicker for U-Net and twice as slow for onenet-x (docs/notebook.md, "Training on a GPU").
    """
    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    by_channel = any(conv.groups == conv.in_channels > 1 for conv in convolutions)
    return torch.contiguous_format if by_channel and device.type == "cuda" else torch.channels_last
