"""The rules of the house: who may import whom, where torch may be, how long a file is, how it is called."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "onenet"
FILES = sorted(PACKAGE.rglob("*.py"))

# A module imports from its own part or from a lower level only.
LEVELS = {
    "errors": 0, "recipes": 0,
    "config": 1, "card": 1, "images": 1, "weights": 1, "volumes": 1,
    "data": 2, "layers": 2, "metrics": 2, "deploy": 2,
    "models": 3, "cases": 3,
    "checkpoint": 4, "scoring": 4,
    "training": 5, "export": 5,
    "bench": 6,
    "study": 7,
    "cli": 8,
}  # fmt: skip
DOORS = {"__init__.py", "__main__.py"}  # of the package itself: they open everything
TORCH_FREE = ("errors", "config", "card", "images", "volumes", "data", "metrics", "deploy", "cli")
BATCHES = {PACKAGE / "data" / "loader.py", PACKAGE / "data" / "device.py"}  # the places of `data` that make tensors
LONGEST = 300
VAGUE = {"util", "utils", "utility", "helper", "helpers", "common", "misc", "manager", "base", "core", "stuff"}

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))


def part(file: Path) -> str:
    """errors.py -> errors, data/folder.py -> data."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: not the insides of functions, nor what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not for_checkers:
            yield node
            yield from at_import(node)


def imported(file: Path, nodes: Callable[[ast.AST], Iterable[ast.AST]] = ast.walk) -> set[str]:
    """Dotted names of what a file imports: `from onenet import images` is onenet.images."""
    names = set()
    for node in nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(file: Path) -> set[str]:
    """Parts of onenet that a file imports, anywhere in it; `onenet` itself, the doors, is no part."""
    ours = (name.split(".") for name in imported(file) if name.startswith("onenet."))
    return {name[1] for name in ours if name[1] in LEVELS or (PACKAGE / name[1]).exists()}


def test_every_part_has_a_level():
    parts = {part(file) for file in FILES if file.parent != PACKAGE or file.name not in DOORS}
    assert parts == set(LEVELS)


@every_file
def test_imports_go_one_way(file):
    if file.parent == PACKAGE and file.name in DOORS:
        pytest.skip("the doors open everything")
    own = part(file)
    upwards = {other for other in parts_imported(file) if other != own and LEVELS[other] >= LEVELS[own]}
    assert not upwards, f"{own} (level {LEVELS[own]}) imports {', '.join(sorted(upwards))}"


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if part(file) in TORCH_FREE and file not in BATCHES],
    ids=lambda file: str(file.relative_to(PACKAGE)),
)
def test_torch_is_not_imported_where_a_device_or_a_help_text_would_wait_for_it(file):
    roots = {name.split(".")[0] for name in imported(file, at_import)}
    assert not roots & {"torch", "lightning_fabric", "jaxtyping"}


def test_nor_does_it_come_in_through_another_module():
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in FILES
        if part(file) in TORCH_FREE and file not in BATCHES
    ]
    code = f"import sys, {', '.join(modules)}; print([m for m in ('torch', 'lightning_fabric') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@every_file
def test_a_file_is_read_in_one_go(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


@every_file
def test_names_say_what_is_in_it(file):
    words = {word for name in file.relative_to(PACKAGE).parts for word in name.removesuffix(".py").split("_")}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            words |= {word.lower() for word in re.findall("[A-Z][a-z]*", node.name)}
    assert not words & VAGUE


@every_file
def test_annotations_are_not_postponed(file):
    """`from __future__ import annotations` would hide the shapes from the checker that runs with the tests."""
    assert "__future__.annotations" not in imported(file)
