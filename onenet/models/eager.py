"""Runs a network with plain torch, as a `Runner` of onenet.deploy: arrays in, arrays out."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from onenet.card import Card
from onenet.deploy.runner import Halo
from onenet.errors import ConfigError
from onenet.models.probing import probed_halo

_LOCK = Lock()
_IN_USE: dict[nn.Module, tuple[int, list[nn.Module]]] = {}  # by how many runs, and which parts were in train mode


class EagerRunner:
    """A network as a function of arrays, in evaluation mode, on the device its weights are on."""

    def __init__(self, model: nn.Module, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.model = model
        inner = unwrapped(model)
        self.stride = int(getattr(inner, "stride", 0) or getattr(getattr(model, "card", None), "stride", 1))
        self._halo: Halo | None = None

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (b, k, h, w) of images (b, c, h, w) in [0, 1]; any number of threads may call it at once.

        Afterwards every part of the model is in the mode, train or eval, in which it was.
        """
        device = next(self.model.parameters()).device
        with evaluating(self.model), torch.inference_mode():
            batch = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
            return self.model(batch).float().cpu().numpy()

    def halo(self) -> Halo:
        """How far a result looks, found by what NaN in an image does to its logits.

        Raises:
            ExportError: it looks at the whole image.
        """
        if self._halo is None:
            self._halo = probed_halo(self.model, self.stride, channels_of(self.model))
        return self._halo


def channels_of(model: nn.Module) -> int:
    """Channels of the images that a model takes."""
    return int(getattr(model, "in_channels", 0) or card_of(model).in_channels)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Every part of a model in eval mode; the last of several threads to leave restores each part's own mode."""
    with _LOCK:
        users, parts = _IN_USE.get(model) or (0, [part for part in model.modules() if part.training])
        _IN_USE[model] = users + 1, parts
        for part in parts:
            part.training = False  # not .eval(), which would reach into parts that are frozen for good
    try:
        yield
    finally:
        with _LOCK:
            users, parts = _IN_USE.pop(model)
            if users > 1:
                _IN_USE[model] = users - 1, parts
            else:
                for part in parts:
                    part.training = True


def unwrapped(model: nn.Module) -> nn.Module:
    """What `torch.compile`, `DataParallel` or `AveragedModel` wraps; its weights have other names in there."""
    for name in ("_orig_mod", "module"):
        if isinstance(inner := getattr(model, name, None), nn.Module):
            return unwrapped(inner)
    return model


def card_of(model: nn.Module) -> Card:
    """The card that a model carries, or what it wraps.

    Raises:
        ConfigError: it has none, because it was not made by onenet.
    """
    card = getattr(model, "card", None) or getattr(unwrapped(model), "card", None)
    if not isinstance(card, Card):
        raise ConfigError(f"a {type(model).__name__} without a card: give one (onenet.card.Card), or use create_model")
    return card
