"""Surfaces against definitions written with loops and against MONAI."""

import math
import warnings
from itertools import product

import numpy as np
import pytest

from onenet.metrics.surface import hausdorff95, surface_dice, surface_distances

SPACING = (0.7, 1.0, 2.5)


def solid(seed, shape=(9, 8, 7), share=0.5):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).random(shape), 1)
    return noise > np.quantile(noise, 1 - share)


def edges_by_loops(mask):
    found = []
    for place in product(*map(range, mask.shape)):
        if not mask[place]:
            continue
        for axis, step in product(range(3), (-1, 1)):
            other = list(place)
            other[axis] += step
            outside = not 0 <= other[axis] < mask.shape[axis]
            if outside or not mask[tuple(other)]:
                found.append(place)
                break
    return found


def placed(place):
    return [index * step for index, step in zip(place, SPACING, strict=True)]


def distances_by_loops(first, second):
    points, others = ([placed(place) for place in edges_by_loops(mask)] for mask in (first, second))
    return [min(math.dist(point, other) for other in others) for point in points]


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_loops_over_all_edge_voxels(seed):
    truth, prediction = solid(seed), solid(seed + 10)
    true, drawn = surface_distances(truth, prediction, SPACING)
    assert sorted(true) == pytest.approx(sorted(distances_by_loops(truth, prediction)))
    assert sorted(drawn) == pytest.approx(sorted(distances_by_loops(prediction, truth)))
    everything = [*true, *drawn]
    assert surface_dice((true, drawn), 1.0) == pytest.approx(sum(d <= 1.0 for d in everything) / len(everything))


@pytest.mark.parametrize("share", [0.05, 0.4, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_monai_says_the_same(seed, share):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = pytest.importorskip("monai.metrics")
        import torch

        truth, prediction = solid(seed, (16, 12, 10), share), solid(seed + 20, (16, 12, 10), share)
        one, two = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth))
        hd95 = metrics.compute_hausdorff_distance(one, two, include_background=True, percentile=95, spacing=SPACING)
        nsd = {
            mm: metrics.compute_surface_dice(one, two, [mm], include_background=True, spacing=SPACING)
            for mm in (0.0, 1.1, 2.5)
        }
    distances = surface_distances(truth, prediction, SPACING)
    assert hausdorff95(distances) == pytest.approx(hd95.item(), abs=1e-5)
    for mm, value in nsd.items():
        assert surface_dice(distances, mm) == pytest.approx(value.item(), abs=1e-6)


def test_equal_masks_lie_on_each_other_and_a_shifted_one_by_its_shift():
    mask = np.zeros((10, 10, 10), bool)
    mask[2:6, 2:6, 2:6] = True
    same = surface_distances(mask, mask, SPACING)
    assert (hausdorff95(same), surface_dice(same, 0.0)) == (0, 1)
    moved = surface_distances(mask, np.roll(mask, 1, axis=2), SPACING)
    assert hausdorff95(moved) == 2.5
    assert surface_dice(moved, 2.5) == 1
    assert surface_dice(moved, 2.4) < 1


def test_what_is_missing_has_no_hd95_but_a_surface_dice_of_0():
    mask = solid(0)
    nothing = np.zeros_like(mask)
    for pair in ((mask, nothing), (nothing, mask)):
        distances = surface_distances(*pair, SPACING)
        assert math.isnan(hausdorff95(distances))
        assert surface_dice(distances, 100.0) == 0
    neither = surface_distances(nothing, nothing, SPACING)
    assert math.isnan(hausdorff95(neither))
    assert math.isnan(surface_dice(neither, 1.0))
