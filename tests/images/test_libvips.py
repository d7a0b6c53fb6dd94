"""libvips holds little of a wide image while it is read."""

import subprocess
import sys

import numpy as np
import pytest

from onenet.images.png import png_rows

pytest.importorskip("pyvips")

READING = """
import sys
from onenet.deploy.peak import give_back_freed_memory, peak_memory
from onenet.images.strips import StripReader
give_back_freed_memory()
reader = StripReader(sys.argv[1], 3)
before = peak_memory()
for _ in range(1200 // 48):
    reader.read(48)
print((peak_memory() - before) / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there the library's options can be set")
def test_a_few_rows_are_held_at_a_time(tmp_path):
    with png_rows(tmp_path / "wide.png", (1200, 16384), 3) as png:  # 59 MB of pixels, 49 kB a row
        for _ in range(25):
            png.write(np.zeros((48, 16384, 3), dtype=np.uint8))
    done = subprocess.run(
        [sys.executable, "-c", READING, tmp_path / "wide.png"], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 20
