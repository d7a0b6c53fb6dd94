"""Curves for TensorBoard: the rows of the log, and nothing where it is not installed."""

import importlib.util

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from onenet.errors import OneNetError
from onenet.training import tensorboard
from onenet.training.tensorboard import Curves


def row(epoch, loss, iou=float("nan")):
    return {"epoch": float(epoch), "train_loss": loss, "val_mean_iou": iou}


def curves_of(folder):
    found = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_a_curve_per_column_a_point_per_epoch_and_none_where_nothing_was_measured(tmp_path):
    curves = Curves(tmp_path)
    for values in (row(1, 0.5), row(2, 0.25, iou=0.75)):
        curves.write(values)
    curves.close()
    assert curves_of(tmp_path) == {"train_loss": [(1, 0.5), (2, 0.25)], "val_mean_iou": [(2, 0.75)]}


def test_a_resumed_run_hides_what_an_interrupted_one_wrote_of_later_epochs(tmp_path):
    for values in ([row(1, 0.5), row(2, 9.0)], [row(2, 0.25)]):
        curves = Curves(tmp_path)
        for one in values:
            curves.write(one)
        curves.close()
    assert curves_of(tmp_path)["train_loss"] == [(1, 0.5), (2, 0.25)]


def test_nothing_is_written_before_the_first_row(tmp_path):
    Curves(tmp_path / "tensorboard").close()
    assert list(tmp_path.iterdir()) == []


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None if name == "tensorboard" else find(name))
    with pytest.raises(OneNetError, match=r"pip install 'onenet-seg\[tensorboard\]'"):
        Curves(tmp_path)
