"""What `onenet predict` does otherwise with large images: in tiles, from file to file."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onenet.deploy.segmenter import Segmenter

_SCALED_WHOLE = 4096 * 4096  # pixels: up to this an image is read whole where the model wants it smaller ...
_WHOLE = 44  # ... and takes so many bytes a pixel, with its mask and overlay (measured: 1.59 GB for 6000x6000)
_UNITS = {"K": 1000, "M": 1000**2, "G": 1000**3}


class Large:
    """Draws the large ones among the images of a command.

    Args:
        sources: all images.
        tile: the side of tiles, or None.
        memory: what the process may use, such as 300MB, or "".
        any_size: read images beyond the decoder's safety limit too.

    Raises:
        ConfigError: `tile` and `memory` together, or a memory that is none.
    """

    def __init__(self, sources: Sequence[str], tile: int | None, memory: str, any_size: bool) -> None:
        from onenet.errors import ConfigError

        if tile is not None and memory:
            raise ConfigError("--tile and --memory both say how large tiles are; give one of them")
        self._tile, self._limit = tile, parse_memory(memory) if memory else 0
        self._sizes = {source: size for source in sources if (size := _size(source))}
        if any_size:
            from PIL import Image

            Image.MAX_IMAGE_PIXELS = None

    def open(self, model: str, runtime: str, threads: int | None, classes: Sequence[str]) -> "Segmenter":
        """The model, with tiles of the size that was asked for.

        Raises as `onenet.Segmenter`, and ConfigError where the memory is too small.
        """
        import onenet
        from onenet.deploy.opening import is_exported
        from onenet.deploy.peak import give_back_freed_memory, peak_memory, side_within
        from onenet.errors import ConfigError
        from onenet.weights import shipped_file

        if is_exported(model) or shipped_file(model):  # torch would lose time by it
            give_back_freed_memory()
        segmenter = onenet.Segmenter(model, runtime, threads, classes)
        segmenter.tile = self._tile
        if self._limit and segmenter.card.fit == "cover":  # no tiles: the network sees a small image
            if (need := peak_memory()) > self._limit:
                raise ConfigError(f"a limit of {self._limit // 10**6} MB: the model alone takes {need // 10**6 + 1} MB")
        elif self._limit and self._sizes:
            widest = max(width for _, width in self._sizes.values())
            segmenter.tile = side_within(segmenter.runner, segmenter.card.in_channels, widest, self._limit)
        self._segmenter = segmenter
        return segmenter

    def drawn(self, source: str, target: Path, kinds: Sequence[str]) -> list[Path]:
        """Write the results of an image where it is large, and return them; [] where it is not, or must be whole.

        Raises as `onenet.deploy.streaming.draw_file`.
        """
        from onenet.deploy.streaming import STREAMED, draw_file
        from onenet.errors import DataError, ExportError

        size = self._sizes.get(source)
        if size is None or not self._is_large(size):
            return []
        if not set(kinds) <= set(STREAMED) and not _beyond_the_limit(size):
            if self._limit:
                raise DataError(f"{source}: cutouts and probabilities need the whole image in memory; with --memory "
                                "only mask and overlay can be saved")  # fmt: skip
            return []
        try:
            return draw_file(self._segmenter, source, target, kinds, lambda line: print(line, file=sys.stderr))
        except ExportError as error:
            raise DataError(f"{source}: is large, but {error}; --tile 0 computes it in one piece") from None

    def _is_large(self, size: tuple[int, int]) -> bool:
        if self._segmenter.card.fit == "cover":  # the network sees a small image; only reading it is costly
            from onenet.deploy.peak import peak_memory

            pixels = size[0] * size[1]
            return pixels > _SCALED_WHOLE or 0 < self._limit < peak_memory() + _WHOLE * pixels
        return self._segmenter.cuts(size)


def _size(source: str) -> tuple[int, int] | None:
    """(height, width) by the file's header; None where there is none, and reading it says what is wrong."""
    from onenet.errors import OneNetError
    from onenet.images.strips import stored_size

    try:
        return None if source == "-" else stored_size(source)
    except OneNetError:
        return None


def _beyond_the_limit(size: tuple[int, int]) -> bool:
    from PIL import Image

    return Image.MAX_IMAGE_PIXELS is not None and size[0] * size[1] > 2 * Image.MAX_IMAGE_PIXELS


def parse_memory(text: str) -> int:
    """Bytes of "300MB", "1.5 GB" or "300M"; a number alone is in megabytes.

    Raises:
        ConfigError: it is no such size.
    """
    from onenet.errors import ConfigError

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?)(i?)B?\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"--memory {text!r}: is no size; for example 300MB or 1.5GB")
    unit = found[2].upper() or "M"
    return int(float(found[1]) * (_UNITS[unit] if not found[3] else 1024 ** (" KMG".index(unit))))
