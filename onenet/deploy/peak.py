"""The memory of this process: how much it has held at most, and the tiles that keep it below a limit."""

import ctypes
import sys
import time
from pathlib import Path

import numpy as np

from onenet.deploy.runner import Runner
from onenet.deploy.tiling import Tiler
from onenet.errors import ConfigError, OneNetError

_SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
_STRIPS = 3  # times the bytes of a strip: its rows as they are read, those that are kept, and their mask
_SECONDS = 10.0  # after which no larger tile is tried
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of mallopt, glibc


def peak_memory() -> int:
    """Bytes that this process has held at most (resident).

    Raises:
        OneNetError: this system does not tell.
    """
    if sys.platform == "linux":  # getrusage would count what the process that started this one had held
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    try:
        import resource
    except ModuleNotFoundError:
        raise OneNetError(
            "this system does not tell how much memory is used; set the tiles' size with --tile"
        ) from None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def give_back_freed_memory() -> None:
    """Let the C library return what is freed to the system at once, instead of keeping it in pieces (glibc only)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 17)
        mallopt(_ARENA_MAX, 1)


def side_within(runner: Runner, channels: int, width: int, limit: int) -> int:
    """The side of the largest tiles with which a process stays below `limit` bytes, by trying growing ones.

    Args:
        runner: the network, loaded.
        channels: of its images.
        width: of the image.
        limit: bytes.

    Raises:
        ConfigError: not even the smallest tiles do.
        ExportError: the network cannot be cut into tiles.
    """
    started, loaded, found, pixels, used = time.perf_counter(), peak_memory(), 0, 1, 0
    for side in _SIDES:
        tiler = Tiler(runner, side)
        window = tiler.windows((1 << 20, width))
        strips = _STRIPS * (window[0] + tiler.block[0]) * width * channels
        grown = (used - loaded) * window[0] * window[1] // pixels
        if found and (time.perf_counter() - started > _SECONDS or loaded + grown + strips > limit):
            break
        runner.run(np.full((1, channels, *window), 0.5, dtype=np.float32))
        used = peak_memory()
        if used + strips > limit:
            break
        found, pixels = tiler.block[0], window[0] * window[1]
    if not found:
        need = (used + strips) // 1_000_000 + 1
        raise ConfigError(f"a limit of {limit // 1_000_000} MB: with the smallest tiles this takes {need} MB")
    return found
