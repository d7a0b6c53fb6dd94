"""A network -> a Core ML package (NAME.mlpackage), in float32, for images of any size.

Core ML computes on Apple's machines only. What can be compared anywhere is the program that was written: it is read
back from the package and computed in torch, operator by operator.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from onenet.card import Card
from onenet.data import Dataset
from onenet.deploy.description import CARD, DESCRIPTION, Description
from onenet.deploy.exported import ImageRunner
from onenet.deploy.opening import COREML
from onenet.deploy.silence import silent_commands
from onenet.errors import ExportError, FailedCheckError
from onenet.export.conv import conv_form
from onenet.export.exporting import Made, Say
from onenet.export.files import Folder
from onenet.export.parity import compare
from onenet.export.tracing import untyped
from onenet.export.trial import trial_images
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network

LARGEST = 2048  # the longest side of its images

Values = dict[str, Any]


def make_package(network: Network, graph: Made, dataset: Dataset | None, say: Say = lambda line: None) -> Folder:
    """NAME.mlpackage of a network, its program compared with it; see `write_package`.

    Args:
        network: with its card.
        graph: one of its graphs of images, which knows how far it looks.
        dataset: images to compare on; without them packaged ones.

    Raises:
        ExportError: the program holds what cannot be compared.
        FailedCheckError: it is not the same network.
    """
    card = card_of(network)
    say(f"writing and comparing {card.architecture}{COREML}")
    description = graph.description.replace(form="conv", precision="float", kept_float=())
    trial = trial_images(card, dataset)
    with tempfile.TemporaryDirectory(prefix="onenet-") as hidden:
        path = Path(hidden) / f"new{COREML}"
        write_package(network, card, description, path)
        parity = compare(EagerRunner(network), ImageRunner(PackageInTorch(path), card, description), trial.images, card)
        files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    if failure := parity.failure():
        raise FailedCheckError(f"{card.architecture}{COREML} is not the network: {failure}; nothing was written")
    return Folder(COREML, files, graph.in_other_format("", description, parity))


def write_package(network: Network, card: Card, description: Description, path: Path) -> None:
    """Write a network's convolution form as a package that takes `image` (1, c, h, w) and gives `logits`.

    The card and the description are in its metadata. The network itself is not changed.

    Raises:
        ExportError: the network holds an operation that the convolution form does not know.
    """
    with silent_commands(), untyped(), torch.no_grad():
        import coremltools

        side = 4 * card.stride
        traced = torch.jit.trace(conv_form(network), torch.zeros(1, card.in_channels, side, side))
        sizes = [coremltools.RangeDim(card.stride, LARGEST, side, symbol=axis) for axis in ("h", "w")]
        model = coremltools.convert(
            traced, convert_to="mlprogram", minimum_deployment_target=coremltools.target.iOS16,
            compute_precision=coremltools.precision.FLOAT32, skip_model_load=True,
            inputs=[coremltools.TensorType(name="image", shape=(1, card.in_channels, *sizes))],
            outputs=[coremltools.TensorType(name="logits")],
        )  # fmt: skip
        model.user_defined_metadata[CARD] = card.to_json()
        model.user_defined_metadata[DESCRIPTION] = description.to_json()
        model.save(str(path))


class PackageInTorch:
    """The program of a package, read from its files, computed by torch: a session of images (b, c, h, w).

    Raises:
        ExportError: it holds an operator that is not known here, so that it cannot be compared.
    """

    def __init__(self, path: Path) -> None:
        with silent_commands():
            import coremltools
            from coremltools.converters.mil.frontend.milproto.load import load

            model = coremltools.models.MLModel(str(path), skip_model_load=True)
            spec = model.get_spec()
            program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
        block = program.functions["main"]
        self._operators, self._output = list(block.operations), block.outputs[0].name
        self._input = next(iter(block.inputs))
        if unknown := sorted({one.op_type for one in self._operators} - _COMPUTED.keys() - {"const"}):
            raise ExportError(f"the Core ML program holds {', '.join(unknown)}, which cannot be compared here")

    def __call__(self, array: NDArray) -> NDArray:
        return np.concatenate([self._one(image[None]) for image in array])

    def _one(self, image: NDArray) -> NDArray:
        found: dict[str, Tensor] = {self._input: torch.from_numpy(np.ascontiguousarray(image))}

        def value(given: Any) -> Any:
            if isinstance(given, (list, tuple)):
                return [value(one) for one in given]
            if given.name in found:
                return found[given.name]
            return torch.from_numpy(given.val) if isinstance(given.val, np.ndarray) and given.val.ndim else given.val

        with torch.inference_mode():
            for one in self._operators:
                if one.op_type != "const":
                    inputs = {name: value(given) for name, given in one.inputs.items() if given is not None}
                    found[one.outputs[0].name] = _COMPUTED[one.op_type](inputs)
        return found[self._output].numpy()


def _convolved(values: Values) -> Tensor:
    image = _padded(values, 0.0)
    strides, dilations = (tuple(map(int, values[key])) for key in ("strides", "dilations"))
    return F.conv2d(image, values["weight"], values.get("bias"), strides, 0, dilations, int(values["groups"]))


def _largest(values: Values) -> Tensor:
    image = _padded(values, -torch.inf)
    kernel, strides = (tuple(map(int, values[key])) for key in ("kernel_sizes", "strides"))
    return F.max_pool2d(image, kernel, strides, ceil_mode=bool(values["ceil_mode"]))


def _padded(values: Values, filling: float) -> Tensor:
    """The image with what its operator puts around it."""
    if values["pad_type"] not in ("valid", "custom"):
        raise ExportError(f"the Core ML program pads as {values['pad_type']}, which cannot be compared here")
    top, bottom, left, right = map(int, values["pad"]) if values["pad_type"] == "custom" else (0, 0, 0, 0)
    return F.pad(values["x"], (left, right, top, bottom), value=filling)


_COMPUTED: dict[str, Callable[[Values], Tensor]] = {
    "conv": _convolved,
    "max_pool": _largest,
    "relu": lambda values: values["x"].relu(),
    "add": lambda values: values["x"] + values["y"],
    "mul": lambda values: values["x"] * values["y"],
    "concat": lambda values: torch.cat(values["values"], int(values["axis"])),
    "pixel_shuffle": lambda values: F.pixel_shuffle(values["x"], int(values["upscale_factor"])),
}  # by the words of Core ML's own description of its operators
