"""onenet-ed without the spatial convolution sees nothing beyond its 16x16 tile; every other variant does."""

import pytest
import torch

import onenet

TILE = 16
H, W = 3 * TILE, 4 * TILE
TILES = [(top, left) for top in range(0, H, TILE) for left in range(0, W, TILE)]


@pytest.fixture
def network(worn):
    def build(name: str) -> torch.nn.Module:
        torch.manual_seed(0)
        return worn(onenet.create_model(name, num_classes=3, width=4)).double().eval()

    return build


@pytest.fixture
def image():
    return torch.rand(1, 3, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def furthest_from_whole(model: torch.nn.Module, image: torch.Tensor) -> float:
    """The largest difference between tiles that were segmented alone and the same tiles of the whole image."""
    with torch.inference_mode():
        whole = model(image)
        return max(
            (model(image[..., top : top + TILE, left : left + TILE]) - whole[..., top : top + TILE, left : left + TILE])
            .abs()
            .max()
            .item()
            for top, left in TILES
        )


def reached(model: torch.nn.Module, image: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """Where (h, w) the logits change when one pixel of the image does."""
    other = image.clone()
    other[..., row, column] = 1 - other[..., row, column]
    with torch.inference_mode():
        return (model(other) != model(image)).any(dim=1)[0]


def tile_of(row: int, column: int) -> torch.Tensor:
    inside = torch.zeros(H, W, dtype=torch.bool)
    top, left = row // TILE * TILE, column // TILE * TILE
    inside[top : top + TILE, left : left + TILE] = True
    return inside


def test_tile_by_tile_equals_the_whole_image(network, image):
    assert furthest_from_whole(network("onenet-ed-4"), image) < 1e-12


@pytest.mark.parametrize("name", ["onenet-ed-4-spatial", "onenet-e-4", "onenet-d-4", "unet-4"])
def test_the_others_look_beyond_the_tile(network, image, name):
    assert furthest_from_whole(network(name), image) > 1e-6


@pytest.mark.parametrize("pixel", [(0, 0), (15, 16), (16, 15), (40, 63)])
def test_a_pixel_changes_its_own_tile_and_no_other(network, image, pixel):
    changed = reached(network("onenet-ed-4"), image, *pixel)
    inside = tile_of(*pixel)
    assert changed[inside].any()
    assert not changed[~inside].any()


@pytest.mark.parametrize("name", ["onenet-ed-4-spatial", "onenet-e-4"])
def test_in_the_others_it_changes_more_than_its_tile(network, image, name):
    changed = reached(network(name), image, 15, 16)
    assert changed[~tile_of(15, 16)].any()


def test_the_spatial_convolution_wraps_from_the_end_of_a_row_to_the_start_of_the_next(network, image):
    changed = reached(network("onenet-ed-4-spatial"), image, 20, W - 1)
    assert changed[:, :TILE].any()


def test_the_tile_of_ed_5_is_32_wide(network):
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows, columns = reached(network("onenet-ed-5"), image, 40, 3).nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 63, 0, 31)
