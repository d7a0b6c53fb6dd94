"""`onenet train`: a recipe and data in, a folder with a trained model out."""

import re
import shlex
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
        "examples",
    }  # fmt: skip
    line = next(line for line in done.out.splitlines() if line.startswith("onenet-e-4 ("))
    assert all(count in line for count in ("4 train", "1 val", "1 test", "cpu", "32-true"))
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


def test_few_images_are_pointed_to_their_recipe(onenet_command, photos, tiny):
    data = f"folder:{photos(count=8)}"
    note = "note: the recipe few is for up to 50 images: onenet train few --data"
    assert note in onenet_command("train", "--data", data, "--out", "first", *tiny).out
    assert note not in onenet_command("train", "few", "--data", data, "--out", "second", *tiny).out
    assert note not in onenet_command("train", "--data", data, "--out", "third", *tiny, "train.overfit=2").out


def test_a_size_below_the_networks_stride_is_noted(onenet_command, photos, tiny):
    words = ("train", "--data", f"folder:{photos(count=4)}", *tiny, "train.batch=2")
    assert (
        "data.size=[3, 9] is below the network's stride of 4"
        in onenet_command(*words, "data.size=[3,9]", "--out", "first").out
    )
    assert "stride" not in onenet_command(*words, "data.size=4", "--out", "second").out


def test_the_commands_that_are_advised_carry_the_settings_of_the_data(onenet_command, photos, tiny, tmp_path):
    data = f"folder:{photos(count=8, values=(4, 9))},class_values=[4,9]"
    done = onenet_command("train", "--data", data, "--out", "my run", *tiny)
    few = next(line for line in done.out.splitlines() if "train few" in line).partition("onenet ")[2]
    assert shlex.split(few)[:3] == ["train", "few", "--data"]
    assert onenet_command("data", "check", shlex.split(few)[3]).code == 0
    score = done.out.splitlines()[-1].partition("onenet ")[2].partition("   (")[0]
    assert onenet_command(*shlex.split(score)).code == 0


def test_without_test_images_no_score_of_them_is_advised(onenet_command, photos, tiny):
    done = onenet_command("train", "--data", f"folder:{photos(count=4)},test=0", "--out", "run", *tiny)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("next    onenet predict run/model.safetensors")


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
        (["few", "folder:../photos"], "folder:../photos: data follow --data: --data folder:../photos"),
        (["few", "--dat", "demo"], "(see onenet train --help)"),
        (
            [],
            "data.root is empty: say where the images are, with --data folder:PATH or",
        ),
    ],
)
def test_words_that_contradict_each_other_are_refused(onenet_command, tmp_path, words, complaint):
    assert complaint in onenet_command("train", *words).error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_a_run_is_not_overwritten(train, tmp_path):
    assert train("--out", "run", "train.epochs=1").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert "run: holds a run already" in train("--out", "run").error
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_without_a_terminal_a_run_that_is_rarely_validated_still_says_how_far_it_is(train):
    done = train("--out", "run", "train.epochs=40", "train.validate_every=40")
    assert done.code == 0, done.err
    told = [line for line in done.out.splitlines() if line.startswith("epoch ")]
    assert len(told) == 10 and told[0].startswith("epoch 4/40  loss ") and "val IoU" in told[-1]


def test_the_end_says_where_the_time_went_and_what_would_help(train, monkeypatch):
    from onenet.data.loader import TrainingBatches

    done = train("--out", "quick")
    (line,) = [line for line in done.out.splitlines() if line.startswith("time    ")]
    assert re.fullmatch(
        r"time    [\d.]+ s training at [\d.e+]+ images/s, [\d.]+ s validating; waited for images \d+ % of the time"
        r"(, and read them beside it for \d+ %)?(; (train.workers=2 or )?data.cache=memory may help)?",
        line,
    )
    passes = TrainingBatches.__iter__

    def slow(self):
        yield from passes(self)
        self.waited = 1e9

    monkeypatch.setattr(TrainingBatches, "__iter__", slow)
    done = train("--out", "slow")
    assert re.search(r"images 100 % of the time(, .* \d+ %)?; train.workers=2 or data.cache=memory may help", done.out)
    done = train("--out", "slow-cached", "data.cache=memory", "train.workers=1")
    assert "100 % of the time; train.workers=2 may help" in done.out

    def busy(self):
        yield from passes(self)
        self.waited, self.beside = 0.0, 1e9

    monkeypatch.setattr(TrainingBatches, "__iter__", busy)
    told = re.compile(
        r"waited for images 0 % of the time, and read them beside it for \d+ %(; data.cache=memory may help)?"
    )
    assert told.search(train("--out", "busy").out)[1]
    assert not told.search(train("--out", "busy-cached", "data.cache=memory").out)[1]


