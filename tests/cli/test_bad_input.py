"""Whatever is wrong with what a user gives: one line that says what and where, exit code 2, nothing half-written."""

import errno
import math
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import onenet


@pytest.fixture
def desk(tmp_path, photos, tiny_model, monkeypatch):
    """photos/ with six photos and masks, photo.png, model.safetensors; the working folder."""
    root = photos()
    shutil.copy(root / "images/photo0.png", tmp_path / "photo.png")
    shutil.copy(tiny_model, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def refusal(onenet_command, desk):
    """`refusal("predict", ...)`: the one line of a refused command, which left every file as it was."""

    def run(*words):
        def state():
            return {path: path.read_bytes() if path.is_file() else None for path in desk.rglob("*")}

        before = state()
        line = onenet_command(*words).error
        after = state()
        assert after == before, sorted(path.relative_to(desk).as_posix() for path in after.keys() ^ before.keys())
        return line

    return run


def quick(tiny, *changes):
    return ["train", "--data", "folder:photos", "--out", "run", *tiny, *changes]


# --- unknown names: the nearest right one


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["train", "defualt"], "did you mean default?"),
        (["train", "default", "train.epoch=5"], "did you mean train.epochs"),
        (["train", "default", "batch=5"], "train.batch"),
        (["train", "default", "trian.epochs=5"], "did you mean train?"),
        (["train", "--data", "foldr:photos"], "did you mean folder?"),
        (["train", "--data", "folder:photos", "model.name=onenet-e4"], "did you mean onenet-e-4"),
        (["train", "--data", "folder:photos", "model.wdith=8"], "did you mean width"),
        (["train", "--data", "samples:nuclei"], "choose from folder"),
        (["train", "--data", "folder:samples:nucleii"], "did you mean nuclei?"),
        (["evaluate", "model.safetensors", "--data", "foldr:photos"], "did you mean folder?"),
        (["evaluate", "model.safetensors", "--data", "folder:photos", "--split", "tset"], "did you mean test?"),
        (["predict", "model.safetensors", "photo.png", "--save", "maks"], "did you mean mask?"),
        (["list", "modles"], "did you mean models"),
        (["study", "pet-smal"], "did you mean pet-small?"),
        (["tarin"], "'train'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_right_one(refusal, words, suggestion):
    assert suggestion in refusal(*words)


# --- values


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("train.epochs=0", "train.epochs=0: must lie between 1 and"),
        ("train.epochs=ten", "train.epochs='ten': expected a whole number"),
        ("train.epochs=1.5", "train.epochs=1.5: expected a whole number"),
        ("train.learning_rate=high", "train.learning_rate='high': expected a number"),
        ("augment.flip=True", "augment.flip='True': expected true or false, in small letters"),
        ("data.class_names=[1,2]", "data.class_names=1: expected text, in quotes"),
        ("train.optimizer=3", "train.optimizer=3: choose from adamw, adam, sgd"),
        ("train.learning_rate=-1", "train.learning_rate=-1.0: must lie between 0 and 100"),
        ("data.size=[64, 64, 64]", "data.size=[64, 64, 64]: expected 2 values"),
        ("data.split_seed=-1", "data.split_seed=-1"),
        ("model.width=0", "width=0: must be at least 1"),
        ("model.depth=20", "depth=20: must be at most 8"),
        ("model.num_classes=5", "model.num_classes=5, but the data has 2"),
        ("data.class_names=['a']", "data.class_names has 1 names, but the masks have 2 classes"),
        ("data.background=2", "data.background=2: there are 2 classes"),
        ("model.spatial_kernel=4", "spatial_kernel=4"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(refusal, tiny, change, complaint):
    assert complaint in refusal(*quick(tiny, change))


# --- files


DAMAGE = {
    "missing": (lambda path: path.unlink(), "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:50]), "damaged"),
    "no image": (lambda path: path.write_text("hello"), "not an image"),
    "folder": (lambda path: (path.unlink(), path.mkdir(), (path / "empty").mkdir()), "holds no images"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_photo_to_be_segmented(refusal, desk, damage):
    harm, complaint = DAMAGE[damage]
    harm(desk / "photo.png")
    line = refusal("predict", "model.safetensors", "photo.png")
    assert line.startswith("photo.png: ") and complaint in line
    assert line.count("photo.png") == 1


@pytest.mark.parametrize("damage", ["empty", "truncated", "no image"])
@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_photo_or_mask_of_the_data(refusal, desk, tiny, damage, kind, verb):
    harm, complaint = DAMAGE[damage]
    for path in (desk / "photos" / kind).iterdir():
        harm(path)
    words = quick(tiny) if verb == "train" else ["evaluate", "model.safetensors", "--data", "folder:photos"]
    line = refusal(*words)
    assert f"photos/{kind}/photo" in line and complaint in line


def test_a_mask_without_its_photo(refusal, desk, tiny):
    (desk / "photos/images/photo3.png").unlink()
    assert "photos/masks/photo3.png: has no image" in refusal(*quick(tiny))


def test_masks_of_another_size(refusal, desk, tiny):
    for path in (desk / "photos/masks").iterdir():
        Image.fromarray(np.eye(7, 9, dtype=np.uint8)).save(path)
    line = refusal(*quick(tiny))
    assert "photos/masks/photo" in line and "the mask is 7x9, but its image is 24x20" in line


def test_a_label_out_of_range(refusal, desk, tiny):
    Image.fromarray(np.full((24, 20), 9, dtype=np.uint8)).save(desk / "photos/masks/photo3.png")
    assert "photo3.png: the mask holds the value 9; allowed are 0 to 2" in refusal(*quick(tiny, "data.num_classes=3"))
    line = refusal("evaluate", "model.safetensors", "--data", "folder:photos", "--split", "all")
    assert "photo3.png: the mask holds the value 9; allowed are 0 to 1" in line


def test_a_mask_in_colour(refusal, desk, tiny):
    shutil.copy(desk / "photo.png", desk / "photos/masks/photo3.png")
    assert "photo3.png: a mask in colours" in refusal(*quick(tiny))


def test_one_photo_only(refusal, desk, tiny):
    for number in range(1, 6):
        for kind in ("images", "masks"):
            (desk / f"photos/{kind}/photo{number}.png").unlink()
    assert "1 image(s) with a mask, but at least 3 are needed" in refusal(*quick(tiny))


@pytest.mark.parametrize("root", ["photos/images", "gone", "photo.png", "."])
def test_a_folder_that_is_no_data_set(refusal, tiny, root):
    assert root.strip(".") in refusal("train", "--data", f"folder:{root}", "--out", "run", *tiny)


# --- training


def test_a_batch_of_one_with_batch_norm(refusal, tiny):
    assert "train.batch=1 with data.size=[4, 4] leaves batch norm one value" in refusal(
        *quick(tiny, "train.batch=1", "data.size=4")
    )


def test_one_training_photo_with_batch_norm(refusal, desk, tiny):
    for number in range(3, 6):
        for kind in ("images", "masks"):
            (desk / f"photos/{kind}/photo{number}.png").unlink()
    assert "batch norm" in refusal(*quick(tiny, "data.size=4"))


def test_a_loss_that_is_not_a_number(onenet_command, desk, tiny, monkeypatch):
    from onenet.training import losses

    monkeypatch.setattr(losses, "dice_loss", lambda logits, mask, *rest: logits.sum() * math.nan)
    line = onenet_command(*quick(tiny)).error
    assert "the loss became nan in epoch 1, step 1" in line and "lower train.learning_rate" in line
    assert sorted(path.name for path in (desk / "run").iterdir()) == ["config.toml", "environment.json"]


def test_a_full_disk(onenet_command, desk, tiny, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for words in (
        quick(tiny),
        ["predict", "model.safetensors", "photo.png"],
        ["evaluate", "model.safetensors", "--data", "folder:photos", "--report", "scores"],
    ):
        assert "cannot be written (No space left on device)" in onenet_command(*words).error
    left = [path for folder in ("run", "predictions", "scores") for path in (desk / folder).rglob("*")]
    assert left == []


def test_a_folder_that_may_not_be_written(refusal, desk, tiny):
    (desk / "run").write_text("a file")
    assert "run" in refusal(*quick(tiny))
    assert "run" in refusal("predict", "model.safetensors", "photo.png", "--out", "run")
    assert "run" in refusal("evaluate", "model.safetensors", "--data", "folder:photos", "--report", "run")


def test_channels_that_images_do_not_have(refusal, tiny):
    assert "has 3 channels, but the model takes 2" in refusal(*quick(tiny, "data.in_channels=2"))


# --- models


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("gone.safetensors", "gone.safetensors: no such file"),
        ("onenet-ed-4", "onenet-ed-4 is an architecture without weights"),
        ("empty.safetensors", "empty.safetensors: not a complete .safetensors file"),
        ("half.safetensors", "half.safetensors: not a complete .safetensors file"),
        ("photo.png", "photo.png: is an image, not a model"),
        ("photos", "photos: holds no model.safetensors"),
        ("model.onnx", "model.onnx: no ONNX file, or a truncated one"),
        ("model.pth", "onenet convert"),
        ("no-card.safetensors", "no-card.safetensors: holds weights but no card"),
        ("odd-card.safetensors", "odd-card.safetensors: its card cannot be read"),
        ("other.safetensors", "other.safetensors: lacks the weights"),
        ("wider.safetensors", "it belongs to another architecture"),
        ("unknown.safetensors", "unknown model 'onenet-z-9'"),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_model_that_cannot_be_used(refusal, desk, model, complaint, verb):
    whole = (desk / "model.safetensors").read_bytes()
    (desk / "empty.safetensors").write_bytes(b"")
    (desk / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    for name in ("model.onnx", "model.pth"):
        (desk / name).write_bytes(b"something")
    with safe_open(desk / "model.safetensors", framework="pt") as file:
        card, weights = file.metadata()["card"], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(weights, desk / "no-card.safetensors")
    for name, changed in (
        ("odd-card", "{}"),
        ("other", card.replace('"replaced": "e"', '"replaced": "ed"')),
        ("wider", card.replace('"width": 4', '"width": 6')),
        ("unknown", card.replace("onenet-e-4", "onenet-z-9")),
    ):
        assert changed != card
        save_file(weights, desk / f"{name}.safetensors", metadata={"card": changed})
    last = ["photo.png"] if verb == "predict" else ["--data", "folder:photos"]
    assert complaint in refusal(verb, model, *last)


def test_a_model_with_other_classes_than_the_data(refusal):
    line = refusal("evaluate", "model.safetensors", "--data", "pet-small:samples:oxford_pet")
    assert "has 3 classes" in line and "the model has 2" in line


def test_a_run_of_another_network_is_not_resumed(onenet_command, desk, tiny):
    assert onenet_command(*quick(tiny)).code == 0
    config = (desk / "run/config.toml").read_text()
    (desk / "run/config.toml").write_text(config.replace("width = 4", "width = 6").replace("epochs = 2", "epochs = 3"))
    before = (desk / "run/model.safetensors").read_bytes()
    assert "run/last.ckpt" in onenet_command("train", "--resume", "--out", "run").error
    assert (desk / "run/model.safetensors").read_bytes() == before


def test_a_model_of_many_channels_takes_no_photo_files(refusal, desk):
    torch.manual_seed(0)
    onenet.save(onenet.create_model("onenet-e-4", in_channels=5, width=4, depth=2), desk / "five.safetensors")
    assert "photo.png: has 3 channels, but the model takes 5" in refusal("predict", "five.safetensors", "photo.png")
