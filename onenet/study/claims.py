"""Several processes that do one study: what is to be done belongs to whoever claims it first.

A claim is the lock of a small file beside a run's folder. It ends with the process, however that ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onenet.errors import OneNetError, describe_os_error

try:
    import fcntl
except ImportError:  # Windows has no such locks: one process a study there
    fcntl = None  # type: ignore[assignment]


class TakenError(OneNetError):
    """Another process has the claim."""


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold the claim to a run's folder.

    Raises:
        TakenError: another process holds it.
        OneNetError: nothing can be written there.
    """
    if fcntl is None:
        yield
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.claim").open("w")
    except OSError as error:
        raise OneNetError(f"{folder}: cannot be written ({describe_os_error(error)}); choose another --out") from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TakenError(f"{folder}: another process works on it") from None
        yield