def test_the_shares_of_the_classes_are_told_where_the_loss_is_balanced(train):
    done = train("--out", "run", "loss.balance=inverse")
    assert re.search(
        r"note: pixels of the training masks, and weights by loss.balance=inverse: "
        r"background [\d.]+ % \(weight [\d.]+\), class 1 [\d.]+ % \(weight [\d.]+\)\n",
        done.out,
    )


def test_one_line_warns_where_one_class_alone_is_predicted(train, monkeypatch):
    from onenet.training import run

    monkeypatch.setattr(run, "one_class_only", lambda report: "only background is predicted; try this")
    for terminal in (False, True):
        monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda console, there=terminal: there))
        done = train("--out", f"run-{terminal}", "train.epochs=3")
        assert done.out.count("warning: after epoch 1 only background is predicted; try this") == 1
        assert done.out.count("warning:") == 1


def test_an_early_stop_is_told_and_a_resumed_run_says_so_again(train, onenet_command, monkeypatch):
    from onenet.training import run

    monkeypatch.setattr(run, "rank_of", Once(iter([0.5, 0.4, 0.3, 0.9])))
    done = train("--out", "run", "train.epochs=9", "train.patience=2")
    assert "stopped early after epoch 3: 2 validations without a better score" in done.out
    again = onenet_command("train", "--resume", "--out", "run")
    assert again.code == 0
    assert "note: the run stopped early after epoch 3 (train.patience=2)" in again.out


class Once:
    """The next of some scores for each new report."""

    def __init__(self, scores):
        self.scores, self.seen = scores, {}

    def __call__(self, report):
        if id(report) not in self.seen:
            self.seen[id(report)] = report, (1, next(self.scores))
        return self.seen[id(report)][1]


def test_unreadable_images_are_named_at_the_end_where_they_may_be_left_out(onenet_command, photos, tiny):
    root = photos(count=8)
    (root / "images" / "photo1.png").write_bytes(b"no image")
    words = ["--data", f"folder:{root},skip_unreadable=true", *tiny, "train.epochs=1", "--out", "run"]
    done = onenet_command("train", *words)
    assert done.code == 0, done.err
    assert "note: left out: 1 image that cannot be read: photo1 (" in done.out
    assert "\nleft out 1 image that cannot be read: photo1 (" in done.out


def test_overfit_scores_the_images_that_it_trains_on(train):
    done = train("--out", "run", "train.overfit=2")
    assert done.code == 0, done.err
    assert "note: train.overfit=2: trains and validates on the same images" in done.out
    assert "2 images of photos (the training images of train.overfit), split val" in done.out


def test_a_changed_recipe_or_changed_data_is_one_line(train, onenet_command, tmp_path):
    assert train("--out", "run", "train.epochs=1").code == 0
    recipe = tmp_path / "run" / "config.toml"
    good = recipe.read_text()
    changed = good.replace("learning_rate = 0.001", "learning_rate = 0.1")
    recipe.write_text(changed.replace("workers = 0", "workers = 1"))
    assert "train.learning_rate 0.001 -> 0.1; put it back" in onenet_command("train", "--resume", "--out", "run").error
    recipe.write_text(good)
    for kind in ("images", "masks"):
        (tmp_path / "photos" / kind / "photo0.png").unlink()
    assert "photo0" in onenet_command("train", "--resume", "--out", "run").error


def test_the_other_processes_end_silently_where_they_would_repeat_the_first(onenet_command, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    done = onenet_command("train", "--data", "folder:nowhere")
    assert (done.code, done.out, done.err) == (0, "", "")
    monkeypatch.setenv("RANK", "0")
    assert "nowhere" in onenet_command("train", "--data", "folder:nowhere").error


@pytest.mark.parametrize(
    ("error", "code"), [("LostProcessError", 2), ("TooLittleMemoryError", None), ("KeyboardInterrupt", 0)]
)
def test_what_happens_to_another_process_alone_is_its_to_say(monkeypatch, error, code):
    from onenet.cli.train import first_process_speaks
    from onenet.training.distributed import LostProcessError
    from onenet.training.memory import TooLittleMemoryError

    kinds = {"LostProcessError": LostProcessError, "TooLittleMemoryError": TooLittleMemoryError}
    kind = kinds.get(error, KeyboardInterrupt)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit if code is not None else kind) as stop, first_process_speaks():
        raise kind("here alone")
    if code is not None:
        assert stop.value.code == code
