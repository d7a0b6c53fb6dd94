"""Several networks as one: the mean of their probabilities."""

from pathlib import Path

import numpy as np
import pytest
import torch

import onenet
from onenet.card import Card, default_colours
from onenet.deploy.ensemble import EnsembleRunner, files_of_folds, joined_card
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError, DataError
from onenet.models.eager import card_of


class Says:
    """Gives the same logits (k) for every pixel."""

    def __init__(self, logits, stride=1, halo=Halo()):  # noqa: B008
        self.logits, self.stride, self._halo = np.array(logits, dtype=np.float32), stride, halo

    def run(self, images):
        b, _, h, w = images.shape
        return np.tile(self.logits[None, :, None, None], (b, 1, h, w))

    def halo(self):
        return self._halo


def card(overlapping=False):
    return Card(
        "onenet-x-n", {"in_channels": 3, "num_classes": 2}, ("a", "b"), default_colours(2), 0, overlapping=overlapping
    )


IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)


def test_the_softmax_of_an_ensemble_is_the_mean_of_the_softmaxes():
    parts = [[2.0, -1.0], [0.5, 0.5], [-40.0, 60.0]]
    result = Segmenter(EnsembleRunner([Says(part) for part in parts]), card())(IMAGE)
    wanted = np.mean([np.exp(part) / np.exp(part).sum() for part in np.array(parts)], axis=0)
    np.testing.assert_allclose(result.probability[:, 3, 4], wanted, atol=1e-6)


def test_the_mean_of_probabilities_decides_where_that_of_logits_would_decide_otherwise():
    for sure in (0, 1):  # one is sure of a class (9 against 4 + 4 in logits), two lean to the other one
        leans = [4.0, 0.0] if sure else [0.0, 4.0]
        runner = EnsembleRunner([Says([0.0, 9.0] if sure else [9.0, 0.0]), Says(leans), Says(leans)])
        assert (Segmenter(runner, card())(IMAGE).mask == 1 - sure).all()


def test_where_classes_overlap_the_sigmoids_are_averaged():
    parts = [[2.0, -1.0], [-30.0, 90.0]]
    result = Segmenter(EnsembleRunner([Says(part) for part in parts], overlapping=True), card(True))(IMAGE)
    wanted = np.mean([1 / (1 + np.exp(-np.array(part))) for part in parts], axis=0)
    np.testing.assert_allclose(result.probability[:, 0, 0], wanted, atol=1e-6)


def test_it_looks_as_far_as_the_farthest_and_takes_the_sizes_of_all():
    runner = EnsembleRunner([Says([0, 1], 4, Halo(top=3, right=9)), Says([0, 1], 6, Halo(top=1, left=2))])
    assert runner.stride == 12 and runner.halo() == Halo(top=3, left=2, right=9)
    rows = EnsembleRunner([Says([0, 1]), Says([0, 1], 1, Halo(2, 2, whole_rows=True))])
    assert rows.halo() == Halo(2, 2, whole_rows=True)


@pytest.fixture
def folds(tmp_path):
    """Two untrained networks as a study of two folds leaves them, and a way to change the card of the second."""

    def write(fold=1, split=(), patience=0, name="onenet-x-n", **changes):
        for number in range(2):
            torch.manual_seed(number)
            model = onenet.create_model(name if number else "onenet-x-n", num_classes=2)
            own = {"fold": fold, **dict(split)} if number else {"fold": 0}
            training = {"data": "mine", "seen": [f"mark{number}"], "split": {"folds": 2, "val": 0.2, **own}}
            training |= {"epochs": 9, "best_epoch": 4, "patience": patience, "validate_every": 2}
            kept = card_of(model).replace(training=training, scores={"val": {}}, **(changes if number else {}))
            (tmp_path / f"fold-{number}").mkdir(exist_ok=True)
            onenet.save(model, tmp_path / f"fold-{number}" / "model.safetensors", kept)
        return tmp_path

    return write


VOLUME = {"axis": 2, "spacing": None, "intensity": {"kind": "zscore"}, "neighbours": 0}


