"""Draw docs/images/demo.jpg from the run in runs/demo: images, true masks and predictions, evenly from good to bad."""

from pathlib import Path

import numpy as np
from PIL import Image

from onenet import images
from onenet.config import load_config
from onenet.scoring import evaluate

SIDE, COLUMNS = 224, 5
TARGET = Path(__file__).parent.parent / "images" / "demo.jpg"


def main() -> None:
    """Draw."""
    evaluation = evaluate("runs/demo", load_config("demo").data, "test")
    card = evaluation.segmenter.card
    strips = evaluation.strips(evaluation.report.images)
    columns = []
    for place in np.linspace(0, len(strips) - 1, COLUMNS).round().astype(int):
        strip = strips[place]
        rows = [
            strip.image,
            images.overlay(strip.image, strip.truth, card.colours, card.background),
            images.overlay(strip.image, strip.prediction, card.colours, card.background),
        ]
        columns.append(np.vstack([frame(row) for row in rows]))
    Image.fromarray(np.hstack(columns)).save(TARGET, quality=88)


def frame(picture: np.ndarray) -> np.ndarray:
    """The upper left square with a white border of 2 pixels."""
    side = min(picture.shape[:2])
    square = images.resize(np.ascontiguousarray(picture[:side, :side]), (SIDE, SIDE))
    return np.pad(square, ((2, 2), (2, 2), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
