"""A run that is resumed: as it was begun, or one line says what has changed."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from PIL import Image
from runs_compared import contents, files, same_bits, same_runs, train

from onenet.config import load_config
from onenet.errors import ConfigError, DataError
from onenet.training.changes import data_of
from onenet.training.folder import RunFolder
from onenet.training.run import Run


@pytest.fixture
def begin(tmp_path, tiny, photos):
    """`begin("a", epochs=3)` is a run on eight photos, half of them JPEG, ready in the folder tmp_path/a."""
    root = tmp_path / "photos"

    def start(name="run", *changes, epochs=4, resume=False):
        if not root.exists():
            photos(count=8)
            for path in sorted((root / "images").iterdir())[:4]:
                Image.open(path).save(path.with_suffix(".jpg"))
                path.unlink()
        config = load_config("default", [*tiny, f"data.root={root}", f"train.epochs={epochs}", *changes])
        return Run(config, RunFolder(tmp_path / name), resume=resume)

    return start


ALL_OF_IT = [
    "train.accumulate=2", "train.clip=0.5", "train.batch=2", "loss.auxiliary=0.4", "loss.balance=enet", "train.ema=0.9",
    "train.schedule=poly", "train.patience=9", "train.validate_every=2",
]  # fmt: skip


def with_chance(run):
    """Let the network draw from torch, NumPy and Python in training, as dropout would."""
    import random

    def hook(module, inputs):
        if module.training:
            noise = 1 + 0.1 * (torch.rand(()) + float(np.random.random()) + random.random())
            return (inputs[0] * noise,)
        return None

    run.network.head.register_forward_pre_hook(hook)
    return run


def test_everything_that_can_be_switched_on_is_resumed_to_the_bit(begin, monkeypatch):
    # Beartype, which checks types in tests alone, draws from Python's random numbers, as the network does here: in a
    # thread that reads beside it, it would do so at any time.
    monkeypatch.setattr("onenet.data.loader.threads_sleep", lambda: False)
    whole = with_chance(begin("whole", *ALL_OF_IT, epochs=6))
    train(whole)
    train(with_chance(begin("halves", *ALL_OF_IT, epochs=6)), epochs=3)
    np.random.random(), torch.rand(3)  # chance of others must not matter
    resumed = with_chance(begin("halves", *ALL_OF_IT, epochs=6, resume=True))
    train(resumed)
    assert same_runs(resumed, whole)


def test_a_scaler_is_kept_with_the_rest(begin, monkeypatch):
    """Of 16-bit precision, which no CPU has."""
    scale = {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3}
    run = begin()
    monkeypatch.setattr(run.fabric.strategy.precision, "state_dict", lambda: scale)
    train(run, epochs=1)
    resumed, loaded = begin("other"), []
    monkeypatch.setattr(resumed.fabric.strategy.precision, "load_state_dict", loaded.append)
    resumed.learner.restore(run.folder.read_state())
    assert loaded == [scale]


# --- stopped early


def test_a_run_stops_after_so_many_validations_without_a_better_score(begin, monkeypatch):
    from onenet.training import run as module

    script = {1: 0.2, 2: 0.5, 3: 0.4, 4: 0.5, 5: 0.6, 6: 0.7}
    epoch = []
    monkeypatch.setattr(module, "rank_of", lambda report: (1, script[epoch[-1]]))
    validate = Run._validate

    def watched(self, number):
        epoch.append(number)
        return validate(self, number)

    monkeypatch.setattr(Run, "_validate", watched)
    run = begin("run", "train.patience=2", epochs=6)
    assert [one.trained.number for one in train(run)] == [1, 2, 3, 4]
    assert run.stopped_early and run.is_finished
    resumed = begin("run", "train.patience=2", epochs=6, resume=True)
    assert resumed.stopped_early and train(resumed) == [] and resumed.best == (1, 0.5)
    longer = begin("other", "train.patience=2", epochs=6)
    train(longer, epochs=3)
    assert longer.stale == 1
    again = begin("other", "train.patience=2", epochs=6, resume=True)  # the count goes on
    assert again.stale == 1 and [one.trained.number for one in train(again)] == [4]


# --- changed


def refusal_of(kind, make):
    with pytest.raises(kind) as refusal:
        make()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_changed_recipe_is_refused_with_the_keys_that_changed(begin):
    run = begin()
    train(run, epochs=1)
    before = contents(run.folder.path)
    changes = ["train.learning_rate=0.5", "model.width=8", "train.workers=1"]
    said = refusal_of(ConfigError, lambda: begin("run", *changes, resume=True))
    assert "model.width 4 -> 8, train.learning_rate 0.001 -> 0.5; put it back" in said and "workers" not in said
    assert contents(run.folder.path) == before


def test_keys_of_the_machine_may_change_and_are_kept(begin):
    train(begin(), epochs=1)
    resumed = begin("run", "train.workers=1", "data.cache=memory", "train.examples=0", resume=True)
    train(resumed, epochs=1)
    state = resumed.folder.read_state()["config"]
    assert (state["train"]["workers"], state["data"]["cache"]) == (1, "memory")


def test_changed_data_is_refused_with_the_images_that_changed(begin, tmp_path):
    run = begin()
    train(run, epochs=1)
    new, old = "photo9", run.dataset.items["train"][0]
    for kind in ("images", "masks"):
        Image.new("L" if kind == "masks" else "RGB", (20, 24)).save(tmp_path / "photos" / kind / f"{new}.png")
    said = refusal_of(DataError, lambda: begin(resume=True))
    assert "the data has changed since the run was begun" in said and new in said
    for kind in ("images", "masks"):
        (tmp_path / "photos" / kind / f"{new}.png").unlink()
    old.mask.write_bytes(old.mask.read_bytes() + b" ")
    assert f"train: 1 image changed ({old.name})" in refusal_of(DataError, lambda: begin(resume=True))


def test_data_that_moved_as_a_whole_is_the_same_data(begin, tmp_path):
    run = begin()
    train(run, epochs=1)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "photos").rename(tmp_path / "elsewhere" / "photos")
    changed = dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, root=str(moved)))
    assert len(train(Run(changed, run.folder, resume=True))) == 3


def test_a_run_begun_with_a_relative_path_is_resumed_from_any_folder(begin, tmp_path, monkeypatch, tiny):
    begin()  # makes the photos
    monkeypatch.chdir(tmp_path)
    config = load_config("default", [*tiny, "data.root=photos", "train.epochs=2"])
    folder = Run(config, RunFolder(tmp_path / "relative")).folder
    train(Run(folder.config(), folder, resume=True), epochs=1)
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert folder.config().data.root == str(tmp_path / "photos")
    assert len(train(Run(folder.config(), folder, resume=True))) == 1


# --- what a kill leaves


def test_half_written_files_are_removed_and_other_files_left_alone(begin):
    run = begin()
    train(run, epochs=1)
    left = [run.folder.path / name for name in (".0123456789abcdef.part", "examples/.fedcba9876543210.part")]
    others = [run.folder.path / name for name in (".part", ".mine.part", "notes.part")]
    for path in (*left, *others):
        path.write_text("half")
    begin(resume=True)
    assert not any(path.exists() for path in left) and all(path.exists() for path in others)


# --- a damaged image


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[:-40])  # its header can still be read
    return content


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_truncated_in_the_third_epoch_stops_the_run_which_goes_on_when_it_is_mended(begin, workers):
    workers = f"train.workers={workers}"
    whole = begin("whole", workers)
    train(whole)
    run, mended = begin("run", workers), {}
    path = next(item.image for item in run.dataset.items["train"] if item.image.suffix == ".jpg")

    def damage(epoch, step, loss):
        if epoch == 3 and not mended:
            mended[path] = truncate(path)

    if workers == "train.workers=0":
        said = refusal_of(DataError, lambda: train(run, on_step=damage))
    else:  # workers read ahead
        said = refusal_of(DataError, lambda: (train(run, epochs=2), mended.update({path: truncate(path)}), train(run)))
    assert said.startswith(f"{path}: ")
    path.write_bytes(mended[path])
    resumed = begin("run", workers, resume=True)
    assert resumed.finished_epochs in (2, 3)
    train(resumed)
    assert same_runs(resumed, whole)


def test_a_file_that_was_damaged_from_the_beginning_may_have_another_content_when_it_is_mended(begin):
    """It is met late, because nothing is validated before."""
    run = begin("run", "train.validate_every=3")
    val = run.dataset.items["val"][0]
    good = val.image.read_bytes()
    run = begin("other", "train.validate_every=3")
    truncate(val.image)  # after its first image was read
    again = dataclasses.replace(run.config)
    run.data = data_of(run.dataset)  # as if it had been so when the run began
    assert str(val.image) in refusal_of(DataError, lambda: train(run))
    val.image.write_bytes(good)
    resumed = Run(again, run.folder, resume=True)
    assert resumed.finished_epochs == 2 and len(train(resumed)) == 2


def test_unreadable_images_are_left_out_counted_and_named_only_by_option(begin):
    import onenet

    run = begin()
    broken, cut = [item for item in run.dataset.items["train"] if item.image.suffix == ".jpg"][:2]
    broken.image.write_bytes(b"no image")
    truncate(cut.image)
    assert str(broken.image) in refusal_of(DataError, lambda: begin("strict"))
    changes = ["data.skip_unreadable=true", "train.batch=5"]
    run = begin("run", *changes, epochs=2)
    assert run.skipped.keys() == {broken.name}  # its header says so
    train(run)
    assert run.skipped.keys() == {broken.name, cut.name}
    assert [row["skipped"] for row in run.folder.read_log()] == [2, 2]
    card = onenet.load(run.folder.model).card
    assert card.training["skipped"] == 2 and broken.name not in card.to_json()
    assert begin("run", *changes, epochs=2, resume=True).skipped.keys() == run.skipped.keys()


def test_a_validation_image_that_cannot_be_read_is_left_out_and_named_too(begin):
    changes = ["data.skip_unreadable=true", "data.val=0.4"]
    run = begin("run", *changes, epochs=1)
    val = run.dataset.items["val"]
    assert len(val) == 3
    truncate(val[1].image)
    run = begin("run", *changes, epochs=1)
    (epoch,) = train(run)
    assert run.skipped.keys() == {val[1].name} and epoch.report.images == 2


# --- overfit, weights, examples


def test_overfit_trains_and_validates_on_the_same_images_and_learns_them(begin):
    changes = ["train.overfit=2", "train.learning_rate=0.05", "train.ema=0", "model.width=8", "train.validate_every=30",
               "data.size=[24, 20]"]  # fmt: skip
    run = begin("run", *changes, epochs=60)
    few = run.dataset.items["train"]
    assert len(few) == 2 and run.dataset.items["val"] == few
    (*_, last) = train(run)
    assert last.report.images == 2 and last.report.foreground_iou > 0.95


def test_the_card_says_which_class_weights_were_used(begin):
    import onenet

    run = begin("run", "loss.balance=inverse", "loss.background_weight=0.5", epochs=1)
    train(run)
    pixels = [np.bincount(np.concatenate([run.dataset.read_mask(i).ravel() for i in run.dataset.items["train"]]))]
    share = 1 / (pixels[0] / pixels[0].sum())
    expected = share / share.mean() * [0.5, 1]
    assert onenet.load(run.folder.model).card.training["class_weights"] == pytest.approx(expected.tolist(), rel=1e-5)
    assert run.class_pixels == tuple(pixels[0])


def test_a_picture_of_the_same_validation_images_is_drawn_after_each_validation(begin):
    run = begin("run", "train.validate_every=2", "train.examples=1", epochs=3)
    train(run)
    assert [name for name in files(run.folder.path) if "examples/" in name] == [
        "examples/epoch-0002.jpg", "examples/epoch-0003.jpg",
    ]  # fmt: skip
    none = begin("none", "train.examples=0", epochs=1)
    train(none)
    assert not (none.folder.path / "examples").exists()


def test_a_run_begun_again_has_no_pictures_of_the_one_before(begin):
    run = begin()
    (run.folder.path / "examples").mkdir()
    for name in ("epoch-0099.jpg", "mine.jpg"):
        (run.folder.path / "examples" / name).write_text("old")
    begin()
    assert files(run.folder.path / "examples") == ["mine.jpg"]


def test_curves_for_tensorboard_are_written_on_demand(begin):
    run = begin("run", "train.tensorboard=true", epochs=1)
    assert "tensorboard" not in files(run.folder.path)
    train(run)
    assert [name for name in files(run.folder.path) if re.match(r"tensorboard/events\.out\.tfevents", name)]


def test_the_state_is_read_without_running_code_and_holds_recipe_and_files(begin):
    run = begin()
    train(run, epochs=1)
    state = torch.load(run.folder.path / "last.ckpt", weights_only=True)
    assert state["config"] == run.config.to_dict()
    assert sum(len(files) for files in state["data"].values()) == 8
    assert same_bits(state["model"], dict(run.network.state_dict()))
