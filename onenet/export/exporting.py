"""A trained network -> files for a device. None gets its name before it was compared with the network on real images.

NAME.onnx              images in, logits out: for any program that runs ONNX
NAME.flat.onnx         the flat form itself, rows of pixels in Morton order: what onenet.Segmenter runs in blocks
NAME.int8.onnx         the same in INT8, as NAME.flat.int8.onnx
NAME.openvino/         the same for OpenVINO, as NAME.int8.openvino/
NAME.executorch/       the same for ExecuTorch, each of them (onenet.export.programs)
NAME.litert/, NAME.mlpackage/  the first one for LiteRT and Core ML (onenet.export.litert, onenet.export.coreml)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from torch import nn

from onenet.card import Card
from onenet.data import Dataset
from onenet.deploy.description import Description
from onenet.deploy.exported import FlatRunner, ImageRunner
from onenet.deploy.footprint import graph_footprint
from onenet.deploy.runner import Halo, Runner
from onenet.deploy.runtime import OnnxRuntimeSession, usable_cores
from onenet.errors import ConfigError, ExportError, FailedCheckError, did_you_mean
from onenet.export.accuracy import layer_names, quantised_within
from onenet.export.conv import conv_form, plain_form
from onenet.export.depthwise import only_depthwise
from onenet.export.flat import FlatForm
from onenet.export.graph import described, image_graph, rows_graph
from onenet.export.int8 import float_islands, quantised
from onenet.export.parity import Parity, compare
from onenet.export.scores import images_scored, refuse_drop, scored_mean_iou, scored_split
from onenet.export.timing import times_as_fast
from onenet.export.trial import as_rows, calibration_windows, trial_images
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network
from onenet.weights import shipped_file

FORMS = ("auto", "flat", "conv", "plain")
INPUTS, OUTPUTS = ("image", "bytes"), ("logits", "classes")
FLAT = ".flat"  # in the names of files that hold rows graphs

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be made.

    Attributes:
        int8: also (or, without `float_`, only) the INT8 graph.
        form: of `FORMS`; "auto" is flat where the network has a flat form, else conv.
        input: "image", or "bytes" (b, h, w, c).
        output: "logits", or "classes".
        max_drop: how far INT8's mean IoU may lie below that of float, in points (hundredths).
    """

    float_: bool = True
    int8: bool = False
    form: str = "auto"
    input: str = "image"
    output: str = "logits"
    max_drop: float = 0.5


@dataclass(frozen=True)
class Made:
    """A graph that has proved itself.

    Attributes:
        suffix: what its file's name has between the model's name and ".onnx".
        parity: how it compares with the network on `compared_on`.
        score, score_before: mean IoU of the graph and of what it was made from; None without data.
        scored_on, images_scored: the split that they are of, and how many images of it.
        speed: INT8 graphs: how many times as fast as the float graph, here, in ONNX Runtime.
        islands: INT8 graphs: operators left in float between those that compute in integers.
    """

    suffix: str
    graph: onnx.ModelProto
    description: Description
    parity: Parity
    compared_on: str
    score: float | None = None
    score_before: float | None = None
    scored_on: str = ""
    images_scored: int = 0
    speed: float | None = None
    islands: tuple[str, ...] = ()

    def in_other_format(self, suffix: str, description: Description, parity: Parity) -> "Made":
        """What is known of the same network in another format: its own comparison, and no score or speed."""
        return replace(
            self, suffix=suffix, description=description, parity=parity, islands=(), speed=None, score=None,
            score_before=None, scored_on="", images_scored=0,
        )  # fmt: skip


def make_graphs(
    network: Network, wanted: Wanted, dataset: Dataset | None = None, say: Say = lambda line: None
) -> list[Made]:
    """Rewrite a network, write its graphs and check each one. The network itself is not changed.

    Args:
        network: with its card, as `onenet.load` gives it.
        dataset: images like those it will meet; INT8 is calibrated on its training images and scored on the others.
        say: is told what is being done; INT8 of a large network takes a minute.

    Raises:
        ExportError: the network has no such form, or INT8 is wanted without data.
        FailedCheckError: a graph is not the same network, or INT8 does not keep the score.
    """
    _check(wanted, dataset)
    card = card_of(network)
    form, name = _form(network, wanted.form)
    trial = trial_images(card, dataset)
    trial = trial.of_bytes() if wanted.input == "bytes" else trial
    eager = EagerRunner(network)
    say(f"writing the {name} form of {card.architecture}")
    drafts = {suffix: (graph, description) for suffix, graph, description in _float_graphs(form, name, card, wanted)}
    made = []
    scored_on = scored_split(dataset) if dataset else ""
    if dataset:
        say(f"scoring it on the {scored_on} images of {dataset.name}")
    count = images_scored(dataset) if dataset else 0
    before = scored_mean_iou(eager, card, dataset) if dataset else None
    for suffix, (graph, description) in drafts.items():
        say(f"comparing the {_kind(description)} graph with it on {len(trial.images)} images")
        runner = _runner(graph, card, description)
        parity = compare(eager, runner, trial.images, card, decided=description.output == "classes")
        if failure := parity.failure():
            raise FailedCheckError(
                f"{card.architecture}{suffix}.onnx is not the network: {failure}; nothing was written"
            )
        after = scored_mean_iou(runner, card, dataset) if dataset else None
        made.append(Made(suffix, graph, description, parity, trial.source, after, before, scored_on, count))
    if not wanted.int8:
        return made
    assert dataset is not None
    say("calibrating and scoring INT8")
    integers = _int8_graphs(made, card, dataset, wanted.max_drop)
    compared = [
        replace(
            one,
            parity=compare(
                eager,
                _runner(one.graph, card, one.description),
                trial.images,
                card,
                decided=one.description.output == "classes",
            ),
        )
        for one in integers
    ]
    return [*(made if wanted.float_ else ()), *compared]


