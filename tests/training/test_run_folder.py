"""The folder of a run: what is in it is complete, and what else is in it is left alone."""

import json

import pytest

from onenet.config import load_config
from onenet.errors import ConfigError, DataError
from onenet.training.folder import FILES, RunFolder, environment, next_folder

CONFIG = load_config("default", ["data.root=photos"])


def test_it_begins_with_the_configuration_and_the_environment(tmp_path):
    folder = RunFolder(tmp_path / "runs/mine")
    folder.begin(CONFIG)
    assert folder.config() == CONFIG
    found = json.loads((folder.path / "environment.json").read_text())
    assert {"onenet", "python", "torch", "platform", "cpus"} <= set(found)


def test_the_environment_names_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("USER", "a-private-name")
    monkeypatch.setenv("HOME", "/home/a-private-name")
    assert "a-private-name" not in json.dumps(environment())


@pytest.mark.parametrize("name", FILES)
def test_a_folder_with_any_file_of_a_run_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"holds a run already \({name}\); choose another --out"):
        RunFolder(tmp_path).begin(CONFIG)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


@pytest.mark.parametrize(("made", "why"), [("photo.JPG", r"holds images \(photo\.JPG\)"),
                                           ("sub/images/photo.png", "holds folders of images")])  # fmt: skip
def test_a_folder_of_photos_is_refused_and_left_as_it_is(tmp_path, made, why):
    (tmp_path / made).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / made).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=rf"{why}, so it is no place for a run; choose another --out"):
        RunFolder(tmp_path).begin(CONFIG)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_other_files_is_used(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).begin(CONFIG)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "mine").write_text("a file")
    with pytest.raises(ConfigError, match="mine: is a file, not a folder"):
        RunFolder(tmp_path / "mine").begin(CONFIG)


def test_the_log_is_read_as_it_was_written(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_log() == []
    nan = float("nan")
    row = {"epoch": 1.0, "train_loss": 0.5, "learning_rate": 1e-3, "val_mean_iou": nan, "val_foreground_iou": nan,
           "val_cross_entropy": 0.25, "seconds": 1.5, "validation_seconds": 0.5, "images_per_second": 20.0,
           "waiting": 0.25, "skipped": 1.0}  # fmt: skip
    folder.write_log([row])
    (found,) = folder.read_log()
    assert str(found) == str(row)  # nan is not equal to itself


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run to resume \(it has no config\.toml\)"):
        RunFolder(tmp_path).config()


def test_before_the_first_epoch_there_is_no_state(tmp_path):
    assert RunFolder(tmp_path).read_state() is None


def test_a_state_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Harmful:
        def __reduce__(self):
            return (tmp_path.joinpath("harm-was-done").touch, ())

    (tmp_path / "last.ckpt").write_bytes(pickle.dumps({"model": Harmful()}))
    with pytest.raises(DataError, match=r"last\.ckpt: cannot be read"):
        RunFolder(tmp_path).read_state()
    assert not (tmp_path / "harm-was-done").exists()


def test_folders_are_numbered_after_their_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert next_folder("demo").as_posix() == "runs/demo-1"
    (tmp_path / "runs/demo-1").mkdir(parents=True)
    assert next_folder("demo").as_posix() == "runs/demo-2"
    assert next_folder("default").as_posix() == "runs/default-1"


def test_an_earlier_run_is_removed_with_its_pictures_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(CONFIG)
    (folder.path / "examples").mkdir()
    for name in ("model.safetensors", "notes.txt", "examples/epoch-0099.jpg", "examples/mine.jpg"):
        (folder.path / name).write_text("old")
    folder.clear_earlier(CONFIG)
    left = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    assert left == {"notes.txt", "examples/mine.jpg"}


def test_an_earlier_run_is_replaced_whatever_picture_was_put_beside_it(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(CONFIG)
    (tmp_path / "screenshot.png").write_text("mine")
    folder.begin(CONFIG, replaced=folder.clear_earlier(CONFIG))
    assert folder.config() == CONFIG and (tmp_path / "screenshot.png").read_text() == "mine"
    assert RunFolder(tmp_path / "other").clear_earlier(CONFIG) is False
