"""A network -> a LiteRT model (.tflite), in float32, for images of any size: the form of which ExecuTorch is given."""

import tempfile
from pathlib import Path

import torch

from onenet.data import Dataset
from onenet.deploy.exported import ImageRunner
from onenet.deploy.litert import LitertSession
from onenet.deploy.opening import LITERT, to_folder_texts
from onenet.deploy.silence import silent_commands
from onenet.errors import FailedCheckError
from onenet.export.executorch import program_form
from onenet.export.exporting import Made, Say
from onenet.export.files import Folder
from onenet.export.parity import compare
from onenet.export.tracing import untyped
from onenet.export.trial import trial_images
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network


def make_litert(network: Network, graph: Made, dataset: Dataset | None, say: Say = lambda line: None) -> Folder:
    """NAME.litert of a network, compared with it. The network itself is not changed.

    Args:
        network: with its card.
        graph: one of its graphs of images, which knows how far it looks.
        dataset: images to compare on; without them packaged ones.

    Raises:
        ExportError: the network holds an operation that the convolution form does not know.
        FailedCheckError: the model is not the same network.
    """
    card = card_of(network)
    say(f"writing and comparing {card.architecture}{LITERT}")
    description = graph.description.replace(form="conv", precision="float", kept_float=())
    form = program_form(network, description)
    example = torch.zeros(1, card.in_channels, 2 * card.stride, 3 * card.stride)
    with silent_commands(), untyped(), tempfile.TemporaryDirectory(prefix="onenet-") as hidden:
        import litert_torch

        file = Path(hidden) / "model.tflite"
        litert_torch.convert(form, (example,)).export(str(file))
        data = file.read_bytes()
    runner = ImageRunner(LitertSession(data), card, description)
    trial = trial_images(card, dataset)
    parity = compare(EagerRunner(network), runner, trial.images, card)
    if failure := parity.failure():
        raise FailedCheckError(f"{card.architecture}{LITERT} is not the network: {failure}; nothing was written")
    texts = {name: text.encode() for name, text in to_folder_texts(card, description).items()}
    return Folder(LITERT, {"model.tflite": data, **texts}, graph.in_other_format("", description, parity))
