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


@pytest.mark.slow
def test_with_the_deploy_extra_alone_exported_files_are_used_without_torch(
    clone, tmp_path, exported_files, nuclei_parts
):
    run([sys.executable, "-m", "venv", "device"], cwd=tmp_path)
    pip = [tmp_path / "device/bin/pip", "install", "-q", "-c", clone / "constraints.txt", f"{clone}[deploy]"]
    run(pip, cwd=tmp_path)
    onenet, python = tmp_path / "device/bin/onenet", tmp_path / "device/bin/python"
    photo, data = next((nuclei_parts / "images").iterdir()), f"folder:{nuclei_parts}"
    for name in ("ed.onnx", "ed.flat.int8.onnx", "e.int8.onnx"):
        model = exported_files / name
        run([onenet, "predict", model, photo, "--out", name, "--save", "mask,overlay,cutout,probability"], cwd=tmp_path)
        assert len(list((tmp_path / name).iterdir())) == 4
        done = run([onenet, "evaluate", model, "--data", data, "--split", "all", "--json"], cwd=tmp_path)
        assert json.loads(done.stdout)["images"] == 10 and "without scipy" in done.stderr
    code = (
        "import sys, time; begun = time.perf_counter(); import onenet; "
        f"mask = onenet.Segmenter({str(exported_files / 'ed.flat.int8.onnx')!r})({str(photo)!r}).mask; "
        "print(time.perf_counter() - begun, {'torch', 'scipy', 'onnx', 'openvino'} & set(sys.modules))"
    )
    cold = [run([python, "-c", code], cwd=tmp_path).stdout.split(" ", 1) for _ in range(3)]
    assert min(float(seconds) for seconds, _ in cold) < 1.0 and all(rest.strip() == "set()" for _, rest in cold)
    done = run([onenet, "export", exported_files / "e.safetensors"], cwd=tmp_path, code=2)
    assert "onenet-seg[export]" in done.stderr and done.stderr.count("\n") == 1
