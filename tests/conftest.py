"""What many tests start from: the command line in this process, tiny photos and volumes, a tiny trained model."""

import gc
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes: waiting threads must not take the cores

settings.register_profile("house", deadline=None, derandomize=True, database=None)  # the same tests on every machine
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through what stays, thousands of tests and imports, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 100)


# onenet and torch are imported where they are used: jaxtyping wants to be there first.


@dataclass(frozen=True)
class Finished:
    """What a command left behind: its exit code and what it wrote."""

    code: int
    out: str
    err: str
    out_bytes: bytes

    @property
    def error(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, f"exit code {self.code}\n{self.out}\n{self.err}"
        assert self.err.startswith("error: "), self.err
        assert self.err.endswith("\n") and self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def onenet_command(monkeypatch, capsysbinary, tmp_path) -> Callable[..., Finished]:
    """`onenet_command("predict", model, photo)` runs the command line in this process, in an empty folder."""
    from onenet.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words: object, stdin: bytes = b"") -> Finished:
        monkeypatch.setattr(sys, "argv", ["onenet", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsysbinary.readouterr()
        return Finished(code, out.decode(errors="replace"), err.decode(), out)

    return run


@pytest.fixture
def photos(tmp_path) -> Callable[..., Path]:
    """`photos("cats", count=6)` makes a folder of photos with one bright square each, and masks that say where."""

    def make(name: str = "photos", count: int = 6, size: tuple[int, int] = (24, 20), values=(0, 1)) -> Path:
        root = tmp_path / name
        for index in range(count):
            image, mask = bright_square(index, size)
            write_pair(root, f"photo{index}", image, np.asarray(values, dtype=np.uint8)[mask])
        return root

    return make


def bright_square(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    mask = np.zeros(size, dtype=np.uint8)
    top, left = random.integers(0, size[0] // 2), random.integers(0, size[1] // 2)
    mask[top : top + size[0] // 2, left : left + size[1] // 2] = 1
    image = random.integers(0, 80, (*size, 3), dtype=np.uint8)
    image[mask == 1] += 150
    return image, mask


def write_pair(root: Path, stem: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, pixels in (("images", image), ("masks", mask)):
        (root / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / kind / f"{stem}.png")


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Changes to any recipe that let an epoch last a fraction of a second, on the CPU, in plain float32."""
    network = ["model.name=onenet-e-4", "model.width=4", "model.depth=2", "model.stem_repeat=1"]
    run = ["train.epochs=2", "train.batch=4", "train.validate_every=1"]
    machine = ["train.device=cpu", "train.precision=32-true", "train.workers=0"]
    return ["data.size=16", *network, *run, *machine]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A `.safetensors` file of a small onenet with two classes, untrained."""
    import torch

    import onenet

    torch.manual_seed(0)
    network = onenet.create_model("onenet-e-4", width=4, depth=2, stem_repeat=1)
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    onenet.save(network, path)
    return path


@pytest.fixture(scope="session")
def nuclei_parts(tmp_path_factory) -> Path:
    """A folder of ten microscope images of 64 x 60 pixels with masks: parts of packaged ones."""
    root = tmp_path_factory.mktemp("data") / "nuclei-parts"
    samples = Path(__file__).parents[1] / "onenet/samples/nuclei/train"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
        for file in sorted((samples / kind).iterdir())[:10]:
            Image.open(file).crop((60, 60, 120, 124)).save(root / kind / file.name)
    return root


@pytest.fixture(scope="session")
def flat(nuclei_parts) -> "Exports":
    """A small onenet-ed with its flat form, as images and as rows, in float and INT8."""
    return exports_of("onenet-ed-4", nuclei_parts)


@pytest.fixture(scope="session")
def conv(nuclei_parts) -> "Exports":
    """A small onenet-e with its convolution form, in float and INT8."""
    return exports_of("onenet-e-4", nuclei_parts)


@dataclass(frozen=True)
class Exports:
    """A network, untrained but with statistics of norms, and its checked graphs by the suffix of their files."""

    network: Any
    card: Any
    dataset: Any
    graphs: dict[str, Any]


def exports_of(name: str, root: Path) -> Exports:
    import torch

    import onenet
    from onenet.config import parse_spec
    from onenet.export.exporting import Wanted, make_graphs
    from onenet.scoring import open_for

    torch.manual_seed(0)
    network = onenet.create_model(name, width=8, depth=2, stem_repeat=1)
    with torch.no_grad():
        network(torch.rand(4, 3, 64, 64) ** 2)
    network.card = network.eval().card.replace(size=(64, 64))
    dataset = open_for(network.card, parse_spec(f"folder:{root}"))
    graphs = make_graphs(network, Wanted(int8=True, max_drop=100.0), dataset)
    return Exports(network, network.card, dataset, {made.suffix: made for made in graphs})


@pytest.fixture(scope="session")
def exported_files(flat, conv, tmp_path_factory) -> Path:
    """A folder with ed[.flat][.int8].onnx, e[.int8].onnx and both checkpoints."""
    import onenet

    folder = tmp_path_factory.mktemp("exported")
    for name, exports in (("ed", flat), ("e", conv)):
        onenet.save(exports.network, folder / f"{name}.safetensors")
        for suffix, made in exports.graphs.items():
            (folder / f"{name}{suffix}.onnx").write_bytes(made.graph.SerializeToString())
    return folder


@pytest.fixture(autouse=True)
def short_turns(request, monkeypatch):
    """Where something is timed it is called once a turn: quick tests look at rows, not at how sure their times are."""
    if "slow" not in request.keywords:
        monkeypatch.setattr("onenet.bench.turns._MOST", 1)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Prepared volumes go into the test's own folder."""
    monkeypatch.setenv("ONENET_CACHE", str(tmp_path / "cache"))


def blob(shape, seed):
    """A volume (x, y, z) and its mask: 1 in a ball, 2 in a smaller one beside it."""
    random = np.random.default_rng(seed)
    place = np.stack(np.indices(shape), axis=-1)
    centre = np.array(shape) / 2 + random.uniform(-1, 1, 3)
    mask = np.zeros(shape, np.uint8)
    mask[((place - centre) ** 2).sum(-1) < (min(shape) / 3) ** 2] = 1
    mask[((place - centre - [min(shape) / 4, 0, 0]) ** 2).sum(-1) < (min(shape) / 6) ** 2] = 2
    return (100 * mask + random.normal(300, 20, shape)).astype(np.float32), mask


@pytest.fixture
def write_msd(tmp_path) -> Callable[..., Path]:
    """A folder in the Decathlon's layout: `write_msd(8, spacing=(1, 1, 3), channels=2)`."""
    import nibabel

    def write(
        count=8, shape=(14, 12, 10), spacing=(1.0, 1.0, 1.0), channels=1, labels=None, folder="set", modality="MRI"
    ):
        root = tmp_path / folder
        for part in ("imagesTr", "labelsTr"):
            (root / part).mkdir(parents=True)
        affine = np.diag([*spacing, 1.0])
        for number in range(count):
            image, mask = blob(shape, number)
            if channels > 1:
                image = np.stack([image * (1 + channel) for channel in range(channels)], axis=-1)
            name = f"case_{number:02d}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(image, affine), root / "imagesTr" / name)
            nibabel.save(nibabel.Nifti1Image(mask, affine), root / "labelsTr" / name)
        found = labels or {"0": "background", "1": "ball", "2": "pearl"}
        names = {str(channel): f"{modality}{channel or ''}" for channel in range(channels)}
        (root / "dataset.json").write_text(json.dumps({"labels": found, "modality": names}))
        return root

    return write