def test_the_folder_of_a_study_of_folds_is_a_model(folds):
    folder = folds()
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    parts = [onenet.Segmenter(file)(image).probability for file in files_of_folds(folder)]
    together = onenet.Segmenter(folder)
    np.testing.assert_allclose(together(image).probability, np.mean(parts, axis=0), atol=1e-5)
    card = together.card
    assert card.training["seen"] == ["mark0", "mark1"] and card.training["networks"] == 2 and card.scores == {}
    together.tile = 32
    np.testing.assert_allclose(together(image).probability, np.mean(parts, axis=0), atol=1e-5)


def test_steps_of_single_folds_are_not_those_of_all():
    cards = [
        card().replace(training={"split": {"folds": 2, "fold": fold}}, volume=VOLUME | {"postprocess": {"holes": [1]}})
        for fold in range(2)
    ]
    assert joined_card(cards, [Path("a/fold-0/m"), Path("a/fold-1/m")]).volume == VOLUME


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (dict(classes=("background", "other")), "classes"), (dict(size=(64, 64)), "size"), (dict(fit="cover"), "fit"),
        (dict(volume=VOLUME), "volume"), (dict(split={"val": 0.3}), "split"), (dict(name="onenet-x-s"), "architecture"),
    ],
)  # fmt: skip
def test_folds_that_are_not_of_one_study_are_not_used_together(folds, changes, what):
    with pytest.raises(ConfigError, match=rf"the {what} of .*fold-1.* and of .*fold-0.* differ.*; train all folds by"):
        onenet.Segmenter(folds(**changes))


def test_folds_that_are_missing_or_unfinished_are_told(folds, tmp_path):
    folder = folds()
    (folder / "fold-1" / "log.csv").write_text("epoch,train_loss\n7,0.5\n8,0.4\n")
    with pytest.raises(DataError, match=r"fold-1: its training has not ended; start the same onenet study folds"):
        onenet.Segmenter(folder)
    folds(patience=3)
    with pytest.raises(DataError, match=r"fold-1: its training has not ended"):
        onenet.Segmenter(folder)
    folds(patience=2)  # validated in vain after the epochs 6 and 8
    assert onenet.Segmenter(folder).card.training["networks"] == 2
    folds()
    (folder / "fold-1" / "log.csv").write_text("epoch,train_loss\n8,0.5\n9,0.4\n")
    (folder / "fold-0-old").mkdir()
    (folder / "fold-0-old" / "model.safetensors").write_bytes(b"somebody's")
    assert onenet.Segmenter(folder).card.training["networks"] == 2
    (folder / "fold-2").mkdir()
    (folder / "fold-2" / "model.safetensors").write_bytes((folder / "fold-1" / "model.safetensors").read_bytes())
    with pytest.raises(ConfigError, match=r"holds 3 folders of folds, but .*fold-0 is one of 2; move away what"):
        onenet.Segmenter(folder)
    (folder / "fold-1" / "model.safetensors").unlink()
    (folder / "fold-2" / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"holds 1 of 2 folds; start the same onenet study folds again"):
        onenet.Segmenter(folder)
    with pytest.raises(DataError, match=r"holds 2 of 2 folds"):
        onenet.Segmenter(folds(fold=0))  # the first one twice


def test_a_run_that_is_no_fold_but_called_so_is_told(tmp_path):
    (tmp_path / "fold-1").mkdir()
    onenet.save(onenet.create_model("onenet-x-n"), tmp_path / "fold-1" / "model.safetensors")
    with pytest.raises(ConfigError, match="fold-1 is no fold; name the folder of the run itself"):
        onenet.Segmenter(tmp_path)


def test_one_network_is_wanted_where_weights_are(folds):
    says = r"holds the networks of 2 folds; name one of them, for example .*fold-0"
    with pytest.raises(ConfigError, match=says):
        onenet.load(folds())
    with pytest.raises(ConfigError, match=says):
        onenet.Segmenter(folds(), "onnxruntime")


def test_the_folder_of_a_run_is_no_study(folds):
    folder = folds()
    (folder / "model.safetensors").write_bytes((folder / "fold-0" / "model.safetensors").read_bytes())
    assert files_of_folds(folder) == [] and files_of_folds(folder / "nowhere") == []
