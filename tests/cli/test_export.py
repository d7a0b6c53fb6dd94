import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.errors import FailedCheckError


@pytest.fixture
def model(exported_files, tmp_path):
    (tmp_path / "models").mkdir()
    return shutil.copy(exported_files / "e.safetensors", tmp_path / "models/small.safetensors")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_beside_the_model_and_is_used_like_it(onenet_command, model, tmp_path):
    done = onenet_command("export", model, "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["files"]
    assert row["file"] == "small.onnx" and row["form"] == "conv" and row["images"] >= 8
    assert row["largest_difference"] < 1e-4 and row["equal_pixels"] > 0.999
    assert "packaged" in row["compared_on"] and row["mean_iou"] is None
    assert names(tmp_path / "models") == ["small.onnx", "small.safetensors"]
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)).save(photo)
    for file, out in (("small.onnx", "a"), ("small.safetensors", "b")):
        assert onenet_command("predict", tmp_path / "models" / file, photo, "--out", out).code == 0
    assert np.array_equal(Image.open(tmp_path / "a/photo.png"), Image.open(tmp_path / "b/photo.png"))


def test_int8_and_openvino_with_scores_before_and_after(onenet_command, model, nuclei_parts, tmp_path):
    done = onenet_command(
        "export", model, "--to", "onnx,int8,openvino", "--data", f"folder:{nuclei_parts}", "--max-drop", "100", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert names(tmp_path / "out") == ["small.int8.onnx", "small.int8.openvino", "small.onnx", "small.openvino"]
    assert names(tmp_path / "out/small.openvino") == ["card.json", "description.json", "model.bin", "model.xml"]
    lines = [line for line in done.out.splitlines() if line.startswith("| small")]
    assert len(lines) == 4 and re.search(r"mean IoU over all classes on \d+ val images", done.out)
    assert all(re.fullmatch(r"0\.\d{4}", cell.strip()) for line in lines for cell in line.split("|")[6:8])
    mask = {}
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    for file in ("small.onnx", "small.openvino", "small.int8.onnx", "small.int8.openvino"):
        mask[file] = onenet.Segmenter(tmp_path / "out" / file)(pixels).mask
    assert np.array_equal(mask["small.onnx"], mask["small.openvino"])
    assert (mask["small.int8.onnx"] == mask["small.int8.openvino"]).mean() > 0.98


@pytest.mark.slow
def test_openvino_is_held_to_the_score_of_the_network(onenet_command, model, nuclei_parts, tmp_path, monkeypatch):
    monkeypatch.setattr("onenet.export.files.scored_mean_iou", lambda runner, card, dataset: 0.0)
    done = onenet_command(
        "export", model, "--to", "openvino,int8", "--data", f"folder:{nuclei_parts}", "--max-drop", "1", "--out", "out"
    )
    assert done.code == 1 and "points of mean IoU on" in done.err and "and --max-drop is 1; nothing" in done.err
    assert not list(tmp_path.rglob("*.openvino"))


def test_where_nothing_can_be_written_is_said_before_the_work(onenet_command, model, tmp_path, monkeypatch):
    monkeypatch.setattr("onenet.export.exporting.make_graphs", lambda *_: pytest.fail("it was begun"))
    (tmp_path / "file").write_text("")
    for out in ("file", "file/deeper"):
        done = onenet_command("export", model, "--out", tmp_path / out)
        assert (done.code, done.err) == (
            2, f"error: {tmp_path / 'file'}: is a file, not a folder to write into; choose another one\n"
        )  # fmt: skip


def test_an_exported_file_scores_like_its_model(onenet_command, exported_files, nuclei_parts):
    data = f"folder:{nuclei_parts}"
    reports = [
        json.loads(onenet_command("evaluate", exported_files / file, "--data", data, "--split", "all", "--json").out)
        for file in ("ed.safetensors", "ed.onnx", "ed.flat.onnx")
    ]
    for report in reports[1:]:
        assert report["mean_iou"] == pytest.approx(reports[0]["mean_iou"], abs=1e-4)
        assert report["cross_entropy"] == pytest.approx(reports[0]["cross_entropy"], abs=1e-4)


def test_a_failed_check_leaves_no_file_and_exits_with_one(onenet_command, model, tmp_path, monkeypatch):
    def fails(*_):
        raise FailedCheckError("it is not the network")

    monkeypatch.setattr("onenet.export.exporting.make_graphs", fails)
    done = onenet_command("export", model)
    assert (done.code, done.err) == (1, "error: it is not the network\n")
    assert names(tmp_path / "models") == ["small.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["none", "cover"])
def test_classes_of_scaled_images_are_said_to_have_coarser_outlines(onenet_command, model, tmp_path, fit):
    network = onenet.load(model)
    onenet.save(network, model, network.card.replace(fit=fit, size=(64, 64)))
    assert onenet_command("export", model, "--output", "classes").code == 0
    scored = onenet_command("evaluate", tmp_path / "models/small.onnx", "--data", "folder:samples:nuclei")
    assert ("whose outlines are coarser" in scored.err) == (fit == "cover")


@pytest.mark.slow
def test_classes_are_predicted_and_scored_but_not_probable(onenet_command, model, tmp_path):
    assert onenet_command("export", model, "--output", "classes", "--input", "bytes").code == 0
    file = tmp_path / "models/small.onnx"
    photo = tmp_path / "photo.png"
    Image.new("RGB", (20, 20), (200, 10, 30)).save(photo)
    assert onenet_command("predict", file, photo).code == 0
    decided, sure = (
        onenet_command("evaluate", one, "--data", "folder:samples:nuclei", "--json") for one in (file, model)
    )
    assert "the file gives classes without logits: no cross-entropy" in decided.err
    figures, wanted = json.loads(decided.out), json.loads(sure.out)
    assert figures["mean_iou"] == pytest.approx(wanted["mean_iou"], abs=1e-3)
    assert figures["cross_entropy"] is figures["calibration_error"] is figures["mean_average_precision"] is None
    refused = onenet_command("evaluate", file, "--data", "folder:samples:nuclei", "--authors").error
    assert "gives classes without logits, of which the authors' figures cannot be computed" in refused
    assert "gives classes without" in onenet_command("predict", file, photo, "--save", "probability").error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "onxx"], "--to onxx: did you mean onnx?"),
        (["--to", ","], "--to is empty: choose from onnx, int8, openvino"),
        (["--to", "int8"], "INT8 is calibrated on real images: name them with --data"),
        (["--form", "flat"], "onenet-e-4 has 2D convolutions"),
        (["--input", "jpeg"], "--input jpeg: "),
        (["--data", "folder:nowhere"], "nowhere"),
        (["--to", "int8", "--form", "plain", "--data", "folder:samples:nuclei"], "INT8 is made of"),
    ],
)
def test_what_cannot_be_exported_is_one_line(onenet_command, model, tmp_path, words, says):
    assert says in onenet_command("export", model, *words).error
    assert names(tmp_path / "models") == ["small.safetensors"]


def test_a_foreign_file_cannot_be_exported(onenet_command, exported_files, tmp_path):
    assert "an exported file has no torch weights" in onenet_command("export", exported_files / "e.onnx").error
    (tmp_path / "x.safetensors").write_bytes(b"no")
    assert "x.safetensors" in onenet_command("export", "x.safetensors").error


def test_the_data_of_a_run_are_known(onenet_command, tiny, photos, tmp_path):
    root = photos(count=8, size=(24, 24))
    assert onenet_command("train", "--data", f"folder:{root}", *tiny, "--out", "run").code == 0
    done = onenet_command("export", "run", "--to", "onnx,int8", "--max-drop", "100", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["files"]
    assert [row["file"] for row in rows] == ["model.onnx", "model.int8.onnx"]
    assert {row["compared_on"] for row in rows} == {"parts of 1 test image of photos"}
    assert {(row["scored_on"], row["images_scored"]) for row in rows} == {("val", 1)}
    shutil.rmtree(root)  # without them ONNX can still be checked, on packaged images; INT8 cannot be made
    assert "packaged" in json.loads(onenet_command("export", "run", "--json").out)["files"][0]["compared_on"]
    assert "photos" in onenet_command("export", "run", "--to", "int8").error
