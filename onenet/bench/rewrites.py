"""What each exact rewrite is worth: the same network with one of them left out, in turns, per runtime and precision."""

import time
from typing import Any

import numpy as np
from torch import nn

from onenet.bench.fresh_networks import fresh_network
from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.deploy.description import Description
from onenet.deploy.runtime import RUNTIMES, installed, open_session, usable_cores
from onenet.errors import ExportError
from onenet.export.conv import conv_form, plain_form
from onenet.export.depthwise import grouped, only_depthwise
from onenet.export.flat import FlatForm
from onenet.export.graph import image_graph
from onenet.export.int8 import quantised
from onenet.export.joins import sum_joined
from onenet.export.trial import calibration_windows
from onenet.models.eager import card_of
from onenet.models.network import Network

PLAIN = "plain: no rewrite"


def measure_rewrites(name: str, width: int, size: int, repeats: int, threads: int | None = None) -> dict[str, Any]:
    """Milliseconds of a network of random weights for one image, with all rewrites and without each of them.

    Every row is a form, a runtime and a precision; all rows are timed in turns.
    """
    threads = threads or usable_cores()
    network = fresh_network(name if ",width=" in name else f"{name},width={width}")
    card = card_of(network)
    windows = calibration_windows(card, open_dataset(parse_spec("folder:samples:nuclei")), count=4)
    image = np.random.default_rng(0).random((1, 3, size, size), dtype=np.float32)
    rows: list[dict[str, Any]] = []
    sessions = []
    for form, module in forms_of(network).items():
        graph = image_graph(module, card, Description(form=form))
        graphs = [
            (form, "float", graph),
            (form, "int8", quantised(graph if form == PLAIN else only_depthwise(graph), windows)),
        ]
        if form == "conv" and grouped(graph):
            graphs.append(("grouped convolutions kept", "int8", quantised(graph, windows)))
        for label, precision, made in graphs:
            for runtime in filter(installed, RUNTIMES):
                rows.append({"form": label, "precision": precision, "runtime": runtime, "ms": []})
                sessions.append(open_session(made.SerializeToString(), runtime, threads))
    for turn in range(repeats + 1):
        for row, session in zip(rows, sessions, strict=True):
            started = time.perf_counter()
            session(image)
            if turn:  # the first warms up
                row["ms"].append(round(1000 * (time.perf_counter() - started), 2))
    return {"model": name, "width": width, "size": size, "threads": threads, "repeats": repeats, "rows": rows}


def forms_of(network: Network) -> dict[str, nn.Module]:
    """A network with all rewrites ("conv"), with each one left out that changes it, with none, and its flat form.

    "sums instead of concatenations" is no rewrite of "conv": there kernels larger than a pixel are summed, too.
    """
    forms: dict[str, nn.Module] = {"conv": conv_form(network)}
    left_out = {
        "norms not folded": ["norm"],
        "unshuffle and convolution apart": ["unshuffle"],
        "transposed convolutions kept": ["transposed"],
        "concatenations kept": ["joined"],
    }
    for label, names in left_out.items():
        form = conv_form(network, leave=names)
        if _shape(form) != _shape(forms["conv"]):
            forms[label] = form
    joined = sum_joined(conv_form(network), only_pointwise=False)
    if _shape(joined) != _shape(forms["conv"]):
        forms["sums instead of concatenations"] = joined
    forms[PLAIN] = plain_form(network)
    try:
        forms["flat"] = FlatForm(network)
    except ExportError:
        return forms
    return forms


def _shape(form: nn.Module) -> list[str]:
    """What a form is made of, to see whether leaving out a rewrite changes it."""
    return [type(part).__name__ for part in form.modules()]
