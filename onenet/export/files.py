"""Checked graphs -> files: all of them, or none."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from onenet.data import Dataset
from onenet.deploy.exported import ImageRunner
from onenet.deploy.opening import OPENVINO, to_folder_texts
from onenet.deploy.runner import Runner
from onenet.deploy.runtime import OpenVinoSession, need
from onenet.errors import FailedCheckError, OneNetError, describe_os_error
from onenet.export.exporting import Made
from onenet.export.parity import compare
from onenet.export.scores import refuse_drop, scored_mean_iou
from onenet.export.trial import Image
from onenet.images import atomic_write
from onenet.models.eager import EagerRunner, card_of
from onenet.models.network import Network


def write_onnx(graphs: Sequence[Made], folder: Path, name: str) -> list[Path]:
    """Write NAME[.flat][.int8].onnx for each graph; a full disk leaves what was there before.

    Raises:
        OneNetError: a file cannot be written.
    """
    paths = [folder / f"{name}{made.suffix}.onnx" for made in graphs]
    with ExitStack() as all_or_none:  # each appears when the last one is whole
        for path, made in zip(paths, graphs, strict=True):
            all_or_none.enter_context(atomic_write(path)).write(made.graph.SerializeToString())
    return paths


@dataclass(frozen=True)
class Folder:
    """A folder of files that has proved itself, NAME with an ending.

    Attributes:
        ending: of its name, behind the suffix of `made`.
        files: what each file holds, by its path inside the folder.
        made: what is known of it, in the words of the graph of the same suffix.
    """

    ending: str
    files: dict[str, bytes]
    made: Made


def write_folders(folders: Sequence[Folder], folder: Path, name: str) -> list[tuple[Path, Made]]:
    """Write NAME[.flat][.int8].ENDING for each; a full disk leaves what was there before.

    Raises:
        OneNetError: a folder cannot be written.
    """
    written = []
    for one in folders:
        target = folder / f"{name}{one.made.suffix}{one.ending}"
        try:
            with new_folder(target) as draft:
                for file, data in one.files.items():
                    (draft / file).parent.mkdir(parents=True, exist_ok=True)
                    (draft / file).write_bytes(data)
        except OSError as error:
            raise OneNetError(f"{target}: cannot be written ({describe_os_error(error)})") from None
        written.append((target, one.made))
    return written


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder to write in that gets the name `target`, in the place of what has it, when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".onenet-") as hidden:
        draft = Path(hidden) / target.name
        draft.mkdir()
        yield draft
        if target.exists():
            target.rename(Path(hidden) / "old")
        draft.rename(target)


def write_openvino(
    graphs: Sequence[Made],
    folder: Path,
    name: str,
    network: Network,
    images: Sequence[Image],
    dataset: Dataset | None = None,
    max_drop: float = math.inf,
) -> list[tuple[Path, Made]]:
    """Write NAME[.int8].openvino, a folder, for each graph of images, compared with the network before.

    Args:
        network: what the graphs were made from.
        images: to compare on.
        dataset: to score on.
        max_drop: how far INT8's mean IoU may lie below that of the network, in points.

    Returns:
        Each folder, and its graph with what OpenVINO makes of it: comparison and score; its speed is not measured.

    Raises:
        FailedCheckError: OpenVINO computes something else, or INT8 does not keep the score.
        OneNetError: openvino is not installed, or the folder cannot be written.
    """
    need("openvino")
    import openvino

    from onenet.deploy.runtime import openvino_core

    card, written = card_of(network), []
    for made in (made for made in graphs if made.description.input != "pixels"):
        target = folder / f"{name}{made.suffix}{OPENVINO}"
        try:
            with new_folder(target) as draft:
                model = openvino_core().read_model(made.graph.SerializeToString())
                openvino.save_model(model, draft / "model.xml", compress_to_fp16=False)
                runner = ImageRunner(OpenVinoSession(draft / "model.xml"), card, made.description)
                proved = _proved(made, runner, network, images, dataset, max_drop)
                for file, text in to_folder_texts(card, made.description).items():
                    (draft / file).write_text(text, encoding="utf-8")
        except (OSError, RuntimeError) as error:  # OpenVINO has its own for a full disk
            if isinstance(error, OneNetError):
                raise
            first = (str(error).splitlines() or [type(error).__name__])[0]
            reason = describe_os_error(error) if isinstance(error, OSError) else f"{first}; is the disk full?"
            raise OneNetError(f"{target}: cannot be written ({reason})") from None
        written.append((target, proved))
    return written


def _proved(
    made: Made, runner: Runner, network: Network, images: Sequence[Image], dataset: Dataset | None, max_drop: float
) -> Made:
    """What OpenVINO makes of a graph, held to the network as the graph itself was."""
    card = card_of(network)
    parity = compare(EagerRunner(network), runner, images, card, made.description.output == "classes")
    exact = made.description.precision == "float"
    if exact and (failure := parity.failure()):
        raise FailedCheckError(f"OpenVINO does not compute the network: {failure}; nothing was written for it")
    score = None
    if dataset is not None and made.score_before is not None:
        score = scored_mean_iou(runner, card, dataset)
        if not exact:
            refuse_drop(made.score_before, score, max_drop, dataset)
    return replace(made, parity=parity, score=score, speed=None)
