"""Asking for help costs nothing: no torch, no waiting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "onenet"
HEAVY = ("torch", "numpy", "PIL", "safetensors")


def modules_after(code):
    """The heavy modules that are loaded when `code` has run in a fresh Python."""
    code = f"{code}\nimport sys; print('loaded', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()[1:]


def command(*words):
    return (
        f"import sys; sys.argv = ['onenet', *{words}]\n"
        "from onenet.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code"
    )


def test_importing_the_package_loads_nothing():
    assert modules_after("import onenet; onenet.__version__; dir(onenet)") == []


@pytest.mark.parametrize("words", [("--help",), ("train", "--help"), ("predict", "--help"), ("--version",)])
def test_help_loads_nothing(words):
    assert modules_after(command(*words)) == []


@pytest.mark.parametrize("words", [("list", "recipes"), ("list", "formats"), ("train", "demo", "--print")])
def test_lists_and_recipes_do_without_torch(words):
    assert "torch" not in modules_after(command(*words))


def test_the_command_shows_its_help_in_less_than_a_third_of_a_second():
    def seconds():
        """Of work: the machine may have more to do than this."""
        before = os.times()
        subprocess.run([COMMAND, "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert min(seconds() for _ in range(5)) < 0.3


def test_python_m_onenet_is_the_command():
    done = subprocess.run([sys.executable, "-m", "onenet", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __import__("onenet").__version__


def test_a_mistake_in_a_real_process_is_one_line_on_standard_error(tmp_path):
    done = subprocess.run([COMMAND, "train", "defualt"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown recipe 'defualt': did you mean default?")
    assert done.stderr.count("\n") == 1
