"""ExecuTorch programs that have proved themselves: one for each graph, of images or of rows, in float or INT8.

NAME.executorch/       images in, logits out: model.pte, card.json, description.json
NAME.flat.executorch/  blocks of rows, where the network has a flat form: what onenet.Segmenter runs quicker
NAME.int8.executorch/  the same in INT8, as NAME.flat.int8.executorch/
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.data import Dataset
from onenet.deploy.description import Description
from onenet.deploy.executorch import ExecutorchSession
from onenet.deploy.opening import EXECUTORCH, program_runner, to_folder_texts
from onenet.errors import FailedCheckError
from onenet.export.executorch import integers, program, program_form
from onenet.export.exporting import Made, Say
from onenet.export.files import Folder
from onenet.export.parity import compare
from onenet.export.scores import images_scored, refuse_drop, scored_mean_iou, scored_split
from onenet.export.timing import times_as_fast
from onenet.export.trial import as_rows, calibration_windows, trial_images
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network


def make_programs(
    network: Network, graphs: Sequence[Made], dataset: Dataset | None, max_drop: float, say: Say = lambda line: None
) -> list[Folder]:
    """Write a network's programs, one for each of its graphs, and check each one. The network itself is not changed.

    Args:
        network: with its card.
        graphs: from `onenet.export.exporting.make_graphs`: what is to be had, and how far it looks.
        dataset: what INT8 is calibrated and scored on, as there.
        max_drop: by how many points of mean IoU INT8 may be below float.

    Raises:
        ExportError: XNNPACK does not take the network whole.
        FailedCheckError: a program is not the same network, or INT8 does not keep the score.
    """
    card = card_of(network)
    trial, eager = trial_images(card, dataset), EagerRunner(network)
    floats: dict[str, ExecutorchSession] = {}
    programs = []
    for graph in graphs:
        suffix = f"{graph.suffix}{EXECUTORCH}"
        say(f"writing and comparing {card.architecture}{suffix}")
        in_integers = graph.description.precision == "int8"
        kind = "conv" if graph.description.input == "image" else "flat"
        description = graph.description.replace(form=kind, kept_float=())
        form, batches = program_form(network, description), list[NDArray]()
        if in_integers:
            assert dataset is not None
            batches = _batches(card, dataset, description)
            form = integers(form, card, description, batches)
        data = program(form, card, description)
        session = ExecutorchSession(data)
        runner = program_runner(session, card, description)
        parity = compare(eager, runner, trial.images, card)
        made = graph.in_other_format(graph.suffix, description, parity)
        if in_integers:
            assert dataset is not None and graph.score_before is not None
            after = scored_mean_iou(runner, card, dataset)
            refuse_drop(graph.score_before, after, max_drop, dataset)
            made = replace(made, score_before=graph.score_before, score=after, scored_on=scored_split(dataset),
                           images_scored=images_scored(dataset))  # fmt: skip
            if (reference := floats.get(graph.suffix.removesuffix(".int8"))) is not None:
                example = batches[0] if kind == "conv" else np.resize(batches[0], session.sizes)
                made = replace(made, speed=times_as_fast(session, reference, example))
        elif failure := parity.failure():
            raise FailedCheckError(f"{card.architecture}{suffix} is not the network: {failure}; nothing was written")
        else:
            floats[graph.suffix] = session
        texts = {file: text.encode() for file, text in to_folder_texts(card, description).items()}
        programs.append(Folder(EXECUTORCH, {"model.pte": data, **texts}, made))
    return programs


def _batches(card: Card, dataset: Dataset, description: Description) -> list[NDArray]:
    windows = calibration_windows(card, dataset)
    return windows if description.input == "image" else [as_rows(window, description.tile) for window in windows]
