"""A run: the same seed gives the same bits, an interruption leaves no trace, the best weights are the ones kept."""

import dataclasses
import errno
import math
import os

import numpy as np
import pytest
import torch
from runs_compared import contents, files, same_bits, same_runs, train

import onenet
from onenet.config import load_config
from onenet.errors import ConfigError, DataError, OneNetError, TrainError
from onenet.metrics.report import Report
from onenet.scoring import evaluate
from onenet.training import loop, run, validation
from onenet.training.folder import RunFolder
from onenet.training.run import Run

PETS = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32"]
TWO_STEPS = ["train.batch=4"]  # an epoch: 8 images to train on

SEEDS = [("first", "train.seed=3"), ("same", "train.seed=3"), ("other", "train.seed=4")]


@pytest.fixture(scope="module")
def config(tiny):
    """A run on the packaged pets, `config(epochs=3)`: a validation after each epoch."""

    def make(*changes, epochs=2):
        return load_config("default", [*tiny, *PETS, *TWO_STEPS, f"train.epochs={epochs}", *changes])

    return make


@pytest.fixture
def begin(tmp_path, config):
    """`begin("a", epochs=3)` is a run that is ready to train in the folder tmp_path/a."""

    def start(name="run", *changes, epochs=2, resume=False):
        return Run(config(*changes, epochs=epochs), RunFolder(tmp_path / name), resume=resume)

    return start


# --- what a run leaves behind


def test_a_run_leaves_its_configuration_environment_log_best_model_and_state(begin):
    ready = begin()
    assert files(ready.folder.path) == ["config.toml", "environment.json"]
    train(ready)
    pictures = ["examples", "examples/epoch-0001.jpg", "examples/epoch-0002.jpg"]
    rest = ["config.toml", "environment.json", "last.ckpt", "log.csv", "model.safetensors"]
    assert files(ready.folder.path) == sorted([*rest, *pictures])


