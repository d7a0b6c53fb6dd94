"""The errors a caller can meet. Each message is one line: what, which value, where, what to do next."""

import difflib
from collections.abc import Iterable


class OneNetError(Exception):
    """Anything that a caller can put right; the command line prints it as one line and exits with 2."""


class ConfigError(OneNetError, ValueError):
    """A name, key or value of a recipe, a constructor or a command line is wrong."""


class DataError(OneNetError, ValueError):
    """A file of images, masks or weights is missing, unreadable or does not fit the rest."""


class ShapeError(OneNetError, ValueError):
    """An array has the wrong number of axes, channels or classes."""


class ExportError(OneNetError, ValueError):
    """A network cannot be written in the form, the format or the precision asked for."""


class FailedCheckError(OneNetError, RuntimeError):
    """What was measured is not good enough: the command line exits with 1, not 2."""


class TrainError(OneNetError, RuntimeError):
    """Training cannot go on: the loss or the weights are no numbers."""


_SHORT = 3  # letters: what is nearest to "gpu" is "cpu"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message for an unknown `word`: the nearest known ones, else all of them."""
    known = list(known)
    by_letters = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_letters, n=3, cutoff=0.6)
    if len(word) <= _SHORT:
        near = [name for name in near if name.startswith(word.casefold())]
    if near:
        return f"did you mean {' or '.join(by_letters[name] for name in near)}?"
    return f"choose from {', '.join(known)}" if known else "there is none"


def describe_os_error(error: OSError) -> str:
    """The operating system's reason in its own words: "No space left on device", "Permission denied"."""
    return error.strerror or str(error)
