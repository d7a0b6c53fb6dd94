"""`onenet study`: a grid of models and seeds, trained, scored and kept."""

import json

import pytest

PETS = ["data.root=samples:oxford_pet", "data.size=16", "train.batch=4", "train.epochs=1", "model.depth=2"]
QUICK = [*PETS, "model.width=4", "train.precision=32-true", "train.device=cpu"]


def test_the_pet_study_gives_a_table_a_file_and_goes_on_where_it_stopped(onenet_command, tmp_path):
    done = onenet_command("study", "pet-small", *QUICK, "--out", "study", "--seeds", "0,2")
    assert done.code == 0, done.err
    networks = ["onenet-ed-4", "onenet-e-4", "unet-4", "mobilenet-unet-4"]
    assert [line.split()[1] for line in done.out.splitlines()[2:6]] == networks
    result = json.loads((tmp_path / "study/pet-small.json").read_text())
    assert len(result["cells"]) == 8
    again = onenet_command("study", "pet-small", *QUICK, "--out", "study", "--seeds", "0,2", "--json")
    assert json.loads(again.out)["cells"] == result["cells"]


def test_an_unknown_study_is_answered_with_the_nearest(onenet_command):
    assert onenet_command("study", "pet").error.startswith("unknown study 'pet': ")


def test_a_study_can_be_begun_with_one_of_its_seeds(onenet_command):
    result = json.loads(onenet_command("study", "pet-small", *QUICK, "--out", "study", "--seeds", "1", "--json").out)
    assert [cell["seed"] for cell in result["cells"]] == [1] * 4
    line = onenet_command("study", "pet-small", "--no-train").error
    assert line == "--no-train: study pet-small scores each cell when it is trained; leave it out"
    line = onenet_command("study", "pet-small", "--seeds", "1,7").error
    assert line == "--seeds 1,7: the study's seeds are 0, 1, 2, '7' is none of them"


def test_training_alone_is_for_comparisons(onenet_command):
    for words in (["pet-small", "--no-score"], ["pareto", "--budget", "cpu", "--no-score", "--no-train"]):
        line = onenet_command("study", *words).error
        assert line == "--no-score: trains a comparison, and does not go with --no-train"


def test_training_alone_goes_on_from_an_earlier_result(onenet_command, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr("onenet.study.comparison.train_comparison", lambda *given: told.append(given) or ["a cell"])
    earlier = {"cells": [], "timing": {"rows": []}}
    (tmp_path / "earlier.json").write_text(json.dumps({"result": earlier}))
    words = ["pareto", "--budget", "cpu", "--no-score", "data.root=data", "train.batch=3"]
    assert "not trained: a cell" in onenet_command("study", *words, "--continue", "earlier.json").err
    assert onenet_command("study", *words).code == 0
    ((plan, root, changes, *_, known), (*_, none)) = told
    assert (plan.budget, root, changes, known, none) == ("cpu", "data", ["train.batch=3"], earlier, None)


BUDGETS = (["pareto", "--budget", "cpu"], ["table1", "--budget", "gpu25"], ["table3", "--budget", "quick"])


@pytest.mark.parametrize("words", BUDGETS)
@pytest.mark.parametrize("how", [(), ("--no-train",)])
def test_a_study_whose_sets_are_not_there_begins_nothing(onenet_command, tmp_path, words, how):
    line = onenet_command("study", *words, *how, "data.root=nowhere", "--out", "study").error
    assert line.startswith("data.root=nowhere: has no oxford_pet")
    assert line.endswith("; name the folder that holds the folders of all sets")
    for change, says in (("train.epochz=3", "unknown key train.epochz"), ("model.name=unet-4", "model.name: study ")):
        assert onenet_command("study", *words, *how, "data.root=nowhere", change).error.startswith(says)
    assert not (tmp_path / "study").exists()


def test_training_alone_needs_the_sets_too(onenet_command):
    line = onenet_command("study", "pareto", "--budget", "gpu25", "--no-score", "data.root=nowhere").error
    sets = "camvid, oxford_pet, nuclei, msrc_voc"
    assert line.startswith(f"data.root=nowhere: has no {sets} (budget gpu25 of study pareto); ")
