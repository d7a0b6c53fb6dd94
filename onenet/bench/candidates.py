"""What is timed: a model in a runtime. Files are taken as `onenet.Segmenter` takes them; a name is built anew.

    runs/demo, x.safetensors       torch
    x.onnx, x.flat.onnx            ONNX Runtime and OpenVINO, whichever is installed
    x.openvino, x.executorch ...   OpenVINO, ExecuTorch, LiteRT
    onenet-ed-4,width=32           a network of the catalogue with random weights, in torch: what it costs, untrained

Imports neither torch nor a runtime before it has to: the fresh processes that are timed begin here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onenet
from onenet.card import Card, default_classes, default_colours
from onenet.deploy.ensemble import refuse_folds
from onenet.deploy.opening import FOLDERS, has_card, is_exported
from onenet.deploy.runtime import RUNTIMES, installed
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError, DataError
from onenet.weights import shipped_file

KNOWN = ("torch", *RUNTIMES, "executorch", "litert")


@dataclass(frozen=True)
class Candidate:
    """A model in a runtime.

    Attributes:
        model: as it was named.
        path: the file or folder that holds it; empty for the literal form.
        runtime: one of `KNOWN`.
        random: its weights are random, so that there is nothing to be scored.
        classes: names for the classes of a file that was not written by onenet.
        literal: sizes of the authors' formulation, where it is that.
    """

    model: str
    path: str
    runtime: str
    random: bool = False
    classes: tuple[str, ...] = ()
    literal: dict[str, int] | None = None

    @property
    def file(self) -> Path:
        """What lies on the disk: a file or a folder of files, without the other files of a run."""
        path = Path(self.path)
        run = path.is_dir() and path.suffix.lower() not in FOLDERS
        return path / "model.safetensors" if run else path

    @property
    def megabytes(self) -> float:
        """Bytes on the disk / 1e6; of the literal form those of its parameters."""
        if self.literal is not None:
            from onenet.bench.fresh_networks import literal_network

            return sum(4 * parameter.numel() for parameter in literal_network(self.literal).parameters()) / 1e6
        files = self.file.rglob("*") if self.file.is_dir() else [self.file]
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def find_candidates(
    models: Sequence[str], runtimes: Sequence[str], folder: Path, classes: Sequence[str] = ()
) -> list[Candidate]:
    """Every model in each runtime that is installed and runs it.

    Args:
        models: files, folders or names, as above.
        runtimes: those wanted; empty for all of them.
        folder: gets the weights of the networks that are only named.
        classes: names for the classes of those that were not written by onenet.

    Raises:
        ConfigError: an unknown name, several networks in a folder, or a model that none of `runtimes` runs.
        DataError: a file is missing.
        OneNetError: no runtime for it is installed.
    """
    found = []
    for model in models:
        path, random = shipped_file(model, for_device=tuple(runtimes) != ("torch",)) or Path(model), False
        if not path.exists():
            name = model.split(",")[0]
            if is_exported(model) or path.suffix == ".safetensors" or "/" in name:
                raise DataError(f"{model}: no such file; give a model's file, or a network's name with --grid")
            path, random = _built(model, folder), True
        refuse_folds(path)
        able = _able(path)
        wanted = [runtime for runtime in able if not runtimes or runtime in runtimes]
        if not wanted:
            raise ConfigError(f"{model}: {' and '.join(able)} can run it here, not {', '.join(runtimes)}")
        named = tuple(classes) if path.suffix.lower() == ".onnx" and not has_card(path) else ()
        found += [Candidate(model, str(path), runtime, random, named) for runtime in wanted]
    return found


def _able(path: Path) -> list[str]:
    if not is_exported(path):
        return ["torch"]
    could = [path.suffix.lower()[1:]] if path.suffix.lower() in FOLDERS else list(RUNTIMES)
    return [runtime for runtime in could if installed(runtime)] or could[:1]  # which says that it is not installed


def _built(model: str, folder: Path) -> Path:
    """The weights of a network that is only named, in a file."""
    onenet.list_models  # noqa: B018 (says in one line where torch is missing)
    from onenet.bench.fresh_networks import fresh_network

    path = folder / f"{model.replace('=', '-').replace(',', '-')}.safetensors"
    onenet.save(fresh_network(model), path)
    return path


def open_candidate(candidate: Candidate, threads: int) -> Segmenter:
    """The segmenter of a candidate, for photos at their own size: none is scaled."""
    if candidate.literal is None:
        opened = onenet.Segmenter(candidate.path, candidate.runtime, threads, candidate.classes)
        return Segmenter(opened.runner, opened.card.replace(fit="none"))
    from onenet.bench.fresh_networks import literal_network
    from onenet.models.eager import EagerRunner

    return Segmenter(EagerRunner(literal_network(candidate.literal), threads), literal_card(candidate.literal))


def literal_candidate(card: Card | None = None) -> Candidate:
    """The authors' formulation, spatial convolutions included, of the sizes of a onenet-ed, else of the paper's."""
    sizes = dict(num_classes=2, width=64, depth=4, stem_repeat=3, in_channels=3)
    if card is not None:
        sizes |= {key: value for key, value in card.arguments.items() if key in sizes}
    return Candidate("the authors' formulation", "", "torch", random=True, literal=sizes)


def literal_card(sizes: dict[str, int]) -> Card:
    """What the card of the authors' formulation says."""
    classes = sizes["num_classes"]
    arguments: dict[str, Any] = {**sizes, "replaced": "ed", "spatial_kernel": 9}
    return Card(
        architecture="onenet-ed-4-spatial", arguments=arguments, classes=default_classes(classes),
        colours=default_colours(classes), stride=2 ** sizes["depth"],
    )  # fmt: skip
