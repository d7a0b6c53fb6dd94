"""`onenet train`: a recipe and data in, a folder with a trained model out."""

import tomllib

import pytest

import onenet
from onenet.config import load_config


@pytest.fixture
def train(onenet_command, photos, tiny):
    """`train("--out", "run")` trains on six tiny photos."""

    def run(*words):
        return onenet_command("train", "--data", f"folder:{photos()}", *tiny, *words)

    return run


def test_print_shows_every_key_and_trains_nothing(onenet_command, tmp_path):
    done = onenet_command("train", "demo", "train.epochs=7", "--print")
    assert done.code == 0
    shown = tomllib.loads(done.out)
    assert shown["train"]["epochs"] == 7 and shown["data"]["root"] == "samples:nuclei"
    (tmp_path / "again.toml").write_text(done.out)
    assert load_config(str(tmp_path / "again.toml")) == load_config("demo", ["train.epochs=7"])
    assert [path.name for path in tmp_path.iterdir()] == ["again.toml"]


def test_a_run_leaves_its_folder_and_prints_scores_and_what_to_do_next(train, tmp_path):
    done = train("--out", "run")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.toml", "environment.json", "log.csv", "model.safetensors", "last.ckpt", "report.json", "report.html",
    }  # fmt: skip
    assert done.out.startswith("onenet-e-4 (")
    assert all(count in done.out.splitlines()[0] for count in ("4 train", "1 val", "1 test", "cpu", "32-true"))
    assert "epoch 2/2  loss " in done.out
    assert "| class 1 |" in done.out
    assert "onenet predict run/model.safetensors" in done.out
    assert onenet.load("run").card.size == (16, 16)


def test_in_a_terminal_a_bar_shows_the_time_left_and_the_validation_score(train, monkeypatch):
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda console: True))
    done = train("--out", "run")
    assert done.code == 0, done.err
    assert "epoch 2/2  loss " in done.out and "val IoU " in done.out and "left" in done.out


def test_without_a_folder_runs_are_numbered(train, tmp_path):
    train(), train()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["default-1", "default-2"]


def test_data_may_be_a_recipe_or_carry_keys(onenet_command, photos):
    shown = tomllib.loads(onenet_command("train", "--data", "demo", "--print").out)
    assert shown["data"]["root"] == "samples:nuclei"
    shown = tomllib.loads(onenet_command("train", "--data", f"folder:{photos()},val=0.5", "--print").out)
    assert shown["data"]["val"] == 0.5


def test_a_folder_named_like_a_number_is_a_folder(onenet_command):
    shown = tomllib.loads(onenet_command("train", "--data", "folder:2024", "--print").out)
    assert shown["data"]["root"] == "2024"


def test_masks_of_0_and_255_are_noted(onenet_command, photos, tiny):
    root = photos(values=(0, 255))
    done = onenet_command("train", "--data", f"folder:{root}", *tiny, "train.epochs=1")
    assert done.code == 0
    assert "note: masks hold 0 and 255" in done.out


def test_an_interrupted_run_is_resumed_from_its_folder_alone(train, onenet_command, tmp_path, monkeypatch):
    from onenet.training.run import Run

    whole = train("--out", "whole", "train.epochs=3")
    assert whole.code == 0
    epochs = Run.epochs

    def one_epoch(self, on_step):
        yield next(epochs(self, on_step))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "epochs", one_epoch)
        assert train("--out", "halves", "train.epochs=3").code == 130
    done = onenet_command("train", "--resume", "--out", "halves")
    assert done.code == 0, done.err
    assert "epoch 3/3" in done.out and "epoch 1/3" not in done.out
    assert (tmp_path / "halves/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--resume"], "give its folder with --out"),
        (["--resume", "--out", "gone"], "gone: holds no run to resume"),
        (["--resume", "--out", "gone", "train.epochs=5"], "as it was begun"),
        (["--resume", "--out", "gone", "--data", "demo"], "as it was begun"),
        (["demo", "default"], "one recipe at a time, not demo and default"),
        ([], "data.root is empty: say where the images are, for example data.root=PATH or --data folder:PATH"),
    ],
)
def test_words_that_contradict_each_other_are_refused(onenet_command, tmp_path, words, complaint):
    assert complaint in onenet_command("train", *words).error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_a_run_is_not_overwritten(train, tmp_path):
    assert train("--out", "run", "train.epochs=1").code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert "run: holds a run already" in train("--out", "run").error
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
