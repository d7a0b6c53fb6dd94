"""Draw docs/images/footprints.jpg: what one pixel's class can depend on, in three networks.

All weights are made positive, so that nothing cancels and no ReLU is closed: the gradient of one logit is then positive
exactly where the network looks.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

import onenet
from onenet import images
from onenet.config import parse_spec
from onenet.data import open_dataset

SIDE, PIXEL = 288, (139, 150)
NETWORKS = ("onenet-ed-4", "onenet-x-s", "unet-4")
TARGET = Path(__file__).parent.parent / "images" / "footprints.jpg"


def main() -> None:
    """Draw."""
    dataset = open_dataset(parse_spec("pet-small:samples:oxford_pet"))
    whole = dataset.read(dataset.split("train")[2]).image
    picture = images.resize(whole, images.scaled_size(whole.shape[:2], (SIDE, SIDE)))[:SIDE, :SIDE]
    Image.fromarray(np.hstack([panel(name, picture) for name in NETWORKS])).save(TARGET, quality=90)


def panel(name: str, picture: np.ndarray) -> np.ndarray:
    """The photo, dark where the network does not look for the class of `PIXEL`."""
    seen = footprint(name)
    shown = np.where(seen[..., None], picture, picture // 4).astype(np.uint8)
    drawn = Image.fromarray(shown)
    draw, (row, column) = ImageDraw.Draw(drawn), PIXEL
    draw.ellipse((column - 3, row - 3, column + 3, row + 3), outline=(255, 90, 0), width=2)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    draw.text((8, 8), f"{name}: {np.ptp(rows) + 1} x {np.ptp(columns) + 1}", fill=(255, 255, 255))
    return np.pad(np.asarray(drawn), ((2, 2), (2, 2), (0, 0)), constant_values=255)


def footprint(name: str) -> np.ndarray:
    """Where the image can change the logits of `PIXEL`, (h, w) bool."""
    network = onenet.create_model(name, width=8).double().eval()
    for where, part in list(network.named_modules()):
        if isinstance(part, nn.MaxPool2d):  # its gradient would follow the largest pixel only
            network.set_submodule(where, nn.AvgPool2d(2))
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            part.weight.data.abs_().add_(0.1)
            if part.bias is not None:
                part.bias.data.abs_()
    image = torch.rand(1, 3, SIDE, SIDE, dtype=torch.float64).add_(1).requires_grad_()
    network(image)[0, :, PIXEL[0], PIXEL[1]].sum().backward()
    assert image.grad is not None
    return (image.grad[0].abs().sum(0) > 0).numpy()


if __name__ == "__main__":
    main()
