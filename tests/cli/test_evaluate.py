"""`onenet evaluate`: a model and images with masks in, scores out."""

import json
import re

import pytest

import onenet
from onenet.config import parse_spec
from onenet.errors import ConfigError
from onenet.scoring import evaluate


@pytest.fixture
def score(onenet_command, tiny_model, photos):
    root = photos(count=8)

    def run(*words):
        return onenet_command("evaluate", tiny_model, "--data", f"folder:{root}", *words)

    return run


def test_the_table_has_a_row_per_class(score):
    done = score()
    assert done.code == 0
    assert "| background |" in done.out and "| class 1 |" in done.out and "split test" in done.out


def test_json_is_the_report(score, tiny_model, tmp_path):
    found = json.loads(score("--json", "--split", "all").out)
    expected = evaluate(tiny_model, parse_spec(f"folder:{tmp_path / 'photos'}"), "all").report
    assert found == expected.to_dict() | {"runtime": "torch"}
    assert found["images"] == 8


def test_a_report_can_be_written_beside(score, tmp_path):
    done = score("--report", "scores", "--json")
    assert json.loads(done.out) == json.loads((tmp_path / "scores/report.json").read_text())
    assert "<html" in (tmp_path / "scores/report.html").read_text()
    assert "scores/report.html" in score("--report", "scores").out


def test_notes_do_not_disturb_the_json(onenet_command, tiny_model, photos):
    done = onenet_command("evaluate", tiny_model, "--data", f"folder:{photos(values=(0, 255))}", "--json")
    assert json.loads(done.out)["images"] == 1
    assert "note: masks hold 0 and 255" in done.err.splitlines()[0]


def test_the_folder_of_a_run_is_a_model(onenet_command, photos, tiny):
    root = photos()
    assert onenet_command("train", "--data", f"folder:{root}", *tiny, "--out", "run").code == 0
    named = onenet_command("evaluate", "run", "--data", f"folder:{root}")
    assert named.code == 0 and "split test" in named.out
    for model in ("run", "run/model.safetensors"):
        alone = onenet_command("evaluate", model)
        assert alone.out == named.out
        assert "note: the data are those of the run, as run/config.toml says" in alone.err
    root.rename(root.with_name("moved"))
    lost = onenet_command("evaluate", "run").error
    assert lost.endswith("(the data of the run, as run/config.toml says; name others with --data)")
    assert onenet_command("export", "run", "--to", "int8").error == lost


def test_the_file_of_a_run_is_scored_on_its_images_by_the_runtime_that_the_report_names(
    onenet_command, photos, tiny, tmp_path
):
    assert onenet_command("train", "--data", f"folder:{photos(count=8)}", *tiny, "--out", "run").code == 0
    assert onenet_command("export", "run").code == 0
    file = tmp_path / "run/model.onnx"
    done = onenet_command("evaluate", file, "--runtime", "openvino", "--threads", "1", "--report", "report")
    assert "the data are those of the run" in done.err and "\ncomputed by openvino\n" in done.out
    assert json.loads((tmp_path / "report/report.json").read_text())["runtime"] == "openvino"
    assert re.search(r"computed by\W.*openvino", (tmp_path / "report/report.html").read_text())
    assert onenet.evaluate(file, runtime="onnxruntime", threads=1).segmenter.runtime == "onnxruntime"
    with pytest.raises(ConfigError, match="threads=0"):
        onenet.evaluate(file, threads=0)


def test_without_a_run_the_data_are_asked_for(onenet_command, tiny_model, photos, tmp_path):
    photos()
    for model in (tiny_model, "nuclei"):
        found = onenet_command("evaluate", model).error
        assert "has no config.toml of a run beside it; say what to score on with --data FORMAT:PATH" in found
    assert "gone: no such" in onenet_command("evaluate", "gone").error
    assert "photos: holds no model.safetensors" in onenet_command("evaluate", "photos").error


def test_another_programs_config_is_not_that_of_a_run(onenet_command, tiny_model, tmp_path):
    for folder in ("mine", "mine/inner"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine/config.toml").write_text("[project]\nname = 'site'\n")
    for name in ("mine/other.safetensors", "mine/model.safetensors", "mine/inner/model.safetensors"):
        (tmp_path / name).write_bytes(tiny_model.read_bytes())
    for model in ("mine/other.safetensors", "mine/inner", "mine/inner/model.safetensors"):
        assert "has no config.toml of a run beside it" in onenet_command("evaluate", model).error
    assert "mine/config.toml: unknown table [project]" in onenet_command("evaluate", "mine").error


def test_what_is_chosen_on_validation_cases_is_not_begun_for_an_exported_runtime(onenet_command, tiny_model):
    done = onenet_command("evaluate", tiny_model, "--postprocess", "auto", "--runtime", "onnxruntime", "--data", "demo")
    assert "--postprocess auto: computes in torch; leave --runtime onnxruntime out" in done.error


def test_a_runtime_can_be_chosen(onenet_command, tiny_model, photos, monkeypatch):
    import onenet.deploy.opening as opening

    opened, open_session = [], opening.open_session
    monkeypatch.setattr(
        opening,
        "open_session",
        lambda path, name, *rest, **more: opened.append(name) or open_session(path, name, *rest, **more),
    )
    data = ("--data", f"folder:{photos(count=8)}")
    assert onenet_command("export", tiny_model, "--out", ".").code == 0
    file = f"{tiny_model.stem}.onnx"
    names = ("onnxruntime", "openvino")
    tables = [onenet_command("evaluate", file, *data, "--runtime", name).out for name in names]
    ours, theirs = (table.split("\ncomputed by ") for table in tables)
    assert opened == [ours[1].strip(), theirs[1].strip()] == list(names)
    assert "| class 1 |" in ours[0] and ours[0] == theirs[0]
    assert "torch does not run" in onenet_command("evaluate", file, *data, "--runtime", "torch").error
    assert "threads=0" in onenet_command("evaluate", file, *data, "--threads", "0").error


@pytest.fixture
def stubborn(tmp_path):
    """A model that sees class 1 everywhere."""
    import torch

    import onenet

    network = onenet.create_model("onenet-e-4", width=4, depth=2, stem_repeat=1)
    with torch.no_grad():
        *_, head = [p for p in network.parameters() if p.shape == (2,)]
        head[:] = torch.tensor([-1e4, 1e4])
    onenet.save(network, tmp_path / "stubborn.safetensors")
    return tmp_path / "stubborn.safetensors"


def test_a_hint_says_why_a_score_is_low(onenet_command, stubborn, photos):
    done = onenet_command("evaluate", stubborn, "--data", f"folder:{photos()}", "--json")
    assert done.code == 0
    assert done.err.startswith("hint: every pixel is predicted as class 1")
    assert json.loads(done.out)["classes"][0]["iou"] == 0


def test_the_authors_figures_are_an_option_and_labelled(score):
    assert "authors'" not in score().out
    done = score("--authors")
    assert "authors' mIOU" in done.out and "They are not IoU, Dice or average precision" in done.out
    found = json.loads(score("--authors", "--json").out)["authors"]
    assert len(found) == 6 and all(name.startswith("authors' ") for name in found)


def test_a_tolerance_in_millimetres_is_for_volumes(score):
    done = score("--tolerance", "1.5")
    assert done.code == 2
    assert "tolerance=1.5: is for volumes, but the data are images; leave it out" in done.err
