"""Every command and every piece of Python in README.md and docs/ runs as it is written."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from tests_of_volumes import write_series

from onenet.models.authors import to_authors
from onenet.models.catalog import create_model

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/first-mask.md",
    "docs/your-own-data.md",
    "docs/training.md",
    "docs/pipeline.md",
    "docs/scores.md",
    "docs/edge.md",
]
MEDICAL = "docs/medical.md"
QUICK = ["train.epochs=1", "model.width=8", "data.size=64"]


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "demo"
    run(["onenet", "demo", "--out", str(folder), *QUICK], cwd=folder.parent)
    return folder


@pytest.fixture
def desk(tmp_path, demo_run):
    """A folder as a reader has it: photos with masks, a photo, a finished demo, the authors' weights."""
    samples = ROOT / "onenet/samples/nuclei/train"
    for kind in ("images", "masks"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for file in sorted((samples / kind).iterdir())[:10]:
            shutil.copy(file, tmp_path / "photos" / kind)
    shutil.copy(next((tmp_path / "photos/images").iterdir()), tmp_path / "photo.png")
    shutil.copytree(demo_run, tmp_path / "runs/demo")
    torch.save(to_authors(create_model("onenet-ed-4-spatial", width=8)), tmp_path / "authors.pth")
    return tmp_path


def run(words, cwd):
    done = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def clinic(tmp_path, write_msd):
    """A folder as a reader of docs/medical.md has it: volumes with masks, scans, a DICOM series."""
    real = ROOT.parent / "shared/data/msd/Task04_Hippocampus"
    root = tmp_path / "Task04_Hippocampus"
    if real.is_dir():
        shutil.copytree(real, root)
    else:
        write_msd(12, folder=root.name)
    first, *others = sorted((root / "imagesTr").glob("*.nii.gz"))[:3]
    shutil.copy(first, tmp_path / "scan.nii.gz")
    (tmp_path / "scans").mkdir()
    for scan in others:
        shutil.copy(scan, tmp_path / "scans")
    voxels = nibabel.load(first).get_fdata()
    write_series(tmp_path / "series-folder", (1000 * voxels / voxels.max()).astype(np.uint16))
    return tmp_path


def do_commands(page, folder):
    commands = [line for block in blocks(page, "sh") for line in block.splitlines() if line.strip()]
    assert commands
    for command in commands:
        words = shlex.split(command, comments=True)
        trains = words[:2] == ["onenet", "train"] and "--resume" not in words and "--print" not in words
        quick = [word for word in QUICK if "train.init=" not in command or not word.startswith("model.")]
        run(words + quick if trains else words, cwd=folder)


@pytest.mark.slow
def test_every_line_about_volumes_works(clinic, monkeypatch):
    do_commands(MEDICAL, clinic)
    assert len(list((clinic / "masks").rglob("*.nii.gz"))) >= 3 and list((clinic / "masks").rglob("*.dcm"))
    monkeypatch.chdir(clinic)
    for block in blocks(MEDICAL, "python"):
        exec(compile(block, MEDICAL, "exec"), {})
    assert nibabel.load(clinic / "mask.nii.gz").shape == nibabel.load(clinic / "scan.nii.gz").shape


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_works(page, desk):
    do_commands(page, desk)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_of_the_page_works(page, desk, monkeypatch):
    monkeypatch.chdir(desk)
    for block in blocks(page, "python"):
        given = {"images": torch.rand(2, 3, 33, 48), "masks": torch.zeros(2, 33, 48, dtype=int)}
        exec(compile(block, page, "exec"), given)


@pytest.mark.parametrize("page", [*PAGES, MEDICAL, "docs/many-machines.md", "docs/paper-map.md", "CONTRIBUTING.md"])
def test_what_a_page_links_to_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)\)", text):
        if not target.startswith("https://"):
            assert ((ROOT / page).parent / target).exists(), target


def test_the_files_that_the_map_of_the_paper_names_exist():
    text = (ROOT / "docs/paper-map.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:onenet|tests|docs)/[\w/.-]+\.\w+)`", text)
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
