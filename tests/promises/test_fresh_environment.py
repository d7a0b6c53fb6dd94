"""What a stranger gets: a clone with nothing set up, and an installation without torch."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(words, cwd, code=0):
    clean = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")}
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == code, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


@pytest.fixture
def clone(tmp_path):
    run(["git", "clone", "--quiet", str(ROOT), "clone"], cwd=tmp_path)
    return tmp_path / "clone"


@pytest.mark.slow
def test_make_demo_in_a_fresh_clone_shows_masks_in_minutes(clone):
    run(["make", "setup"], cwd=clone)
    started = time.monotonic()
    done = run(["make", "demo"], cwd=clone)
    assert time.monotonic() - started < 300
    assert "runs/demo/report.html" in done.stdout
    report = json.loads((clone / "runs/demo/report.json").read_text())
    assert report["split"] == "test"
    assert report["foreground_iou"] > 0.70
    assert len(list((clone / "runs/demo/masks").glob("*.overlay.png"))) == report["images"]


@pytest.mark.slow
def test_without_torch_help_works_and_the_missing_extra_is_named(clone, tmp_path):
    run([sys.executable, "-m", "venv", "bare"], cwd=tmp_path)
    run([tmp_path / "bare/bin/pip", "install", "-q", "-c", clone / "constraints.txt", str(clone)], cwd=tmp_path)
    onenet = tmp_path / "bare/bin/onenet"
    assert "predict" in run([onenet, "--help"], cwd=tmp_path).stdout
    assert "demo" in run([onenet, "list", "recipes"], cwd=tmp_path).stdout
    for words in (["train", "demo"], ["demo"], ["list", "models"], ["predict", "model.safetensors", "photo.jpg"]):
        done = run([onenet, *words], cwd=tmp_path, code=2)
        assert "onenet-seg[train]" in done.stderr
        assert done.stderr.count("\n") == 1
