"""`onenet demo`: one command from nothing to masks."""

import json

import pytest

import onenet
from onenet.config import load_config
from onenet.data import open_dataset
from onenet.images import read_mask
from onenet.training.folder import RunFolder

SMALL = ["model.width=8", "model.deepest=8", "model.encoder=3||", "model.decoder=|"]
QUICK = ["train.epochs=1", "data.size=32", "train.device=cpu", *SMALL]


def test_the_demo_trains_scores_on_unseen_images_and_draws_their_masks(onenet_command, tmp_path):
    done = onenet_command("demo", "--out", "here", *QUICK)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "here/report.json").read_text())
    assert report["split"] == "test" and report["images"] == 14
    masks = sorted((tmp_path / "here/masks").glob("*.png"))
    assert len(masks) == 2 * 14  # with an overlay each
    assert set(read_mask(next(path for path in masks if ".overlay" not in path.name)).ravel()) <= {0, 1}
    assert "here/report.html" in done.out and "onenet train --data" in done.out


@pytest.fixture
def earlier(tmp_path):
    """A folder as an earlier demo left it, with a file of the user's."""
    folder = RunFolder(tmp_path / "here")
    folder.begin(load_config("demo"))
    folder.model.write_text("the earlier weights")
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "model.int8.onnx").write_text("of the earlier weights")
    (folder.path / "masks").mkdir()
    for name in (open_dataset(load_config("demo").data).split("test")[0].name, "mine"):
        (folder.path / "masks" / f"{name}.overlay.png").write_text("drawn")
    return folder


def test_the_demo_replaces_its_earlier_run_and_leaves_other_files(onenet_command, earlier, monkeypatch):
    monkeypatch.setattr("onenet.cli.demo.export", lambda folder: None)  # the slow part, see the test above
    assert onenet_command("demo", "--out", "here", *QUICK).code == 0
    assert onenet.load(earlier.model).card.architecture == "onenet-x-s"
    assert (earlier.path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("mistake", ["model.name=onenet-e", "model.widht=4", "data.root=nowhere", "train.epochs=0"])
def test_a_mistake_does_not_cost_the_earlier_run(onenet_command, earlier, mistake):
    assert onenet_command("demo", "--out", "here", *QUICK, mistake).error
    assert earlier.model.read_text() == "the earlier weights"


def test_a_demo_that_is_stopped_leaves_nothing_of_another_model(onenet_command, earlier, monkeypatch):
    def stop(run):
        raise KeyboardInterrupt

    monkeypatch.setattr("onenet.cli.train.train_with_progress", stop)
    stopped = onenet_command("demo", "--out", "here", *QUICK)
    assert stopped.code == 130 and "note: the run in here is replaced" in stopped.err
    assert not list(earlier.path.glob("model.*"))
    assert [file.name for file in (earlier.path / "masks").iterdir()] == ["mine.overlay.png"]


def test_the_demo_does_not_replace_a_run_on_other_data(onenet_command, photos, tiny, tmp_path):
    assert onenet_command("train", "--data", f"folder:{photos()}", *tiny, "--out", "mine").code == 0
    before = (tmp_path / "mine/model.safetensors").read_bytes()
    assert "mine: holds a run on other data" in onenet_command("demo", "--out", "mine", *QUICK).error
    assert (tmp_path / "mine/model.safetensors").read_bytes() == before


def test_a_file_is_no_folder_for_the_demo(onenet_command, tmp_path):
    (tmp_path / "here").write_text("a file")
    assert "here" in onenet_command("demo", "--out", "here", *QUICK).error
