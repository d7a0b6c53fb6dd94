"""Every form of networks that are not trained, as files to be timed: what a form, a runtime, INT8 make of the cost.

NAME.safetensors        as it is trained
NAME.conv[.int8].onnx   the convolution form
NAME.flat[.int8].onnx   the flat form's rows, where the network has one
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import onnx
from torch import nn

import onenet
from onenet.bench.fresh_networks import fresh_network
from onenet.card import Card
from onenet.config import parse_spec
from onenet.deploy.description import Description
from onenet.errors import ExportError, FailedCheckError
from onenet.export.conv import conv_form
from onenet.export.depthwise import only_depthwise
from onenet.export.flat import FlatForm
from onenet.export.graph import described, image_graph, rows_graph
from onenet.export.int8 import quantised
from onenet.export.parity import compare
from onenet.export.trial import Image, as_rows, calibration_windows
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network
from onenet.scoring import open_for

GRID = ("onenet-ed-4", "onenet-e-4", "unet-4", "mobilenet-unet-4")

CALIBRATION = "folder:samples:nuclei"  # the packaged images that give INT8 its scales
_WINDOWS, _SIDE = 4, 64  # few and small: no score hangs on them


def write_forms(models: Sequence[str], folder: Path, say: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Write all forms of networks given as `NAME[,key=value...]`; what is there already is not made again.

    Raises:
        ConfigError: unknown name or key.
        FailedCheckError: a float form is not the network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [path for model in models for path in _forms_of(model, folder, say)]


def _forms_of(model: str, folder: Path, say: Callable[[str], None]) -> list[Path]:
    name = model.replace("=", "-").replace(",", "-")
    done = folder / f"{name}.forms"  # written last: the names of all files
    if done.is_file():
        return [folder / line for line in done.read_text(encoding="utf-8").splitlines()]
    say(f"exporting {model}")
    network = fresh_network(model)
    card = card_of(network)
    onenet.save(network, folder / f"{name}.safetensors")
    paths = [folder / f"{name}.safetensors"]
    windows = calibration_windows(card, open_for(card, parse_spec(CALIBRATION)), _WINDOWS, _SIDE)
    for form, kind in _forms(network):
        for precision, graph in _graphs(form, kind, card, windows).items():
            path = folder / f"{name}.{kind}{'.int8' if precision == 'int8' else ''}.onnx"
            path.write_bytes(graph.SerializeToString())
            paths.append(path)
        _check(network, folder / f"{name}.{kind}.onnx", windows[:2])
    done.write_text("\n".join(path.name for path in paths), encoding="utf-8")
    return paths


def _forms(network: Network) -> list[tuple[nn.Module, str]]:
    forms: list[tuple[nn.Module, str]] = [(conv_form(network), "conv")]
    with suppress(ExportError):  # only chains of channel convolutions have one
        forms.append((FlatForm(network), "flat"))
    return forms


def _graphs(form: nn.Module, kind: str, card: Card, windows: Sequence[Image]) -> dict[str, onnx.ModelProto]:
    description = Description(form=kind)
    if isinstance(form, FlatForm):
        description = description.replace(input="pixels", tile=form.tile)
        graph = rows_graph(form, card, description)
        batches = [as_rows(window, form.tile) for window in windows]
    else:
        graph, batches = image_graph(form, card, description), list(windows)
    integers = quantised(only_depthwise(graph), batches)
    described(integers, card, description.replace(precision="int8"))
    return {"float": graph, "int8": integers}


def _check(network: Network, path: Path, windows: Sequence[Image]) -> None:
    """That a file which is timed computes what it stands for."""
    parity = compare(EagerRunner(network), onenet.Segmenter(path, "onnxruntime").runner, windows, card_of(network))
    if failure := parity.failure():
        raise FailedCheckError(f"{path.name} is not the network: {failure}")
