"""Draw docs/images/pets.jpg: test photos, true masks, and the masks of three networks of the small comparison.

python docs/results/pets.py FOLDER     (the folder of `onenet study pareto --budget cpu`)
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import onenet
from onenet import images
from onenet.config import load_config
from onenet.scoring import open_for

SIDE, PHOTOS = 180, (5, 77, 130, 200, 260)
RUNS = ("onenet-ed-4-width16-rate0.0015-seed0", "unet-4-width16-rate0.00075-seed0", "onenet-x-s-rate0.012-seed0")
TARGET = Path(__file__).parent.parent / "images" / "pets.jpg"


def main() -> None:
    """Draw."""
    runs = [Path(sys.argv[1]) / "pet" / name for name in RUNS]
    segmenters = [onenet.Segmenter(run) for run in runs]
    card = segmenters[0].card
    dataset = open_for(card, load_config(str(runs[0] / "config.toml")).data)
    columns = []
    for place in PHOTOS:
        sample = dataset.read(dataset.split("test")[place])
        truth = images.overlay(sample.image, sample.mask, card.colours, card.background)
        masks = [np.asarray(segmenter(sample.image).overlay()) for segmenter in segmenters]
        columns.append(np.vstack([frame(row) for row in (sample.image, truth, *masks)]))
    Image.fromarray(np.hstack(columns)).save(TARGET, quality=85)


def frame(picture: np.ndarray) -> np.ndarray:
    """The upper left square with a white border of 2 pixels."""
    side = min(picture.shape[:2])
    square = images.resize(np.ascontiguousarray(picture[:side, :side, :3]), (SIDE, SIDE))
    return np.pad(square, ((2, 2), (2, 2), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
