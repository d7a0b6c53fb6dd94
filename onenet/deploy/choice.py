"""Which runtime is faster for a file on this machine: measured the first time it is opened, then remembered."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from onenet.card import Card
from onenet.deploy.runner import Runner
from onenet.deploy.runtime import RUNTIMES
from onenet.errors import DataError, OneNetError
from onenet.images import atomic_write, padded_to

_ROUNDS = 3
_LARGEST = 256  # side of the image that is timed


def remembered_choice(path: Path, card: Card, threads: int, runner: Callable[[str], Runner]) -> str:
    """The faster one of `RUNTIMES` for a file: as measured before, else measured now."""
    key = f"{_identity(path)}-{threads}"
    known = _read()
    if known.get(key) not in RUNTIMES:
        known[key] = faster(_opened(runner), card)
        _write(known)
    return known[key]


def faster(runners: dict[str, Runner], card: Card) -> str:
    """The name of the runner that takes least for an image of the card's size, at most 256 pixels wide."""
    h, w = (padded_to(min(side, _LARGEST), card.stride) for side in card.size)
    image = np.random.default_rng(0).random((1, card.in_channels, h, w), dtype=np.float32)
    seconds = {name: float("inf") for name in runners}
    for turn in range(1 + _ROUNDS):  # in turns, since the machine may be busy; the first is not counted
        for name, runner in runners.items():
            started = time.perf_counter()
            try:
                runner.run(image)
            except (OneNetError, RuntimeError):  # a graph that this runtime loads, but cannot compute
                continue
            if turn:
                seconds[name] = min(seconds[name], time.perf_counter() - started)
    return min(seconds, key=lambda name: seconds[name])


def _opened(runner: Callable[[str], Runner]) -> dict[str, Runner]:
    """The runners of those runtimes that load the file."""
    opened, errors = dict[str, Runner](), []
    for name in RUNTIMES:
        try:
            opened[name] = runner(name)
        except DataError as error:
            errors.append(error)
    if not opened:
        raise errors[0]
    return opened


def _identity(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return hashlib.sha256(head + str(path.stat().st_size).encode()).hexdigest()[:16]


def _file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "onenet" / "runtimes.json"


def _read() -> dict[str, str]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    return {str(k): str(v) for k, v in known.items()} if isinstance(known, dict) else {}


def _write(known: dict[str, str]) -> None:
    try:
        with atomic_write(_file()) as file:
            file.write(json.dumps(known, indent=1).encode())
    except (OneNetError, RuntimeError):
        return  # a home that cannot be written to: measured again next time
