"""Networks of any classes, small enough for a test."""

from collections.abc import Sequence

import onenet
from onenet.models.network import Network


def tiny_network(classes: Sequence[str], **arguments: int) -> Network:
    network = onenet.create_model("onenet-e-4", num_classes=len(classes), width=4, depth=2, stem_repeat=1, **arguments)
    network.card = network.card.replace(classes=tuple(classes))
    return network
