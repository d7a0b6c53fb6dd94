"""For libraries that tell the terminal about the processor, their versions, their progress and each other."""

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

_LOCK = threading.Lock()
_INSIDE: list[Callable[[], None]] = []  # how to end it, once for each that is inside


@contextmanager
def silent() -> Iterator[None]:
    """What is logged, warned of or written to standard error, past Python too, is not heard; errors are raised.

    It is so for the whole process: for loading a library or a model, not for running one. Any number of threads may be
    inside at once; the last one restores what was. What other threads print to standard output is heard.
    """
    with _LOCK:
        _INSIDE.append(_INSIDE[0] if _INSIDE else _begin())
    try:
        yield
    finally:
        with _LOCK:
            end = _INSIDE.pop()
            if not _INSIDE:
                end()


@contextmanager
def silent_commands() -> Iterator[None]:
    """`silent`, and what this process prints goes nowhere either: for converters, which a command calls."""
    with silent(), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
        yield


def _begin() -> Callable[[], None]:
    stack = ExitStack()
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    stack.callback(logging.disable, before)
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    if sys.stderr is not None:
        sys.stderr.flush()
    stack.enter_context(redirect_stderr(io.StringIO()))
    try:
        kept = os.dup(2)
    except OSError:  # it is closed, so nothing can be heard
        return stack.close
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)  # libraries in C++ write there, past sys.stderr

    def restore() -> None:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)

    stack.callback(restore)
    return stack.close
