"""How far a network looks, found with NaN: networks whose reach is known from their kernels."""

import pytest
import torch
from torch import nn

from onenet.deploy.runner import Halo
from onenet.errors import ExportError
from onenet.models.probing import probed_halo


def convs(*convs):
    return nn.Sequential(*convs)


class Ring(nn.Module):
    """A convolution along rows whose first and last pixel are neighbours."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, (1, 3), padding=(0, 1), padding_mode="circular")

    def forward(self, x):
        return self.conv(x)


NETWORKS = {
    "one pixel": (nn.Conv2d(1, 1, 1), 1, Halo()),
    "three pixels": (nn.Conv2d(1, 1, 3, padding=1), 1, Halo(1, 1, 1, 1)),
    "rounded up": (nn.Conv2d(1, 1, 3, padding=1), 4, Halo(4, 4, 4, 4)),
    "dead": (convs(nn.Conv2d(1, 1, 3, padding=1), nn.Threshold(1e9, 0)), 2, Halo(2, 2, 2, 2)),
    "one side": (convs(nn.ZeroPad2d((3, 0, 0, 1)), nn.Conv2d(1, 1, (2, 4))), 1, Halo(0, 1, 3, 0)),
    "far": (convs(*(nn.Conv2d(1, 1, 3, padding=9, dilation=9) for _ in range(4))), 1, Halo(36, 36, 36, 36)),
    "in train mode": (convs(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).train(), 2, Halo()),
    "a ring": (Ring(), 2, Halo(whole_rows=True)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_the_kernels_say(name):
    network, stride, halo = NETWORKS[name]
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)  # no value gets through, but NaN does
    assert probed_halo(network, stride, channels=1) == halo
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


@pytest.mark.parametrize("whole", [nn.InstanceNorm2d(1, affine=True), nn.AdaptiveAvgPool2d(1)])
def test_what_looks_at_the_whole_image_is_refused(whole):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.whole, self.conv = whole, nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.conv(x) + self.whole(x)

    with pytest.raises(ExportError, match="depend on all rows of an image, so it cannot be cut into tiles"):
        probed_halo(Mixed(), 2, channels=1)
