"""What OpenVINO does to the process that it runs in."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

SIGNALLED = """
import gc, signal, sys
import numpy as np
from onenet.deploy.runtime import OpenVinoSession
first, second = (OpenVinoSession(sys.argv[1], threads=1) for _ in range(2))
first(np.zeros((1, 3, 16, 16), np.float32))
second(np.zeros((1, 3, 16, 16), np.float32))
del first
del second
gc.collect()
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
signal.raise_signal(signal.SIGUSR1)
print(caught)
"""


def test_signals_are_handled_after_sessions_have_come_and_gone(exported_files):
    """As when child processes end, or somebody presses ctrl-c."""
    code = [sys.executable, "-X", "faulthandler", "-c", SIGNALLED, str(exported_files / "ed.onnx")]
    done = subprocess.run(code, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done.stderr
