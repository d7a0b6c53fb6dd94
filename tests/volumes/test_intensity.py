"""Grey values in [0, 1]: each rule against its definition."""

import numpy as np
import pytest

from onenet.volumes import normalise


@pytest.mark.parametrize("shape", [(6, 7, 8), (6, 7, 8, 2)])
def test_each_rule_is_its_definition(shape):
    array = np.random.default_rng(0).normal(100, 50, shape)
    array[:2] = 0
    for index in range(shape[3] if len(shape) == 4 else 1):
        one = array[..., index] if len(shape) == 4 else array

        def found(rule, index=index):
            whole = normalise(array, rule)
            return whole[..., index] if len(shape) == 4 else whole

        low, high = np.percentile(one, [2, 90])
        cut = np.clip((one - low) / (high - low), 0, 1)
        assert np.allclose(found({"kind": "percentiles", "low": 2, "high": 90}), cut, atol=1e-6)
        body = one[one != 0]
        z = (one - body.mean()) / body.std()
        assert np.allclose(found({"kind": "zscore", "reach": 2}), np.clip((z + 2) / 4, 0, 1), atol=1e-5)
        window = np.clip((one - 40) / 160, 0, 1)
        assert np.allclose(found({"kind": "window", "low": 40, "high": 200}), window, atol=1e-6)
        assert np.allclose(found({"kind": "window", "centre": 120, "width": 160}), window, atol=1e-6)


def test_what_little_stands_out_of_one_value_is_seen():
    array = np.zeros((10, 10, 100, 2), np.float32)
    array[0, 0, :3, 0] = 50, 100, 25
    array[..., 1], array[1, 1, 1, 1] = 7, -3
    found = normalise(array, {"kind": "percentiles"})
    assert np.array_equal(found[..., 0], array[..., 0] / 100)
    assert found[1, 1, 1, 1] == 0 and (found[..., 1] == 1).sum() == array[..., 1].size - 1


def test_an_empty_volume_becomes_0():
    assert (normalise(np.full((3, 3, 3), 7, np.int16), {"kind": "percentiles"}) == 0).all()


def test_a_volume_of_whole_numbers_is_left_as_it_is_and_single_precision_comes_out():
    array = np.arange(-30, 34, dtype=np.int16).reshape(4, 4, 4)
    before = array.copy()
    for rule in ({"kind": "percentiles"}, {"kind": "zscore"}, {"kind": "window", "low": -5, "high": 5}):
        found = normalise(array, rule)
        assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert np.array_equal(array, before)
