"""A model in a process of its own: how long until the first mask, and how much memory it takes at most.

`python -m onenet.bench.fresh` is that process; `measure_fresh` starts it.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer

import numpy as np
from numpy.typing import NDArray

from onenet.bench.candidates import Candidate, open_candidate
from onenet.errors import OneNetError

MASKS = 3  # that the process draws
_LONGEST = 300  # seconds that it may take

Photo = bytes | NDArray  # a file in memory; an array where no file format has as many channels


@dataclass(frozen=True)
class Fresh:
    """What a fresh process took.

    Attributes:
        first_mask: seconds from the start of the process to its first mask: Python, imports, loading, computing.
        peak_bytes: the most memory that it held.
    """

    first_mask: float
    peak_bytes: int


def measure_fresh(candidate: Candidate, photo: Photo, threads: int, masks: int = MASKS) -> Fresh:
    """Start a process that opens a model and draws masks of a photo.

    Raises:
        OneNetError: it fails; its last words are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo"
        file.write_bytes(photo if isinstance(photo, bytes) else _npy(photo))
        words = [json.dumps(asdict(candidate)), str(file), str(threads), str(masks)]
        with (Path(folder) / "complaint").open("w+") as complaint:
            started = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "onenet.bench.fresh", *words], stdout=subprocess.PIPE, stderr=complaint,
                text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            )  # fmt: skip
            late = Timer(_LONGEST, process.kill)
            late.start()
            with process:
                assert process.stdout is not None
                process.stdout.readline()
                first = time.perf_counter() - started
                said = process.stdout.read()
            late.cancel()
            complaint.seek(0)
            reason = complaint.read().strip().splitlines()
    if process.returncode:
        why = reason[-1] if reason else f"exit code {process.returncode}"
        raise OneNetError(f"{candidate.model} in {candidate.runtime}: its fresh process fails: {why}")
    return Fresh(first, int(said))


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # not getrusage, whose figure a child inherits from what its parent held
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def _npy(array: NDArray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _main() -> None:
    candidate, file, threads, masks = sys.argv[1:]
    segmenter = open_candidate(Candidate(**json.loads(candidate)), int(threads))
    data = Path(file).read_bytes()
    photo = np.load(io.BytesIO(data)) if data.startswith(b"\x93NUMPY") else data
    for count in range(int(masks)):
        mask = segmenter(photo).mask
        if count == 0:
            print(mask.size, flush=True)
    print(peak_bytes())


if __name__ == "__main__":
    _main()