def _check(wanted: Wanted, dataset: Dataset | None) -> None:
    for key, value, choices in (
        ("form", wanted.form, FORMS), ("input", wanted.input, INPUTS), ("output", wanted.output, OUTPUTS),
    ):  # fmt: skip
        if value not in choices:
            raise ConfigError(f"--{key} {value}: {did_you_mean(value, choices)}")
    if wanted.int8 and dataset is None:
        raise ExportError("INT8 is calibrated on real images: name them with --data FORMAT:PATH (trained models of the "
                          "package have their INT8 file: onenet list models --trained)")  # fmt: skip
    if wanted.int8 and wanted.form == "plain":
        raise ExportError("INT8 is made of the flat or the conv form; leave --form plain out")


def _kind(description: Description) -> str:
    return "rows" if description.input == "pixels" else "image"


def _form(network: Network, form: str) -> tuple[nn.Module, str]:
    """The network in a form, and the form's name."""
    if form in ("auto", "flat"):
        try:
            return FlatForm(network), "flat"
        except ExportError:
            if form == "flat":
                raise
    return (plain_form(network), "plain") if form == "plain" else (conv_form(network), "conv")


def _float_graphs(
    form: nn.Module, name: str, card: Card, wanted: Wanted
) -> Iterator[tuple[str, onnx.ModelProto, Description]]:
    """Suffix, graph and description of each float graph of a form."""
    description = Description(form=name, input=wanted.input, output=wanted.output)
    graph = image_graph(form, card, description)
    description = description.replace(halo=_halo(graph, name))
    described(graph, card, description)
    yield "", graph, description
    if isinstance(form, FlatForm):
        description = Description(form=name, input="pixels", tile=form.tile, halo=Halo())
        yield FLAT, rows_graph(form, card, description), description


def _halo(graph: onnx.ModelProto, form: str) -> Halo | None:
    if form == "flat":
        return Halo()
    try:
        return graph_footprint(graph).halo()
    except ExportError:  # such a network is run on whole images only, and asked again then
        return None


def _int8_graphs(floats: list[Made], card: Card, dataset: Dataset, max_drop: float) -> list[Made]:
    """The INT8 graph of each float graph; which layers stay in float is found on the last one, the quickest."""
    windows = calibration_windows(card, dataset)
    written = [only_depthwise(made.graph) for made in floats]

    def batches(made: Made) -> list[np.ndarray]:
        if made.description.input == "pixels":
            return [as_rows(window, made.description.tile) for window in windows]
        if made.description.input == "bytes":
            return [(window * 255).round().astype(np.uint8).transpose(0, 2, 3, 1) for window in windows]
        return windows

    def scored(graph: onnx.ModelProto) -> float:
        return scored_mean_iou(_runner(graph, card, floats[-1].description), card, dataset)

    found = quantised_within(written[-1], batches(floats[-1]), lambda graph: _session(graph, 1), scored, max_drop / 100)
    refuse_drop(found.before, found.after, max_drop, dataset)
    integers = []
    for made, exact in zip(floats, written, strict=True):
        names = [layer_names(exact)[place] for place in found.kept]
        graph = found.model if made is floats[-1] else quantised(exact, batches(made), names)
        description = made.description.replace(precision="int8", kept_float=tuple(names))
        described(graph, card, description)
        after = found.after
        if made is not floats[-1]:
            after = scored_mean_iou(_runner(graph, card, description), card, dataset)
            refuse_drop(found.before, after, max_drop, dataset)
        example = batches(made)[0]
        integers.append(
            replace(
                made, suffix=f"{made.suffix}.int8", graph=graph, description=description, score=after,
                score_before=found.before, islands=tuple(float_islands(graph)),
                speed=times_as_fast(_session(graph), _session(made.graph), example),
            )
        )  # fmt: skip
    return integers


def _session(graph: onnx.ModelProto, threads: int | None = None) -> OnnxRuntimeSession:
    return OnnxRuntimeSession(graph.SerializeToString(), threads)


def _runner(graph: onnx.ModelProto, card: Card, description: Description) -> Runner:
    if description.input == "pixels":
        return FlatRunner(_session(graph, 1), card, description, usable_cores())
    return ImageRunner(_session(graph), card, description)


def model_file(model: str) -> tuple[Path, str]:
    """(folder, name) that the files made from a model get: those of the model itself; here, of a shipped one."""
    path = Path(model)
    if shipped_file(model):
        return Path(), model
    file = path / "model.safetensors" if path.is_dir() else path
    return file.parent, file.stem
