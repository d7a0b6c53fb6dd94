"""Peak memory of `onenet predict` against the size of the image: in one piece, and in tiles.

Each figure is a process of its own that draws the mask of one file, and the most that it held (resident), from its
start to its end: interpreter, libraries, weights, image, tiles and mask.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from onenet.errors import ConfigError, OneNetError
from onenet.images import read_image, reflected
from onenet.images.png import png_rows

MOST_WHOLE = 2048 * 2048  # pixels: beyond this no image is computed in one piece
SIZES = ((512, 512), (1024, 1024), (2048, 2048), (4096, 4096))
_SMALL_TILE = 256  # side of tiles where `predict` would not cut by itself
_PHOTO = "oxford_pet/images/Abyssinian_116.jpg"
_ROWS = 64

Size = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One process.

    Attributes:
        height, width: of the image.
        way: "whole" or "tiled".
        peak_mb: the most it held, in 1e6 bytes.
        seconds: from its start to its end.
    """

    height: int
    width: int
    way: str
    peak_mb: float
    seconds: float

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def measure_memory(
    model: str,
    sizes: Sequence[Size] = SIZES,
    options: Sequence[str] = (),
    tile: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Measure `onenet predict MODEL` on images of some sizes, each whole (up to 2048x2048) and in tiles.

    Args:
        model: as `onenet predict` takes it.
        sizes: (height, width) of the images, which are made from a packaged photo.
        options: more options of `onenet predict`, such as "--runtime", "onnxruntime".
        tile: the side of tiles; left out, what `predict` chooses.
        say: is told each row as it comes.

    Raises:
        OneNetError: `predict` fails, with its own words; or this system does not tell what a process held.
    """
    rows = []
    with TemporaryDirectory() as folder:
        for height, width in sorted(set(sizes), key=lambda size: size[0] * size[1]):
            image = Path(folder) / f"{height}x{width}.png"
            write_photo(image, (height, width))
            for way in ["whole"] * (height * width <= MOST_WHOLE) + ["tiled"]:
                peak, seconds = _predict(model, image, [*options, *_cut(way, height * width, tile)])
                rows.append(Row(height, width, way, round(peak / 1e6, 1), round(seconds, 2)))
                say(f"{height}x{width} {way}: {rows[-1].peak_mb:.0f} MB, {seconds:.1f} s")
            image.unlink()
    return rows


def _cut(way: str, pixels: int, tile: int | None) -> list[str]:
    if way == "whole":
        return ["--tile", "0"]
    if tile is None and pixels > MOST_WHOLE:
        return []
    return ["--tile", str(tile or _SMALL_TILE)]


def _predict(model: str, image: Path, options: Sequence[str]) -> tuple[int, float]:
    """Peak memory in bytes and seconds of one process that draws the mask of an image."""
    if not hasattr(os, "wait4"):
        raise OneNetError("this system does not tell how much memory a process has used")
    words = ["predict", model, str(image), "--save", "mask", "--out", str(image.parent / "masks"), *options]
    started = time.perf_counter()
    with (image.parent / "said").open("w+b") as said:
        process = subprocess.Popen([sys.executable, "-m", "onenet", *words], stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode != 0:
        reason = lines[-1].removeprefix("error: ") if lines else f"it ended with {process.returncode}"
        raise OneNetError(f"onenet predict on {image.stem} pixels: {reason}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), time.perf_counter() - started


def write_photo(path: str | Path, size: Size) -> None:
    """Write a PNG of any size, strip by strip: a packaged photo, mirrored back and forth."""
    with png_rows(path, size, 3) as png:
        for strip in photo_strips(size):
            png.write(strip)


def photo_strips(size: Size) -> Iterator[NDArray[np.uint8]]:
    """The rows of that photo, (n, w, 3), from top to bottom."""
    with resources.as_file(resources.files("onenet.samples").joinpath(_PHOTO)) as file:
        photo = np.asarray(read_image(file, 3), dtype=np.uint8)
    height, width = size
    rows, columns = reflected(photo.shape[0], height), reflected(photo.shape[1], width)
    for first in range(0, height, _ROWS):
        yield photo[rows[first : first + _ROWS]][:, columns]


def parse_sizes(text: str) -> list[Size]:
    """Sizes from "512,2048x4096": height x width, or one number for both.

    Raises:
        ConfigError: something else stands there.
    """
    sizes = []
    for word in text.split(","):
        numbers = word.strip().lower().split("x")
        if len(numbers) > 2 or not all(number.isdigit() and int(number) for number in numbers):
            raise ConfigError(f"--sizes {text}: {word.strip()!r} is no size; for example 512,2048x4096")
        sizes.append((int(numbers[0]), int(numbers[-1])))
    return sizes


def memory_markdown(model: str, rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, one line for each size."""
    lines = ["| image | whole, MB | tiled, MB | whole, s | tiled, s |", "|---|---:|---:|---:|---:|"]
    for height, width in dict.fromkeys((row.height, row.width) for row in rows):
        found = {row.way: row for row in rows if (row.height, row.width) == (height, width)}
        whole, tiled = found.get("whole"), found.get("tiled")
        peaks = [f"{row.peak_mb:.0f}" if row else "" for row in (whole, tiled)]
        seconds = [f"{row.seconds:.1f}" if row else "" for row in (whole, tiled)]
        lines.append(f"| {height}x{width} | {' | '.join(peaks + seconds)} |")
    about = f"the most memory that `onenet predict {Path(model).name}` holds, from its start to its end, for its mask"
    return "\n".join([*lines, "", about])
