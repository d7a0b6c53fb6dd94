import numpy as np
import torch

from onenet.layers.channel import ChannelConv


def layer(plain: bool = False) -> ChannelConv:
    """3 -> 4 channels, in evaluation mode, with norm statistics that matter."""
    torch.manual_seed(0)
    made = ChannelConv(3, 4, plain=plain)
    if not plain:
        for values in (made.norm.running_mean, made.norm.weight.data, made.norm.bias.data):
            values.normal_()
        made.norm.running_var.uniform_(0.5, 2)
    return made.eval()


def convolve(made: ChannelConv, x: torch.Tensor) -> np.ndarray:
    """The convolution alone, pixel by pixel."""
    weight, bias = made.conv.weight.detach().numpy()[:, :, 0, 0], made.conv.bias.detach().numpy()
    return np.einsum("nc,bchw->bnhw", weight, x.numpy()) + bias[:, None, None]


def test_first_convolution_then_relu_then_norm():
    made, x = layer(), torch.randn(2, 3, 5, 6)
    norm = made.norm
    mean, scale, shift = (t.detach().numpy()[:, None, None] for t in (norm.running_mean, norm.weight, norm.bias))
    deviation = np.sqrt(norm.running_var.numpy() + norm.eps)[:, None, None]
    expected = (np.maximum(convolve(made, x), 0) - mean) / deviation * scale + shift
    assert (expected < 0).any()  # as a norm before the ReLU could not give
    np.testing.assert_allclose(made(x).detach().numpy(), expected, atol=1e-5)


def test_plain_is_the_convolution_alone():
    made, x = layer(plain=True), torch.randn(2, 3, 5, 6)
    np.testing.assert_allclose(made(x).detach().numpy(), convolve(made, x), atol=1e-5)
    assert list(made.state_dict()) == ["conv.weight", "conv.bias"]


def test_the_input_is_left_alone():
    x = torch.randn(1, 3, 2, 2)
    before = x.clone()
    with torch.inference_mode():
        layer()(x)
    assert torch.equal(x, before)
