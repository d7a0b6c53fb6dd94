import numpy as np
import pytest
import torch

from onenet.errors import ShapeError
from onenet.layers.spatial import SpatialConv, SpatialConvChannelMajor

B, C, H, W = 2, 3, 4, 5
AXES = {SpatialConv: (0, 2, 3, 1), SpatialConvChannelMajor: (0, 1, 2, 3)}  # b h w c, b c h w


def filtered(line: np.ndarray, kernel: np.ndarray, bias: float) -> np.ndarray:
    """Slide over one line, mirrored at its two ends (the outermost element is not repeated), then ReLU."""
    n, reach = len(line), len(kernel) // 2
    out = np.zeros(n)
    for place in range(n):
        for tap, weight in enumerate(kernel):
            at = place + tap - reach
            at = -at if at < 0 else 2 * (n - 1) - at if at >= n else at
            out[place] += weight * line[at]
    return np.maximum(out + bias, 0)


@pytest.mark.parametrize("layer", AXES)
@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_it_filters_the_flattened_tensor(layer, kernel):
    torch.manual_seed(0)
    spatial = layer(kernel).double()
    torch.nn.init.normal_(spatial.conv.weight)
    x = torch.randn(B, C, H, W, dtype=torch.float64)

    axes = AXES[layer]
    lines = x.numpy().transpose(axes)
    weight, bias = spatial.conv.weight.detach().numpy()[0, 0], spatial.conv.bias.item()
    expected = np.stack([filtered(image.reshape(-1), weight, bias).reshape(image.shape) for image in lines])
    assert 0 < (expected == 0).mean() < 1  # the ReLU has something to do
    np.testing.assert_allclose(spatial(x).detach().numpy().transpose(axes), expected, atol=1e-12)


def reached(layer: type[SpatialConv], pixel: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    """Which (channel, row, column) a single 1 is spread to by a kernel of three ones."""
    spatial = layer(3)
    torch.nn.init.ones_(spatial.conv.weight)
    torch.nn.init.zeros_(spatial.conv.bias)
    x = torch.zeros(1, C, H, W)
    x[(0, *pixel)] = 1
    return {tuple(place) for place in spatial(x)[0].nonzero().tolist()}


def test_pixel_by_pixel_the_neighbours_are_channels():
    assert reached(SpatialConv, (1, 2, 2)) == {(0, 2, 2), (1, 2, 2), (2, 2, 2)}
    assert reached(SpatialConv, (2, 2, 2)) == {(1, 2, 2), (2, 2, 2), (0, 2, 3)}


def test_channel_by_channel_the_neighbours_are_pixels_of_the_row():
    assert reached(SpatialConvChannelMajor, (1, 2, 2)) == {(1, 2, 1), (1, 2, 2), (1, 2, 3)}


@pytest.mark.parametrize(
    ("layer", "last", "next_row"),
    [(SpatialConv, (2, 1, W - 1), (0, 2, 0)), (SpatialConvChannelMajor, (1, 1, W - 1), (1, 2, 0))],
)
def test_the_end_of_a_row_runs_on_into_the_next(layer, last, next_row):
    assert next_row in reached(layer, last)


@pytest.mark.parametrize("layer", AXES)
def test_it_learns_a_kernel_and_a_bias_and_leaves_its_input_alone(layer):
    spatial, x = layer(9), torch.randn(B, C, H, W)
    before = x.clone()
    with torch.inference_mode():
        spatial(x)
    assert torch.equal(x, before)
    assert sum(p.numel() for p in spatial.parameters()) == 10


def test_a_kernel_longer_than_the_image_is_refused_with_the_longest_that_fits():
    with pytest.raises(ShapeError, match="spatial_kernel=9 is too long for this image; it can be at most 7"):
        SpatialConv(9)(torch.rand(1, 1, 2, 2))
