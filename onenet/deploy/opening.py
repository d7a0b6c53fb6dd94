"""An exported file -> the runner that computes it, in the runtime asked for or in the faster one, and its card."""

import json
from collections.abc import Sequence
from pathlib import Path

from onenet.card import Card, default_colours
from onenet.deploy.choice import remembered_choice
from onenet.deploy.description import CARD, DESCRIPTION, Description
from onenet.deploy.exported import PROBABILITIES, FlatRunner, ImageRunner
from onenet.deploy.onnx_metadata import last_operator, read_metadata
from onenet.deploy.runner import Halo, Runner
from onenet.deploy.runtime import OnnxRuntimeSession, Session, installed, open_session, usable_cores
from onenet.errors import ConfigError, DataError, ExportError, describe_os_error

OPENVINO = ".openvino"  # the ending of the folder that holds an OpenVINO model
EXECUTORCH = ".executorch"  # of the one that holds an ExecuTorch program
LITERT = ".litert"  # of the one that holds a LiteRT model
FOLDERS = (OPENVINO, EXECUTORCH, LITERT)
COREML = ".mlpackage"  # of the one for Apple's machines, which nothing opens here
_FORMS = (".int8", ".flat.int8", "", ".flat")  # what stands before these endings, the quickest first
_FOREIGN_STRIDE = 32  # what networks want whose own stride is not known


def is_exported(path: str | Path) -> bool:
    """Whether a path names an exported model by its ending."""
    return Path(path).suffix.lower() in (".onnx", *FOLDERS, COREML)


def exported_beside(model: str | Path) -> Path | None:
    """A file made from a model, lying beside it, that an installed runtime computes without torch; INT8 first."""
    path = Path(model) / "model.safetensors" if Path(model).is_dir() else Path(model)
    runtimes = {".onnx": ("onnxruntime", "openvino"), OPENVINO: ("openvino",), LITERT: ("ai_edge_litert",)}
    endings = [ending for ending, names in runtimes.items() if any(map(installed, names))]
    made = (path.with_suffix(f"{form}{ending}") for form in _FORMS for ending in endings)
    return next((file for file in made if file.exists()), None)


def has_card(path: str | Path) -> bool:
    """Whether an .onnx file was written by onenet.

    Raises:
        DataError: the file is missing, damaged or no ONNX file.
    """
    return CARD in read_metadata(path)


def open_exported(
    path: str | Path, runtime: str = "auto", threads: int | None = None, classes: Sequence[str] = ()
) -> tuple[Runner, Card]:
    """Load an exported model.

    Args:
        path: an `.onnx` file, or a folder NAME.openvino, NAME.executorch or NAME.litert.
        runtime: "onnxruntime", "openvino", "executorch", "litert", or "auto": the faster one of the first two, if both
            are installed, measured once for each file; a folder has one runtime.
        threads: CPU threads; None for all cores.
        classes: names for the classes of a file that was not written by onenet.

    Raises:
        DataError: the file is missing, damaged, or says neither itself nor by `classes` what its classes are.
        ConfigError: the file is not for this runtime.
        OneNetError: the runtime is not installed.
    """
    path, threads = Path(path), threads or usable_cores()
    if path.suffix.lower() == COREML:
        raise ConfigError(f"{path}: a Core ML package is for apps on Apple's machines; give the .onnx file here")
    if path.suffix.lower() in FOLDERS:
        only = path.suffix.lower()[1:]
        if runtime not in ("auto", only):
            raise ConfigError(f"{path}: only {only} runs this, not {runtime}; give the .onnx file")
        if classes:
            raise ConfigError(f"{path}: knows its classes; leave --classes out")
        card, description = _beside(path)
        if only == "executorch":
            from onenet.deploy.executorch import ExecutorchSession

            return program_runner(ExecutorchSession(path / "model.pte", threads), card, description), card
        if only == "litert":
            from onenet.deploy.litert import LitertSession

            return ImageRunner(LitertSession(path / "model.tflite", threads), card, description), card
        return _runner(path / "model.xml", "openvino", threads, card, description), card
    if f".{runtime}" in (EXECUTORCH, LITERT):
        raise ConfigError(f"{path}: {runtime} runs folders NAME.{runtime}; make one with: onenet export MODEL "
                          f"--to {runtime}")  # fmt: skip
    metadata = read_metadata(path)
    if CARD in metadata:
        if classes:
            raise ConfigError(f"{path}: knows its classes; leave --classes out")
        card = Card.from_json(metadata[CARD], str(path))
        description = Description.from_json(metadata.get(DESCRIPTION, "{}"), str(path))
    else:
        card, ends = _foreign(path, classes), last_operator(path).lower()
        description = Description(form="foreign", output=ends if ends in PROBABILITIES else "logits")
    if runtime == "auto":
        if not (installed("openvino") and installed("onnxruntime")):
            runtime = "openvino" if installed("openvino") else "onnxruntime"
        else:
            runtime = remembered_choice(
                path, card, threads, lambda name: _runner(path, name, threads, card, description)
            )
    return _runner(path, runtime, threads, card, description), card


