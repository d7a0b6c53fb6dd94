"""Section 3.2: the channel-wise 1D convolution is a 1x1 convolution. Section 3.3: what it saves."""

import torch
from torch import nn

from onenet.layers.channel import ChannelConv
from onenet.models.encoder import DownBlock, conv_encoder, plain_conv

B, C, N, H, W = 2, 6, 5, 3, 4
ROUNDING = 1e-12  # of float64


def test_it_is_the_strided_conv1d_of_the_flattened_tensor():
    torch.manual_seed(0)
    ours = ChannelConv(C, N).double().conv
    papers = nn.Conv1d(1, N, kernel_size=C, stride=C).double()
    papers.load_state_dict({"weight": ours.weight.reshape(N, 1, C), "bias": ours.bias})

    x = torch.randn(B, C, H, W, dtype=torch.float64)
    flat = x.permute(0, 2, 3, 1).reshape(B, 1, H * W * C)
    torch.testing.assert_close(ours(x), papers(flat).view(B, N, H, W), atol=ROUNDING, rtol=0)


def test_it_is_one_matrix_for_every_pixel():
    torch.manual_seed(0)
    conv = ChannelConv(C, N).double().conv
    x = torch.randn(B, C, H, W, dtype=torch.float64)
    matrix = conv.weight.view(N, C)
    for row in range(H):
        for column in range(W):
            pixel = x[:, :, row, column] @ matrix.T + conv.bias
            torch.testing.assert_close(conv(x)[:, :, row, column], pixel, atol=ROUNDING, rtol=0)


def conv_weights(block: nn.Module) -> int:
    return sum(conv.weight.numel() for conv in block.modules() if isinstance(conv, nn.Conv2d))


def test_an_encoder_block_has_12_c_squared_weights_where_unet_has_6_k_squared_c_squared():
    c, k = 64, 3
    with torch.device("meta"):
        onenet = conv_weights(DownBlock(c, (nn.Identity(), nn.Identity())))
        unet = conv_weights(conv_encoder(3, c, blocks=1, stem_repeat=2, conv=plain_conv).blocks[0])
    assert onenet == 12 * c**2
    assert unet == 6 * k**2 * c**2
    assert unet / onenet == k**2 / 2
