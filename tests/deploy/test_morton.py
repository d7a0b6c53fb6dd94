import numpy as np
import pytest

from onenet.deploy.morton import from_rows, morton_order, to_rows


def test_the_order_of_a_tile_of_four():
    places = np.empty(16, dtype=int)
    places[morton_order(4)] = np.arange(16)
    assert places.reshape(4, 4).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_the_bits_of_a_place_in_the_order_are_those_of_row_and_column_by_turns():
    for place, position in enumerate(morton_order(16).tolist()):
        row, column = divmod(position, 16)
        bits = "".join(r + c for r, c in zip(f"{row:04b}", f"{column:04b}", strict=True))
        assert int(bits, 2) == place


@pytest.mark.parametrize(("height", "width", "tile"), [(16, 16, 16), (32, 48, 16), (4, 12, 4), (6, 2, 2), (3, 5, 1)])
def test_rows_hold_the_pixels_tile_by_tile(height, width, tile):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = []
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            pixels = image[top : top + tile, left : left + tile].reshape(-1, 3)
            expected += [pixels[place] for place in morton_order(tile)]
    rows = to_rows(image, tile)
    assert np.array_equal(rows, np.stack(expected))
    assert np.array_equal(from_rows(rows, (height, width), tile), image)


def test_four_rows_that_follow_each_other_are_what_pixel_unshuffle_stacks():
    import torch

    image = np.arange(16 * 32 * 3).reshape(16, 32, 3)
    stacked = torch.nn.functional.pixel_unshuffle(torch.from_numpy(image).permute(2, 0, 1)[None], 2)[0]  # 4c h/2 w/2
    by_phase = stacked.unflatten(0, (3, 4)).transpose(0, 1).flatten(0, 1).permute(1, 2, 0).numpy()  # h/2 w/2 (phase c)
    assert np.array_equal(to_rows(image, 16).reshape(-1, 12), to_rows(by_phase, 8))
