"""For libraries that tell the terminal about the processor, their versions, their progress and each other."""

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def silent() -> Iterator[None]:
    """What is printed, logged or warned of is not heard meanwhile, be it in Python or past it; errors are raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)  # libraries in C++ write there, past sys.stderr
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
        logging.disable(before)
