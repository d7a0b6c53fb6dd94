"""`onenet list` says what there is by name."""

import re
from pathlib import Path

import pytest

import onenet
from onenet.cli.listing import _described
from onenet.config import FORMATS, recipe_names
from onenet.data import sample_sets
from onenet.study.plan import budgets_of, plan_names


def test_models_stand_with_their_millions_of_parameters(onenet_command):
    lines = onenet_command("list", "models").out.splitlines()
    assert [line.split()[0] for line in lines] == onenet.list_models()
    (unet,) = [line.split() for line in lines if line.startswith("unet-4 ")]
    count = sum(p.numel() for p in onenet.create_model("unet-4").parameters())
    assert unet[1:] == [f"{count / 1e6:.2f}", "M"]
    assert onenet_command("list").out.splitlines() == lines


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("formats", list(FORMATS)),
        ("samples", [f"samples:{name}" for name in sample_sets()]),
    ],
)
def test_every_name_stands_on_its_line(onenet_command, what, names):
    assert names
    assert onenet_command("list", what).out.splitlines() == names


def test_recipes_and_studies_stand_with_what_they_are_for(onenet_command):
    def texts(what):
        return [re.split(r" {2,}", line.strip(), maxsplit=1) for line in onenet_command("list", what).out.splitlines()]

    recipes, studies = texts("recipes"), texts("studies")
    assert [name for name, _ in recipes] == recipe_names()
    assert dict(recipes)["few"] == "5 to 50 images: on two cores one to three minutes, however many there are."
    assert [name for name, _ in studies if "--budget" not in name] == plan_names()
    budgets = [f"--budget {budget}" for name in plan_names() for budget in budgets_of(name)]
    assert [name for name, _ in studies if "--budget" in name] == budgets
    assert "a night on two CPU cores" in dict(studies)["--budget cpu"]


def test_on_a_terminal_texts_are_as_wide_as_it_is(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    lines = _described([("short", "one two three " * 10), ("longer", "four")])
    assert max(map(len, lines)) <= 60 and len(lines) > 3
    assert [line[:8].strip() for line in lines] == ["short", *[""] * (len(lines) - 2), "longer"]


def test_an_unknown_list_is_answered_with_the_nearest(onenet_command):
    assert onenet_command("list", "model").error == "cannot list 'model': did you mean models?"


def test_without_torch_the_models_that_run_without_it_are_pointed_to(onenet_command, monkeypatch):
    monkeypatch.setattr("onenet.cli.listing.find_spec", lambda name: None)
    assert "this needs torch, which is not installed" in onenet_command("list", "models").error
    assert onenet_command("list", "models", "--trained").code == 0


def test_trained_models_stand_with_the_files_that_go_to_a_device(onenet_command):
    lines = onenet_command("list", "models", "--trained").out.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    files = [Path(line.strip()) for line in lines if line.endswith(".onnx")]
    assert names and [file.name for file in files] == [f"{name}.int8.onnx" for name in names]
    for file in files:
        assert onenet.Segmenter(file).card.about["knows"] in "\n".join(lines)
