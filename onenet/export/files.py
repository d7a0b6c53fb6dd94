"""Checked graphs -> files: all of them, or none."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from onenet.card import Card
from onenet.deploy.exported import ImageRunner
from onenet.deploy.opening import OPENVINO, to_folder_texts
from onenet.deploy.runtime import OnnxRuntimeSession, OpenVinoSession, Session, need
from onenet.errors import FailedCheckError, OneNetError, describe_os_error
from onenet.export.exporting import Made
from onenet.export.parity import Parity, compare
from onenet.export.trial import Image
from onenet.images import atomic_write

_EQUAL_INT8 = 0.99  # share of equal mask pixels of two runtimes of an INT8 graph


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
    graphs: Sequence[Made], folder: Path, name: str, card: Card, images: Sequence[Image]
) -> list[tuple[Path, Made]]:
    """Write NAME[.int8].openvino, a folder, for each graph of images, compared with its ONNX graph before.

    Returns:
        Each folder, and its graph with that comparison for its parity; scores and speed are those of the ONNX file.

    Raises:
        FailedCheckError: OpenVINO computes something else.
        OneNetError: openvino is not installed, or the folder cannot be written.
    """
    need("openvino")
    import openvino

    from onenet.deploy.runtime import openvino_core

    written = []
    for made in (made for made in graphs if made.description.input != "pixels"):
        target = folder / f"{name}{made.suffix}{OPENVINO}"
        try:
            with new_folder(target) as draft:
                model = openvino_core().read_model(made.graph.SerializeToString())
                openvino.save_model(model, draft / "model.xml", compress_to_fp16=False)
                parity = _compared(made, OpenVinoSession(draft / "model.xml"), card, images)
                for file, text in to_folder_texts(card, made.description).items():
                    (draft / file).write_text(text, encoding="utf-8")
        except (OSError, RuntimeError) as error:  # OpenVINO has its own for a full disk
            if isinstance(error, OneNetError):
                raise
            reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
            raise OneNetError(f"{target}: cannot be written ({reason})") from None
        on = f"what the ONNX graph gives for {made.compared_on}"
        written.append(
            (target, replace(made, parity=parity, compared_on=on, score=None, score_before=None, speed=None))
        )
    return written


def _compared(made: Made, session: Session, card: Card, images: Sequence[Image]) -> Parity:
    reference = ImageRunner(OnnxRuntimeSession(made.graph.SerializeToString()), card, made.description)
    decided = made.description.output == "classes"
    parity = compare(reference, ImageRunner(session, card, made.description), images, card, decided)
    rounding = made.description.precision == "int8" and parity.equal >= _EQUAL_INT8  # at ties of a byte's value
    if not rounding and (failure := parity.failure()):
        raise FailedCheckError(f"OpenVINO does not compute the network: {failure}; nothing was written for it")
    return parity
