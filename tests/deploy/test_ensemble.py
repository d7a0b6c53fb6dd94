"""Several networks as one: the mean of their probabilities."""

import numpy as np
import pytest
import torch

import onenet
from onenet.card import Card, default_colours
from onenet.deploy.ensemble import EnsembleRunner, files_of_folds
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError, DataError
from onenet.models.eager import EagerRunner, card_of


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


def test_the_mean_decides_where_the_mean_of_logits_would_not():
    # two are a little for class 0, one is wholly for class 1: the mean of logits would give class 0
    runner = EnsembleRunner([Says([3.0, 0.0]), Says([3.0, 0.0]), Says([0.0, 5.0])])
    assert (Segmenter(runner, card())(IMAGE).mask == 0).all()
    runner = EnsembleRunner([Says([0.1, 0.0]), Says([0.1, 0.0]), Says([0.0, 0.15])])
    assert (Segmenter(runner, card())(IMAGE).mask == 0).all()
    runner = EnsembleRunner([Says([9.0, 0.0]), Says([0.0, 4.0]), Says([0.0, 4.0])])
    assert (Segmenter(runner, card())(IMAGE).mask == 1).all()  # logits add up to 9 against 8


def test_where_classes_overlap_the_sigmoids_are_averaged():
    parts = [[2.0, -1.0], [-30.0, 90.0]]
    result = Segmenter(EnsembleRunner([Says(part) for part in parts], overlapping=True), card(True))(IMAGE)
    wanted = np.mean([1 / (1 + np.exp(-np.array(part))) for part in parts], axis=0)
    np.testing.assert_allclose(result.probability[:, 0, 0], wanted, atol=1e-6)


def test_it_looks_as_far_as_the_farthest_and_takes_the_sizes_of_all():
    runner = EnsembleRunner([Says([0, 1], 4, Halo(top=3, right=9)), Says([0, 1], 6, Halo(top=1, left=2))])
    assert runner.stride == 12 and runner.halo() == Halo(top=3, left=2, right=9)


@pytest.fixture
def folds(tmp_path):
    """Two untrained networks as a study of two folds leaves them, and a way to change the card of the second."""

    def write(**changes):
        for fold in range(2):
            torch.manual_seed(fold)
            model = onenet.create_model("onenet-x-n", num_classes=2)
            training = {"data": "mine", "seen": [f"mark{fold}"], "split": {"folds": 2, "fold": fold}}
            kept = card_of(model).replace(training=training, **(changes if fold else {}))
            (tmp_path / f"fold-{fold}").mkdir(exist_ok=True)
            onenet.save(model, tmp_path / f"fold-{fold}" / "model.safetensors", kept)
        return tmp_path

    return write


def test_the_folder_of_a_study_of_folds_is_a_model(folds):
    folder = folds()
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    parts = [onenet.Segmenter(file)(image).probability for file in files_of_folds(folder)]
    together = onenet.Segmenter(folder)
    np.testing.assert_allclose(together(image).probability, np.mean(parts, axis=0), atol=1e-5)
    assert together.card.training["seen"] == ["mark0", "mark1"]
    together.tile = 32
    tiled = together(image).probability
    np.testing.assert_allclose(tiled, np.mean(parts, axis=0), atol=1e-5)
    assert isinstance(together.runner, EnsembleRunner) and isinstance(together.runner.runners[0], EagerRunner)


def test_folds_that_are_missing_or_differ_are_told(folds, tmp_path):
    with pytest.raises(ConfigError, match=r"fold-1.*: its classes is not that of .*fold-0.*train all folds by one"):
        onenet.Segmenter(folds(classes=("background", "other")))
    (tmp_path / "fold-1" / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"holds 1 of 2 folds; start the same onenet study folds again"):
        onenet.Segmenter(tmp_path)


def test_one_network_is_wanted_where_weights_are(folds):
    with pytest.raises(ConfigError, match=r"holds the networks of 2 folds; name one of them, for example .*fold-0"):
        onenet.load(folds())


def test_the_folder_of_a_run_is_no_study(folds):
    folder = folds()
    (folder / "model.safetensors").write_bytes((folder / "fold-0" / "model.safetensors").read_bytes())
    assert files_of_folds(folder) == [] and files_of_folds(folder / "nowhere") == []
