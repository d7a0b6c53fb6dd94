"""libvips, set up to hold as little memory as it can (pyvips, an optional package)."""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

_OPTIONS = (b"onenet", b"--vips-tile-height=16")  # else it keeps 512 rows of every image that it reads


def open_in_strips(path: str | Path) -> Any:
    """A pyvips image whose rows are decoded as they are asked for, from top to bottom; damages are errors.

    Raises:
        pyvips.Error: libvips cannot open it.
    """
    return _ready().Image.new_from_file(str(path), access="sequential", fail_on="error")


@cache
def _ready() -> Any:
    """pyvips, without caches and threads of its own."""
    os.environ.setdefault("VIPS_WARNING", "0")  # what is wrong with a file is told once, by us
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    import pyvips

    pyvips.cache_set_max(0)
    _parse_options()
    return pyvips


def _parse_options() -> None:
    """Give libvips options that it takes from command lines only; where its library is not found, do without."""
    try:
        maps = Path("/proc/self/maps").read_text().splitlines()
        library = ctypes.CDLL(next(line.split()[-1] for line in maps if "libvips" in line.split()[-1]))
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        library.g_option_context_new.restype = library.g_option_group_new.restype = pointer
        library.g_option_group_new.argtypes = [text, text, text, pointer, pointer]
        library.g_option_context_set_main_group.argtypes = [pointer, pointer]
        library.g_option_context_parse.argtypes = [pointer] * 4
        library.vips_add_option_entries.argtypes = library.g_option_context_free.argtypes = [pointer]
    except (OSError, StopIteration, AttributeError, IndexError):
        return
    context = library.g_option_context_new(b"")
    group = library.g_option_group_new(b"vips", b"", b"", None, None)
    library.vips_add_option_entries(group)
    library.g_option_context_set_main_group(context, group)
    words = ctypes.pointer((text * (len(_OPTIONS) + 1))(*_OPTIONS, None))
    library.g_option_context_parse(context, ctypes.byref(ctypes.c_int(len(_OPTIONS))), ctypes.byref(words), None)
    library.g_option_context_free(context)
