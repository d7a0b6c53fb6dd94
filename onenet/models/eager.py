"""Runs a network with plain torch, as a `Runner` of onenet.deploy: arrays in, arrays out."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from onenet.card import Card
from onenet.errors import ConfigError


class EagerRunner:
    """A network as a function of arrays, in evaluation mode, on the device its weights are on."""

    def __init__(self, model: nn.Module, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.model = model

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (b, k, h, w) of images (b, c, h, w) in [0, 1]. The model's train or eval mode is left as it was."""
        device = next(self.model.parameters()).device
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                batch = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
                return self.model(batch).float().cpu().numpy()
        finally:
            self.model.train(training)


def card_of(model: nn.Module) -> Card:
    """The card that a model carries.

    Raises:
        ConfigError: it has none, because it was not made by onenet.
    """
    card = getattr(model, "card", None)
    if not isinstance(card, Card):
        raise ConfigError(f"a {type(model).__name__} without a card: give one (onenet.card.Card), or use create_model")
    return card
