"""The memory of a process, and tiles that stay within a limit: each in a process of its own."""

import subprocess
import sys

import pytest

from onenet.deploy.peak import side_within
from onenet.deploy.runner import Halo
from onenet.errors import ConfigError

HUNGRY = """
import sys
import numpy as np
from onenet.deploy.peak import peak_memory, side_within
from onenet.deploy.runner import Halo

class Hungry:  # takes 400 bytes for each pixel of its window, as a network of 100 channels does
    stride = 16
    halo = staticmethod(lambda: Halo(16, 16, 16, 16))
    def run(self, images):
        return np.ones((1, 100, *images.shape[2:]), dtype=np.float32)

before = peak_memory()
print(side_within(Hungry(), 3, 4000, before + int(sys.argv[1]) * 1_000_000), peak_memory() - before)
"""


def run(code, *words):
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return list(map(int, done.stdout.split()))


def test_the_peak_is_what_was_held():
    code = (
        "import numpy as np; from onenet.deploy.peak import peak_memory; before = peak_memory();"
        "held = np.ones(50_000_000 // 8); print((peak_memory() - before) // 1_000_000)"
    )
    assert 45 <= run(code)[0] <= 60


@pytest.mark.parametrize("extra", [60, 250])
def test_tiles_grow_until_the_limit(extra):
    side, grown = run(HUNGRY, str(extra))
    assert side >= 128 and grown < extra * 1_000_000
    assert (3 * side + 32) ** 2 * 400 > extra * 1_000_000  # much larger ones would not do


def test_a_limit_that_cannot_be_kept_says_what_it_takes():
    class Small:
        stride, halo = 16, staticmethod(Halo)

        def run(self, images):
            return images

    with pytest.raises(ConfigError, match=r"a limit of 1 MB: with the smallest tiles this takes \d+ MB"):
        side_within(Small(), 3, 4000, 1_000_000)