def test_the_log_has_a_row_per_epoch_with_what_was_measured(begin):
    ready = begin("run", "train.validate_every=2", epochs=3)
    epochs = train(ready)
    rows = ready.folder.read_log()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for row, epoch in zip(rows, epochs, strict=True):
        assert row["train_loss"] == pytest.approx(epoch.trained.loss, rel=1e-5)
        assert row["seconds"] > 0
    assert math.isnan(rows[0]["val_mean_iou"]) and epochs[0].report is None
    for row, epoch in zip(rows[1:], epochs[1:], strict=True):  # every second epoch, and the last
        assert row["val_foreground_iou"] == pytest.approx(epoch.report.foreground_iou, rel=1e-5)
        assert row["val_cross_entropy"] == pytest.approx(epoch.report.cross_entropy, rel=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(begin):
    losses = []
    (epoch,) = train(begin(epochs=1), on_step=lambda epoch, step, loss: losses.append((epoch, step, loss)))
    assert [(number, step) for number, step, _ in losses] == [(1, 1), (1, 2)]
    assert epoch.trained.loss == pytest.approx(np.mean([loss for _, _, loss in losses]))


def test_steps_are_counted_over_the_whole_run(begin):
    steps = []
    ready = begin(epochs=3)
    train(ready, on_step=lambda epoch, step, loss: steps.append(step))
    assert steps == [1, 2, 3, 4, 5, 6] and ready.steps == 6


def test_the_model_is_trained_for_the_classes_and_channels_of_the_data(begin):
    ready = begin()
    train(ready)
    card = onenet.load(ready.folder.model).card
    assert card.classes == ("background", "pet", "border") and card.background == 0
    assert (card.in_channels, card.size, card.fit) == (3, (32, 32), "cover")
    assert card.training["recipe"] == "default" and card.training["data"] == "oxford-pet"
    assert card.training["best_epoch"] in (1, 2)
    assert str(ready.folder.path.parent) not in card.to_json()  # names and numbers, never paths


def test_training_finds_the_bright_squares(tmp_path, tiny, photos):
    changes = [f"data.root={photos(count=12)}", "train.epochs=12", "train.learning_rate=0.02", "train.ema=0.5"]
    epochs = train(Run(load_config("default", [*tiny, *changes]), RunFolder(tmp_path / "run")))
    assert epochs[-1].trained.loss < 0.6 * epochs[0].trained.loss
    assert epochs[-1].report.foreground_iou > 0.6


# --- the same bits


def test_the_same_seed_gives_the_same_bits(begin):
    first, second = begin("first"), begin("second")
    train(first), train(second)
    assert same_runs(first, second)


def test_another_seed_gives_another_model(begin):
    first, second = begin("first"), begin("second", "train.seed=1")
    train(first), train(second)
    assert not same_runs(first, second)


def test_the_first_weights_are_drawn_from_the_seed_and_no_other_chance_is_touched(begin):
    before = torch.random.get_rng_state()
    first, same, other = (dict(begin(name, seed).network.state_dict()) for name, seed in SEEDS)
    assert same_bits(first, same) and not same_bits(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_written_configuration_repeats_the_run_to_the_bit(begin, tmp_path):
    first = begin("first")
    train(first)
    second = Run(load_config(str(first.folder.path / "config.toml")), RunFolder(tmp_path / "second"))
    train(second)
    assert same_runs(first, second)


def test_a_worker_process_changes_nothing(begin):
    first, second = begin("first"), begin("second", "train.workers=1")
    train(first), train(second)
    state, other = first.folder.read_state(), second.folder.read_state()
    assert (state.pop("config")["train"]["workers"], other.pop("config")["train"]["workers"]) == (0, 1)
    for one in (state, other):
        one["random"][0].pop("python")  # the checker of annotations draws from it, here more, there less
    assert same_bits(state, other)


# --- interrupted and resumed


@pytest.fixture(scope="module")
def uninterrupted(config, tmp_path_factory):
    ready = Run(config(epochs=4), RunFolder(tmp_path_factory.mktemp("uninterrupted") / "run"))
    train(ready)
    return ready


def test_two_epochs_and_two_more_are_four_to_the_bit(begin, uninterrupted):
    train(begin(epochs=4), epochs=2)
    resumed = begin(epochs=4, resume=True)
    assert resumed.finished_epochs == 2
    assert [epoch.trained.number for epoch in train(resumed)] == [3, 4]
    assert same_runs(resumed, uninterrupted)


def test_stopped_in_the_middle_of_an_epoch_a_run_goes_on_after_the_last_whole_one(begin, uninterrupted):
    def stop_in_the_third_epoch(epoch, step, loss):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(begin(epochs=4), on_step=stop_in_the_third_epoch)
    resumed = begin(epochs=4, resume=True)
    assert resumed.finished_epochs == 2
    train(resumed)
    assert same_runs(resumed, uninterrupted)


def test_stopped_in_its_first_epoch_a_run_begins_again(begin, uninterrupted):
    def stop(epoch, step, loss):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(begin(epochs=4), on_step=stop)
    resumed = begin(epochs=4, resume=True)
    train(resumed)
    assert same_runs(resumed, uninterrupted)


def test_resumed_from_its_folder_alone_a_run_is_the_same(begin, uninterrupted):
    folder = begin(epochs=4).folder
    train(Run(folder.config(), folder, resume=True), epochs=2)
    resumed = Run(folder.config(), folder, resume=True)
    train(resumed)
    assert same_runs(resumed, uninterrupted)


def test_a_finished_run_has_nothing_left(uninterrupted):
    assert train(Run(uninterrupted.config, uninterrupted.folder, resume=True)) == []


def test_a_run_whose_network_was_changed_is_not_resumed(begin):
    train(begin(epochs=4), epochs=1)
    with pytest.raises(OneNetError, match=r"last\.ckpt") as refusal:
        begin("run", "model.width=8", epochs=4, resume=True)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", {"x": torch.zeros(1)}])
def test_a_damaged_state_is_named(begin, content):
    ready = begin(epochs=4)
    train(ready, epochs=1)
    path = ready.folder.path / "last.ckpt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(DataError, match=r"last\.ckpt") as refusal:
        begin(epochs=4, resume=True)
    assert "\n" not in str(refusal.value)


# --- the best weights


def test_the_saved_weights_score_what_the_log_says_of_the_best_epoch(begin):
    ready = begin("run", "train.learning_rate=0.01", epochs=4)
    train(ready)
    best = max(ready.folder.read_log(), key=lambda row: row["val_foreground_iou"])
    again = evaluate(ready.folder.model, ready.config.data, "val").report
    assert again.foreground_iou == pytest.approx(best["val_foreground_iou"], abs=1e-4)
    assert again.cross_entropy == pytest.approx(best["val_cross_entropy"], rel=1e-3)


def test_without_averaging_the_saved_weights_are_the_trained_ones(begin):
    ready = begin("run", "train.ema=0", epochs=1)
    train(ready)
    saved = onenet.load(ready.folder.model)
    assert same_bits(dict(saved.named_parameters()), dict(ready.network.named_parameters()))


def scripted(monkeypatch, ious, entropies=None):
    """Validations that give these IoUs of the one class beside the background; None is not a number."""
    script = iter(zip(ious, entropies or [1.0] * len(ious), strict=True))

    def score(segment, samples, card, data, split, **more):
        iou, entropy = next(script)
        k = card.num_classes
        matrix = np.zeros((k, k), dtype=np.int64)
        matrix[0, 0] = 100
        if iou is not None:
            matrix[1, 1], matrix[1, 0] = round(100 * iou), 100 - round(100 * iou)
        return Report(data, split, 1, card.classes, card.background, matrix, entropy)

    monkeypatch.setattr(validation, "score", score)


def best_epochs(ready):
    """Train; which epochs were the best so far, and the weights of each epoch's average."""
    weights, best = {}, []
    for epoch in ready.epochs():
        number = epoch.trained.number
        weights[number] = {k: v.clone() for k, v in ready.learner.average.module.state_dict().items()}
        best += [number] if epoch.is_best else []
    return best, weights


@pytest.mark.parametrize(
    ("ious", "entropies", "best"),
    [
        ([0.2, 0.6, 0.4, 0.6], None, [1, 2]),  # an equal one later does not replace it
        ([0.0, 0.0, 0.1, 0.0], None, [1, 3]),
        ([None, None, None, None], [0.9, 0.5, 0.7, 0.4], [1, 2, 4]),  # undefined: the lowest loss
        ([None, 0.1, None, 0.0], [0.1, 0.9, 0.1, 0.9], [1, 2]),
        ([None, None, None, None], [float("nan"), 0.5, 0.7, 0.4], [1, 2, 4]),  # something is kept in any case
    ],
)
def test_the_highest_iou_without_background_is_kept_and_the_lowest_loss_where_there_is_none(
    begin, monkeypatch, ious, entropies, best
):
    scripted(monkeypatch, ious, entropies)
    ready = begin(epochs=4)
    found, weights = best_epochs(ready)
    saved = onenet.load(ready.folder.model)
    assert found == best
    assert saved.card.training["best_epoch"] == best[-1]
    assert same_bits(dict(saved.state_dict()), weights[best[-1]])


def test_a_resumed_run_remembers_the_best(begin, monkeypatch):
    scripted(monkeypatch, [0.6, 0.2, 0.4, 0.5])
    train(begin(epochs=4), epochs=2)
    assert [epoch.is_best for epoch in train(begin(epochs=4, resume=True))] == [False, False]


# --- classes without a background


def test_without_a_background_all_classes_weigh_the_same_and_count(tmp_path, tiny, photos):
    changes = ["data.background=-1", "loss.background_weight=0.25", f"data.root={photos()}"]
    ready = Run(load_config("default", [*tiny, *changes]), RunFolder(tmp_path / "run"))
    (*_, last) = train(ready)
    card = onenet.load(ready.folder.model).card
    assert card.background is None
    assert last.report.foreground_iou == last.report.mean_iou


# --- what cannot go on


def test_a_folder_that_holds_a_run_is_refused(begin):
    ready = begin()
    next(ready.epochs())
    before = contents(ready.folder.path)
    with pytest.raises(ConfigError, match=r"holds a run already.*--resume"):
        begin()
    assert contents(ready.folder.path) == before


def test_a_start_that_failed_before_the_first_epoch_does_not_block_the_next(begin):
    begin()
    assert begin().finished_epochs == 0


def test_a_loss_that_is_not_a_number_stops_the_run_and_leaves_nothing_of_the_epoch(begin, monkeypatch):
    class Diverges(run.SegmentationLoss):
        steps = 0

        def forward(self, logits, mask):
            Diverges.steps += 1
            return super().forward(logits, mask) * (math.nan if Diverges.steps == 4 else 1)

    monkeypatch.setattr(run, "SegmentationLoss", Diverges)
    ready = begin(epochs=3)
    epochs = ready.epochs()
    next(epochs)
    before = contents(ready.folder.path)
    with pytest.raises(TrainError, match=r"loss became nan in epoch 2, step 2, at learning rate .*lower train\.learn"):
        next(epochs)
    assert contents(ready.folder.path) == before


@pytest.mark.parametrize("rate", [5, 20, 100])
def test_a_run_that_diverges_ends_with_one_line_and_without_warnings(begin, rate):
    """Wherever it is noticed first: in the loss, in the weights or in the validation; here warnings are errors."""
    ready = begin("run", "train.optimizer=sgd", f"train.learning_rate={rate}", epochs=6)
    with pytest.raises(TrainError, match=r"(the loss became|are no numbers).*; lower train\.learning_rate") as refusal:
        train(ready)
    assert "\n" not in str(refusal.value)


def test_weights_that_are_not_numbers_are_never_kept_as_the_best(begin):
    """The last step of an epoch can break the weights after its loss was still a number."""
    ready = begin(epochs=1)

    def break_the_weights(epoch, step, loss):
        if step == 2:
            ready.learner.average.module.head.bias.data.fill_(math.nan)

    with pytest.raises(TrainError):
        train(ready, on_step=break_the_weights)
    assert not ready.folder.model.exists()


def test_a_disk_that_fills_up_while_saving_keeps_the_last_good_model(begin, uninterrupted, monkeypatch):
    ready = begin(epochs=4)
    train(ready, epochs=2)
    before = contents(ready.folder.path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    resumed = begin(epochs=4, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OneNetError, match=r"cannot be written \(No space left on device\)"):
            train(resumed)
    assert contents(ready.folder.path) == before
    after = begin(epochs=4, resume=True)  # there is space again
    train(after)
    assert same_runs(after, uninterrupted)


@pytest.mark.parametrize("name", ["model.safetensors", "log.csv", "last.ckpt", "epoch-0002.jpg"])
def test_a_disk_that_is_full_at_any_file_leaves_a_run_that_can_be_resumed(begin, uninterrupted, monkeypatch, name):
    """Each file has its old content or the new one, and what is resumed ends as if nothing had happened."""
    run = begin(epochs=4)
    epochs, replace = run.epochs(), os.replace
    next(epochs)
    if name == "model.safetensors":
        run.best = (-1, 0.0)  # so that the next epoch writes one in any case
    before = contents(run.folder.path)

    def full(source, target):
        if target.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OneNetError, match=rf"{name}: cannot be written \(No space left on device\); free some"):
            next(epochs)
    after = contents(run.folder.path)
    assert all(after[path] == content for path, content in before.items() if path.name in (name, "last.ckpt"))
    assert not list(run.folder.path.rglob(".*"))
    resumed = begin(epochs=4, resume=True)
    assert resumed.finished_epochs == 1
    train(resumed)
    assert same_runs(resumed, uninterrupted)


def test_a_file_that_cannot_be_read_is_named_before_the_first_step(tmp_path, tiny, photos):
    root = photos()
    for path in (root / "images").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"photo\d\.png"):
        Run(load_config("default", [*tiny, f"data.root={root}"]), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_file_in_the_middle_of_training_is_named_in_one_line(tmp_path, tiny, photos, workers):
    root = photos(count=8)
    config = load_config("default", [*tiny, f"data.root={root}", f"train.workers={workers}"])
    ready = Run(config, RunFolder(tmp_path / "run"))
    bad = ready.dataset.items["train"][-1]
    bad.image.write_bytes(b"no image")
    with pytest.raises(DataError) as refusal:
        train(ready)
    assert str(refusal.value).startswith(f"{bad.image}: ")
    assert "\n" not in str(refusal.value) and "Traceback" not in str(refusal.value)


def test_batch_norm_needs_more_than_one_value(begin, tmp_path):
    with pytest.raises(ConfigError, match=r"train\.batch=1 with data\.size=\[4, 4\].*at least 2, or a size above 4"):
        begin("run", "train.batch=1", "data.size=4")
    assert not (tmp_path / "run").exists()
    train(begin("larger", "train.batch=1", "data.size=[4, 8]", epochs=1))


def test_a_single_training_image_meets_batch_norm_likewise(tmp_path, tiny, photos):
    """Three photos, one per split: the batches have one image, whatever train.batch says."""
    changes = [f"data.root={photos(count=3)}", "train.batch=8", "data.size=4"]
    with pytest.raises(ConfigError, match=r"data\.size=\[4, 4\]"):
        train(Run(load_config("default", [*tiny, *changes]), RunFolder(tmp_path / "run")))


def test_a_single_training_image_of_a_good_size_is_enough(tmp_path, tiny, photos):
    changes = [f"data.root={photos(count=3)}", "train.batch=8"]
    epochs = train(Run(load_config("default", [*tiny, *changes]), RunFolder(tmp_path / "run")))
    assert len(epochs) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("model.name=onenet-ed", "did you mean onenet-ed-"),
        ("model.widht=8", "'widht': did you mean width"),
        ("model.width=wide", "model.width='wide': expected int"),
        ("model.num_classes=7", "model.num_classes=7, but the data has 3"),
        ("model.in_channels=1", "model.in_channels=1, but the data has 3"),
        ("train.device=cuda", "train.device=cuda: torch finds no such device"),
    ],
)
def test_what_the_network_or_the_machine_cannot_do_is_refused_before_anything_is_written(
    begin, tmp_path, change, complaint
):
    if change == "train.device=cuda" and torch.cuda.is_available():
        pytest.skip("there is one here")
    with pytest.raises(ConfigError) as refusal:
        begin("run", change)
    assert complaint in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed", "auto"])
