import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.deploy.runtime import installed
from onenet.errors import FailedCheckError, OneNetError
from onenet.export import programs
from onenet.export.files import write_folders
from onenet.export.programs import make_programs

needed = pytest.mark.skipif(
    not installed("executorch"), reason="in an environment of its own: test_phone_environment.py"
)


@pytest.mark.parametrize("words", [("--form", "plain"), ("--input", "bytes"), ("--output", "classes")])
@pytest.mark.parametrize("kind", ["executorch", "coreml"])
def test_what_cannot_be_is_refused(onenet_command, exported_files, monkeypatch, kind, words):
    monkeypatch.setattr("onenet.deploy.runtime.installed", lambda name: True)
    done = onenet_command("export", exported_files / "e.safetensors", "--to", kind, *words, "--out", "o")
    assert done.error == f"--to {kind} cannot be had with {' '.join(words)}; leave it out"


def test_without_it_its_extra_is_named_and_nothing_is_written(onenet_command, exported_files, tmp_path, monkeypatch):
    for kind, package in (("executorch", "executorch"), ("coreml", "coremltools")):
        monkeypatch.setattr("onenet.deploy.runtime.installed", lambda name, missing=package: name != missing)
        done = onenet_command("export", exported_files / "e.safetensors", "--to", f"onnx,{kind}", "--out", "o")
        assert done.error == f"this needs {package}, which is not installed: pip install 'onenet-seg[{kind}]'"
    assert not (tmp_path / "o").exists()


def floats(exports):
    return [made for made in exports.graphs.values() if made.description.precision == "float"]


@needed
@pytest.mark.parametrize("family", ["flat", "conv"])
def test_there_is_a_program_of_each_graph_and_each_is_compared(family, request):
    exports = request.getfixturevalue(family)
    made = {one.made.suffix: one for one in make_programs(exports.network, list(exports.graphs.values()),
                                                          exports.dataset, max_drop=100.0)}  # fmt: skip
    assert made.keys() == exports.graphs.keys()
    for suffix, one in made.items():
        parity, description = one.made.parity, one.made.description
        assert parity.images >= 8 and parity.sizes[0] < parity.sizes[1] and description.kept_float == ()
        assert description.form == ("flat" if ".flat" in suffix else "conv")
        if ".int8" in suffix:
            assert parity.equal > 0.9 and one.made.score is not None and one.made.speed > 0
            assert one.made.score_before == exports.graphs[suffix].score_before
        else:
            assert parity.failure() is None and parity.largest < 1e-5 and one.made.score is None


@needed
def test_a_single_wrong_weight_is_caught(conv, monkeypatch):
    real = programs.program_form

    def mistaken(network, description):
        form = real(network, description)
        next(form.parameters()).data.view(-1)[0] += 0.5
        return form

    monkeypatch.setattr(programs, "program_form", mistaken)
    with pytest.raises(FailedCheckError, match=r"onenet-e-4\.executorch is not the network: .*; nothing was written"):
        make_programs(conv.network, floats(conv), None, max_drop=0.5)


@needed
def test_int8_that_loses_too_much_is_refused_as_in_onnx(conv, monkeypatch):
    monkeypatch.setattr(programs, "scored_mean_iou", lambda runner, card, dataset: 0.0)
    with pytest.raises(FailedCheckError, match=r"INT8 loses .* points of mean IoU on \d+ val images of .*--max-drop"):
        make_programs(conv.network, [conv.graphs[".int8"]], conv.dataset, max_drop=0.5)


@needed
def test_a_full_disk_leaves_what_was_there(conv, tmp_path, monkeypatch):
    made = make_programs(conv.network, floats(conv), None, max_drop=0.5)
    ((target, _),) = write_folders(made, tmp_path, "small")
    before = (target / "model.pte").read_bytes()
    write_folders(made, tmp_path, "small")  # in the place of the first

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OneNetError, match=r"small\.executorch: cannot be written"):
        write_folders(made, tmp_path, "small")
    assert [path.name for path in tmp_path.iterdir()] == ["small.executorch"]
    assert (target / "model.pte").read_bytes() == before


@needed
def test_the_command_writes_folders_that_predict_and_evaluate_take(
    onenet_command, exported_files, nuclei_parts, tmp_path
):
    shutil.copy(exported_files / "e.safetensors", tmp_path / "small.safetensors")
    data = f"folder:{nuclei_parts}"
    words = ["--to", "onnx,int8,executorch", "--data", data, "--max-drop", "100", "--json"]
    done = onenet_command("export", "small.safetensors", *words)
    assert done.code == 0, done.err
    rows = json.loads(done.out)["files"]
    assert [row["file"] for row in rows][2:] == ["small.executorch", "small.int8.executorch"]
    assert all(row["mean_iou_before"] is not None and row["mean_iou"] is not None for row in rows[3:])
    folder = tmp_path / "small.executorch"
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "description.json", "model.pte"]
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)).save(photo)
    masks = [onenet.Segmenter(tmp_path / f"small{end}")(photo).mask
             for end in (".safetensors", ".executorch", ".int8.executorch")]  # fmt: skip
    assert np.array_equal(masks[0], masks[1]) and (masks[0] == masks[2]).mean() > 0.95
    assert onenet_command("predict", folder, photo, "--out", "a").code == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a/photo.png")), masks[0])
    reports = [json.loads(onenet_command("evaluate", file, "--data", data, "--split", "all", "--json").out)
               for file in ("small.safetensors", folder)]  # fmt: skip
    assert reports[0]["mean_iou"] == pytest.approx(reports[1]["mean_iou"], abs=1e-4)


@needed
def test_a_failed_check_leaves_no_file_and_exits_with_one(onenet_command, exported_files, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise FailedCheckError("it is not the network")

    monkeypatch.setattr(programs, "make_programs", fails)
    done = onenet_command("export", exported_files / "e.safetensors", "--to", "onnx,executorch", "--out", "o")
    assert done.code == 1 and done.err.endswith("error: it is not the network\n")
    assert not (tmp_path / "o").exists()
