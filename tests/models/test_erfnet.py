"""ERFNet's parts against their definitions and the paper's table."""

import torch
from torch import nn
from worn import tensor, whole, worn

from onenet.models.erfnet import Down, NonBottleneck1D


def test_a_block_of_erfnet_is_two_factorised_convolutions_and_a_shortcut():
    module = worn(NonBottleneck1D(6, dilation=2, dropout=0.3))
    x = tensor(1, 6, 9, 11)
    convs = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert [(conv.kernel_size, conv.dilation) for conv in convs] == [
        ((3, 1), (1, 1)), ((1, 3), (1, 1)), ((3, 1), (2, 1)), ((1, 3), (1, 2)),
    ]  # fmt: skip
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    y = norms[0](convs[1](convs[0](x).relu())).relu()
    y = norms[1](convs[3](convs[2](y).relu()))
    torch.testing.assert_close(module(x), (x + y).relu())


def test_erfnet_has_the_layers_of_its_table():
    model = whole("erfnet", 19)
    blocks = [part for part in model.encoder.modules() if isinstance(part, NonBottleneck1D)]
    drops = [[part.p for part in block.modules() if isinstance(part, nn.Dropout2d)] for block in blocks]
    assert drops == [[0.03]] * 5 + [[0.3]] * 8
    far = [[part.dilation for part in block.modules() if isinstance(part, nn.Conv2d)][2][0] for block in blocks]
    assert far == [1] * 5 + [2, 4, 8, 16] * 2
    features = model.encoder(torch.zeros(1, 3, 64, 128, device="meta"))
    assert [tuple(level.shape[1:]) for level in features] == [(16, 32, 64), (64, 16, 32), (128, 8, 16)]
    assert not any(isinstance(part, nn.Dropout2d) for part in model.decoder.modules())
    assert model.decoder(features).shape == (1, 16, 32, 64)


def test_where_channels_do_not_grow_nothing_is_pooled_beside():
    assert Down(3, 2)(torch.zeros(1, 3, 4, 6)).shape == (1, 2, 2, 3)
    assert Down(3, 8).conv.out_channels == 5 and Down(3, 2).conv.out_channels == 2
