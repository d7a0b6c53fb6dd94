"""Enlargement: at first bilinear interpolation, whatever it learns a mixture of neighbouring places."""

import pytest
import torch
from torch.nn import functional as F

from onenet.layers.enlarge import Enlarge, between


@pytest.mark.parametrize("factor", [2, 4])
def test_it_begins_as_bilinear_interpolation_inside_the_border(factor):
    x = torch.rand(2, 3, 6, 7, dtype=torch.float64)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    found = Enlarge(3, factor).double()(x)
    inner = slice(factor, -factor)
    assert torch.allclose(found[:, :, inner, inner], expected[:, :, inner, inner], atol=1e-12)
    assert torch.allclose(between(factor).sum(1), torch.ones(factor))


def test_at_the_border_all_channels_shrink_alike():
    x = torch.rand(1, 4, 3, 3, dtype=torch.float64)
    clamped = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
    found = Enlarge(4).double()(x).detach()
    assert torch.equal(found.argmax(1), clamped.argmax(1))
    assert 0 < float((found / clamped).min()) < 1


def test_each_channel_is_enlarged_by_itself_with_kernels_of_its_own():
    enlarge = Enlarge(2).double()
    enlarge[1].weight.data[16:] *= 3
    x = torch.rand(1, 2, 3, 4, dtype=torch.float64)
    plain = Enlarge(2).double()(x)
    assert torch.allclose(enlarge(x), plain * torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None, None])
    # the phases, by loops: row 4y+r, column 4x+s of what the place (y, x) becomes
    shares = between(4).double()
    rows = F.pad(x, (1, 1, 1, 1))
    for y, column, r, s in ((0, 1, 0, 3), (2, 2, 3, 1)):
        total = sum(shares[r, i] * shares[s, j] * rows[0, 0, y + i, column + j] for i in range(3) for j in range(3))
        assert torch.isclose(plain[0, 0, 4 * y + r, 4 * column + s], total)
