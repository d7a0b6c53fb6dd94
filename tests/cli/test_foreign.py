"""Commands that take an .onnx file of somebody else, with --classes."""

import json

import onnx
import pytest


@pytest.fixture
def theirs(exported_files, tmp_path):
    """A file of ours without what we write into it."""
    model = onnx.load(exported_files / "e.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "theirs.onnx")
    return tmp_path / "theirs.onnx"


def test_a_foreign_file_is_scored_as_ours_is(onenet_command, theirs, exported_files, photos):
    data = ("--data", f"folder:{photos(count=4, size=(64, 64))}", "--split", "all", "--json")
    ours = json.loads(onenet_command("evaluate", exported_files / "e.onnx", *data).out)
    done = onenet_command("evaluate", theirs, *data, "--classes", "background,thing")
    found = json.loads(done.out)
    assert found["confusion_matrix"] == ours["confusion_matrix"]
    assert "--classes background,... (2 names)" in onenet_command("evaluate", theirs, *data).error


def test_a_foreign_file_is_timed(onenet_command, theirs, exported_files):
    words = ["--runtime", "onnxruntime", "--size", 64, "--threads", 1, "--repeats", 1, "--json", "--classes", "a,b"]
    rows = json.loads(onenet_command("bench", "latency", theirs, exported_files / "e.onnx", *words).out)["rows"]
    assert [row["form"] for row in rows] == ["foreign", "conv"]
    assert all(row["first_mask_seconds"] > 0 for row in rows)


def test_memory_of_a_foreign_file_is_measured(onenet_command, theirs):
    words = ["bench", "memory", theirs, "--sizes", "64", "--json", "--runtime", "onnxruntime"]
    rows = json.loads(onenet_command(*words, "--classes", "a,b").out)
    assert all(row["peak_mb"] > 20 for row in rows)
    refused = onenet_command(*words, "--plot", "memory.png").error
    assert refused == "--plot memory.png: is drawn as SVG; name an .svg file"