def _runner(path: Path, runtime: str, threads: int, card: Card, description: Description) -> Runner:
    if description.input == "pixels":
        return FlatRunner(open_session(path, runtime, threads, streams=threads), card, description, threads)

    def find_halo() -> Halo:
        from onenet.deploy.footprint import graph_footprint

        footprint = graph_footprint(path)
        if card.stride % footprint.stride or set(footprint.scale) != {1}:
            raise ExportError(f"{path}: its logits have another size than its image, or its stride {footprint.stride} "
                              f"does not divide {card.stride}, so that it is not cut into tiles")  # fmt: skip
        return footprint.halo()

    return ImageRunner(open_session(path, runtime, threads), card, description, find_halo)


def program_runner(session: Session, card: Card, description: Description) -> Runner:
    """An ExecuTorch program as a runner; it keeps all cores busy by itself."""
    if description.input == "pixels":
        return FlatRunner(session, card, description, threads=1)
    return ImageRunner(session, card, description)


def _beside(folder: Path) -> tuple[Card, Description]:
    """The card and the description that lie in the folder of an OpenVINO model, or of another kind."""
    try:
        texts = [(folder / f"{name}.json").read_text(encoding="utf-8") for name in ("card", "description")]
    except OSError as error:
        raise DataError(f"{folder}: holds no model of onenet ({describe_os_error(error)})") from None
    return Card.from_json(texts[0], str(folder)), Description.from_json(texts[1], str(folder))


def _foreign(path: Path, classes: Sequence[str]) -> Card:
    """A card for a graph that was not written by onenet, from its own shapes and the names given."""
    session = OnnxRuntimeSession(path, threads=1)
    if len(session.inputs) != 1 or len(session.outputs) < 1:
        raise DataError(f"{path}: has {len(session.inputs)} inputs; only graphs of one image can be run")
    (name, shape, kind), (_, out, out_kind) = session.inputs[0], session.outputs[0]
    both_float = kind == out_kind == "tensor(float)"
    if len(shape) != 4 or not both_float or not isinstance(shape[1], int) or len(out) != 4:
        raise DataError(f"{path}: its input {name} is {kind} {shape}, its output {out_kind} {out}; onenet runs graphs "
                        "from images (b, c, h, w) float in [0, 1] to logits (b, k, h, w)")  # fmt: skip
    if isinstance(shape[2], int) or isinstance(shape[3], int):
        raise DataError(f"{path}: takes images of {shape[2]}x{shape[3]} only; export it with dynamic height and width")
    if not classes:
        count = "a name for each output channel"
        if isinstance(out[1], int):
            count = f"{max(2, out[1])} names"
        raise DataError(f"{path}: has no card, it was not written by onenet; say what its classes are: --classes "
                        f"background,... ({count})")  # fmt: skip
    if len(classes) < 2:
        raise ConfigError("--classes: name at least two classes; of a single output, what it is not and what it is")
    if repeated := next((name for name in classes if list(classes).count(name) > 1), None):
        raise ConfigError(f"--classes names {repeated} twice; each class has a name of its own")
    if isinstance(out[1], int) and out[1] != len(classes) and (out[1], len(classes)) != (1, 2):
        raise ConfigError(f"--classes names {len(classes)} classes, but {path} has {out[1]} outputs")
    return Card(
        architecture="foreign",
        arguments={"in_channels": shape[1], "num_classes": len(classes)},
        classes=tuple(classes),
        colours=default_colours(len(classes)),
        stride=_FOREIGN_STRIDE,
    )


def to_folder_texts(card: Card, description: Description) -> dict[str, str]:
    """What lies beside the model in such a folder."""
    return {"card.json": json.dumps(json.loads(card.to_json()), indent=1), "description.json": description.to_json()}