def test_every_precision_trains_or_is_refused(begin, precision):
    try:
        ready = begin("run", f"train.precision={precision}", epochs=1)
    except ConfigError as refusal:
        assert precision in str(refusal)
    else:
        (epoch,) = train(ready)
        assert math.isfinite(epoch.trained.loss)


def test_validation_uses_no_gradient_and_leaves_the_network_in_training(begin):
    ready = begin()
    train(ready)
    assert ready.network.training
    assert all(not buffer.isnan().any() for buffer in ready.network.buffers())


def test_channels_of_the_network_follow_the_data(tmp_path, tiny, photos):
    changes = [f"data.root={photos()}", "data.in_channels=1"]
    ready = Run(load_config("default", [*tiny, *changes]), RunFolder(tmp_path / "run"))
    assert ready.network.in_channels == 1
    train(ready, epochs=1)


def test_an_epoch_is_not_trained_before_it_is_asked_for(begin, monkeypatch):
    monkeypatch.setattr(loop, "agreed", None)  # would fail if a step were made
    ready = begin()
    epochs = ready.epochs()
    assert dataclasses.is_dataclass(ready.config) and files(ready.folder.path) == ["config.toml", "environment.json"]
    with pytest.raises(TypeError):
        next(epochs)


def test_norms_are_settled_on_the_training_images_with_the_weights_as_they_are(begin):
    ready = begin()
    network = ready.learner.average.module
    conv, norm = (getattr(network.encoder.stem[1], part) for part in ("conv", "norm"))
    norm.running_mean.fill_(100.0)
    loop.settle_norms(ready.learner.average, ready.batches)
    with torch.no_grad():
        seen = [conv(network.standardise(image)).relu() for image, _ in ready.batches]
    expected = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    assert torch.allclose(norm.running_mean, expected, atol=1e-5)
    assert norm.momentum == 0.1


