"""Heads at coarser levels of the decoder, for training only: they let the deep blocks feel the loss directly.

decoder block 1 -> 1x1 convolution -> logits at the coarsest size        (auxiliary)
decoder block 2 -> 1x1 convolution -> logits at twice that               (auxiliary)
...
last block -> the network's own head -> logits
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from onenet.models.network import Network


class WithAuxiliary(nn.Module):
    """A network that also gives logits at each inner level of its decoder, as deep supervision wants them.

    forward(images (b, c, h, w)) -> [logits, *auxiliary logits (b, k, h / f, w / f), the coarsest first]

    A decoder whose levels have logits of their own, such as OneNet-X's, or none, gets no heads: there are only the
    logits.

    The network itself, `.network`, is as it was: the heads are beside it, and nothing of them is in its weights. They
    are drawn from torch's random state.
    """

    def __init__(self, network: Network, num_classes: int) -> None:
        super().__init__()
        self.network = network
        weight = next(network.parameters())
        tried = copy.deepcopy(network).eval()  # a copy, so that the network's modes and norms stay as they are
        image = torch.zeros(1, network.in_channels, network.stride, network.stride).to(weight)
        with torch.no_grad():
            _, inner = _with_inner(tried, image)
        self.factors = [network.stride // features.shape[2] for features in inner]
        self.heads = nn.ModuleList(nn.Conv2d(features.shape[1], num_classes, 1).to(weight) for features in inner)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        logits, inner = _with_inner(self.network, image)
        h, w = image.shape[2:]
        levels = [logits]
        for features, factor, head in zip(inner, self.factors, self.heads, strict=True):
            levels.append(head(features[:, :, : -(-h // factor), : -(-w // factor)]))  # without the padding
        return levels


def _with_inner(network: Network, image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The network's logits, and what all blocks of its decoder but the last gave on the way.

    The hooks live as long as the call: a network that is saved, copied or compiled later has none.
    """
    inner: list[Tensor] = []
    blocks = list(getattr(network.decoder, "blocks", ()))[:-1]
    hooks = [block.register_forward_hook(lambda block, inputs, output: inner.append(output)) for block in blocks]
    try:
        return network(image), inner
    finally:
        for hook in hooks:
            hook.remove()
