"""ExecuTorch, Core ML, LiteRT: their packages (hundreds of megabytes) are for environments beside everybody's."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHONES = (
    "tests/export/test_executorch.py", "tests/export/test_programs.py", "tests/export/test_coreml.py",
    "tests/deploy/test_executorch.py",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("packages", "tests"),
    [
        (["-c", str(ROOT / "constraints.txt"), "executorch", "coremltools"], PHONES),
        (["litert-torch==0.10.0"], ("tests/export/test_litert.py",)),  # which wants older versions of some packages
    ],
    ids=["executorch and coremltools", "litert-torch"],
)
def test_what_is_for_phones_is_made_and_run_where_its_packages_are(tmp_path, packages, tests):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "beside"], check=True)
    python = tmp_path / "beside/bin/python"
    here, code = sysconfig.get_path("purelib"), "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    (Path(there) / "everybody.pth").write_text(f"import site; site.addsitedir({here!r})\n")  # torch and the others
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    words = ["-m", "pytest", "--jaxtyping-packages=onenet,beartype.beartype", "-rs", *tests]
    words += ["-p", "no:cacheprovider", "-p", "no:anyio"]  # a plugin that comes along, older than this pytest
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([python, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "100%" in done.stdout and "SKIPPED" not in done.stdout, done.stdout[-3000:]
