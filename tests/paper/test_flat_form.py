"""OneNet_ed is a chain of matrix products over pixels in Z-order: no norm, shuffle, padding or kernel is left."""

import numpy as np
import torch
from torch import nn

import onenet
from onenet.deploy.morton import from_rows, to_rows
from onenet.export.flat import FlatForm


def test_onenet_ed_is_matrix_products_and_relus_over_pixels_in_morton_order():
    torch.manual_seed(0)
    network = onenet.create_model("onenet-ed-4", num_classes=5, width=8).double().eval()
    for norm in (part for part in network.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.weight.data.normal_()  # half of them negative
        norm.bias.data.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.1, 2)
    image = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    flat = FlatForm(network, torch.float64)

    pixels = to_rows(image[0].permute(1, 2, 0).numpy(), tile=16)  # (64 * 96, 3): each 16 x 16 tile in Z-order
    logits = flat(torch.from_numpy(pixels)).detach().numpy()  # (64 * 96, 5)

    assert {type(part) for part in flat.modules() if not list(part.children())} == {nn.Linear, nn.ReLU}
    expected = network(image)[0].permute(1, 2, 0).detach().numpy()
    assert np.abs(from_rows(logits, (64, 96), tile=16) - expected).max() < 1e-12
