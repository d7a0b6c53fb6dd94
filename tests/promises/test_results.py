"""The figures in the text of docs/results.md come from the records, as those in its tables do."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/results/generate.py"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(*changes, gpu=None):
    cell = {"size": [96, 128], "epochs": 7, "report": {"images": 9, "classes": [{}, {}]}}
    cells = [cell | change for change in changes or ({},)]
    return {"cores": 4, "result": {"recipe": "default", "environment": {"gpu": gpu}, "cells": cells}}


def test_epochs_size_classes_and_machine_are_those_of_the_cells(generate):
    known = generate.facts(record(), "30 in all")
    assert known["epochs"] == 7 and known["size"] == "96x128" and known["classes"] == 2
    assert known["machine"] == "4 CPU cores" and known["images"] == "30 in all, 9 to test"
    assert generate.facts(record({"size": [64, 64]}, gpu="NVIDIA H100"), "")["size"] == "64"
    assert generate.facts(record(gpu="NVIDIA H100"), "")["machine"] == "NVIDIA H100"


def test_splits_are_those_that_the_study_counted_where_it_did(generate):
    counted = {"images": {"train": 20, "val": 3, "test": 9}}
    assert generate.facts(record({}, counted), "30 in all")["images"] == (
        "20 images to train, 3 to validate, 9 to test"
    )


def test_one_figure_does_not_stand_over_cells_that_differ(generate):
    with pytest.raises(SystemExit, match="differ: 7, 8"):
        generate.facts(record({}, {"epochs": 8}), "")


def test_every_text_has_its_figures(generate):
    for title, name, intro, _, of_the_set in generate.SECTIONS:
        known = generate.facts(generate.read(name), of_the_set)
        assert "{" not in title.format_map(known) + intro.format_map(known)


def test_the_pages_are_what_the_records_say(generate):
    for page, text in generate.page_texts().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name} is not what make results writes"