def test_a_handful_of_photos_with_one_step_an_epoch_gives_masks(tmp_path, tiny, photos):
    root = photos(count=8, size=(32, 32))
    changes = [*tiny, f"data.root={root}", "data.size=32", "model.width=8", "train.batch=8", "train.learning_rate=0.01"]
    config = load_config("default", [*changes, "train.epochs=20", "train.validate_every=20", "augment.colour=0.0"])
    last = list(Run(config, RunFolder(tmp_path / "run")).epochs())[-1]
    assert last.report.foreground_iou > 0.3


def test_validation_images_can_be_trained_on_and_then_the_last_weights_are_kept(begin):
    usual, both = begin("usual"), begin("both", "data.train_with_val=true")
    counts = [{split: len(items) for split, items in one.dataset.items.items()} for one in (usual, both)]
    assert counts[1]["train"] == counts[0]["train"] + counts[0]["val"] and counts[1]["val"] == counts[0]["val"]
    assert set(both.dataset.items["val"]) < set(both.dataset.items["train"])
    assert not set(both.dataset.items["test"]) & set(both.dataset.items["train"])
    both.best = (1, 2.0)  # better than anything that follows
    assert [epoch.is_best for epoch in both.epochs()] == [True, True]
    assert onenet.load(both.folder.path).card.training["best_epoch"] == 2
    assert any("train_with_val" in note for note in both.dataset.notes)
