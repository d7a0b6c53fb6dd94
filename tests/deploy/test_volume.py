"""A volume slice by slice, with networks that say what they are given: every voxel must come back to its place."""

from pathlib import Path

import numpy as np
import pytest
from nibabel import orientations

from onenet.card import Card, default_colours
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter
from onenet.deploy.volume import decided, network_size, segment_volume
from onenet.errors import ConfigError, DataError, ShapeError
from onenet.volumes import Volume, canonical

RULE = {"kind": "window", "low": 0, "high": 1}


class Threshold:
    """Says class 1 where one of its channels is above a half, and remembers what it was given."""

    stride = 1

    def __init__(self, channel=0):
        self.channel, self.batches = channel, []

    def run(self, images):
        assert images.dtype == np.float32 and images.flags.c_contiguous
        self.batches.append(images)
        here = images[:, self.channel]
        return np.stack([np.full_like(here, 0.5), here], axis=1) * 20

    def halo(self):
        return Halo()


def segmenter(channels=1, runner=None, **volume):
    card = Card(
        architecture="none",
        arguments={"in_channels": channels, "num_classes": 2},
        classes=("background", "bright"),
        colours=default_colours(2),
        volume={"axis": 2, "spacing": None, "intensity": RULE, "neighbours": 0, **volume},
    )
    return Segmenter(runner or Threshold(), card)


def volume(codes="RAS", shape=(5, 6, 7), spacing=(1.0, 1.5, 3.0), channels=()):
    array = np.random.default_rng(0).random((*shape, *channels), dtype=np.float32)
    directions = np.array([[0.98, -0.17, 0.1], [0.17, 0.98, 0.05], [-0.1, -0.03, 0.99]])
    affine = np.eye(4)
    affine[:3, :3] = directions / np.linalg.norm(directions, axis=0) * spacing
    turn = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(codes))
    turned = orientations.apply_orientation(array, turn)
    return Volume(turned, affine @ orientations.inv_ornt_aff(turn, shape), Path("scan.nii.gz"))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("codes", ["RAS", "LPS", "SLA", "PIR", "ARI"])
def test_every_voxel_is_judged_by_itself_and_put_where_it_was(axis, codes):
    given = volume(codes)
    assert np.array_equal(segment_volume(segmenter(axis=axis), given), given.array > 0.5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("neighbours", [1, 2])
def test_neighbours_are_further_channels_and_edges_are_repeated(axis, neighbours):
    """Channel k of a slice is the slice k - n further on, its own channels together: looked up voxel by voxel."""
    given = volume("LPS", channels=(2,))
    turned, seen = canonical(given), 2 * neighbours + 1
    for channel in range(2 * seen):
        shift, own = channel // 2 - neighbours, channel % 2
        mask = segment_volume(segmenter(2 * seen, Threshold(channel), axis=axis, neighbours=neighbours), given)
        found = canonical(Volume(mask, given.affine, given.file)).array
        for place in np.ndindex(found.shape):
            there = list(place)
            there[axis] = min(max(there[axis] + shift, 0), found.shape[axis] - 1)
            assert found[place] == (turned.array[(*there, own)] > 0.5)


def test_batches_are_of_one_size_and_bounded():
    runner = Threshold()
    given = volume(shape=(64, 64, 11))
    assert np.array_equal(segment_volume(segmenter(runner=runner), given), given.array > 0.5)
    assert {batch.shape for batch in runner.batches} == {(4, 1, 64, 64)} and len(runner.batches) == 3
    told = []
    segment_volume(segmenter(), given, on_slices=lambda done, total: told.append((done, total)))
    assert told == [(4, 11), (8, 11), (11, 11)]


@pytest.mark.parametrize(
    ("axis", "size"),
    [(0, (7 * 3, 6 * 3)), (1, (7 * 3, 5 * 2)), (2, (6 * 3, 5 * 2))],  # rows are of the later axis
)
def test_slices_are_seen_at_the_spacing_of_the_card(axis, size):
    spacing = {0: 0.5, 1: 0.5, 2: 1.0}
    target = [spacing[other] for other in range(3) if other != axis]
    runner = Threshold()
    given = volume("PIR")
    mask = segment_volume(segmenter(runner=runner, axis=axis, spacing=target), given)
    assert {batch.shape[2:] for batch in runner.batches} == {size} and mask.shape == given.array.shape
    assert network_size(segmenter(axis=axis, spacing=target), canonical(given)) == size


def test_a_ball_seen_at_another_spacing_is_found_where_it_is():
    place = np.stack(np.indices((40, 30, 20)), axis=-1) * (1.0, 1.5, 3.0)
    distance = np.linalg.norm(place - np.array([21.0, 20.0, 31.0]), axis=-1)
    array = np.clip(0.5 + (14 - distance) / 20, 0, 1).astype(np.float32)
    given = Volume(array, np.diag([-1.0, 1.5, 3.0, 1.0]), Path("ball.nii.gz"))
    truth = distance < 14
    for target in ([0.7, 0.7], [2.0, 2.0], [3.0, 2.5]):
        mask = segment_volume(segmenter(spacing=target), given) == 1
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.97
        middle = [np.mean(np.nonzero(each), axis=1) for each in (mask, truth)]
        assert np.allclose(*middle, atol=0.1)


def test_on_the_way_back_it_is_probabilities_that_are_resampled():
    """Where three classes meet, the middle of a steep edge is where probabilities are equal, not logits."""
    logits = np.array([[[0.0, 0.0]], [[30.0, -2.0]]], dtype=np.float32)  # k h w: sure of class 1, then of class 0
    found = decided(logits, (1, 100), overlapping=False)[0]
    first, last = 1.0, 1 / (1 + np.exp(2.0))
    places = np.clip((np.arange(100) + 0.5) / 50 - 0.5, 0, 1)
    assert np.array_equal(found, first + places * (last - first) > 0.5)
    codes = decided(logits, (1, 100), overlapping=True)[0]
    assert np.array_equal(codes >> 1 & 1, first + places * (last - first) > 0.5)


def test_the_card_says_what_is_done_afterwards_and_may_be_overruled():
    array = np.zeros((9, 9, 9), np.float32)
    array[1:6, 1:6, 1:6], array[3, 3, 3], array[8, 8, 8] = 1, 0, 1
    given = Volume(array, np.eye(4), Path("scan.nii.gz"))
    plain = segment_volume(segmenter(), given)
    assert np.array_equal(plain, array)
    tidy = segment_volume(segmenter(postprocess={"largest": [1], "holes": [1]}), given)
    assert tidy[3, 3, 3] == 1 and tidy[8, 8, 8] == 0
    assert np.array_equal(segment_volume(segmenter(postprocess={"largest": [1]}), given, {}), plain)


def test_what_does_not_fit_the_model_is_refused():
    with pytest.raises(ShapeError, match=r"scan\.nii\.gz: has 2 channel\(s\), but the model takes 1"):
        segment_volume(segmenter(3, neighbours=1), volume(channels=(2,)))
    with pytest.raises(ConfigError, match=r"scan\.nii\.gz: is a volume, but the model was trained on images"):
        segment_volume(Segmenter(Threshold(), segmenter().card.replace(volume={})), volume())
    given = volume()
    given.array[0, 0, :2] = np.nan, np.inf
    with pytest.raises(DataError, match=r"scan\.nii\.gz: has 2 voxel\(s\) that are no numbers"):
        segment_volume(segmenter(), given)
