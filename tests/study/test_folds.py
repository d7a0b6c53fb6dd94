"""Cross-validation: a run per fold, every case scored once by a network that has not seen it."""

import json

import pytest

import onenet
from onenet.errors import ConfigError
from onenet.scoring import evaluate
from onenet.study.folds import run_folds
from onenet.study.plan import load_plan

pytest.importorskip("nibabel")


def words(root, tiny, *more):
    return [*tiny, "train.epochs=1", "data.format=msd", f"data.root={root}", "data.folds=3", *more]


def test_every_case_but_the_test_is_scored_once(write_msd, tiny, tmp_path, onenet_command):
    root = write_msd(7)
    finished = onenet_command("study", "folds", *words(root, tiny), "--out", tmp_path / "study", "--json")
    assert finished.code == 0, finished.err
    result = json.loads(finished.out)
    assert [fold["cases"] for fold in result["folds"]] == [2, 2, 2]
    scored = [case["name"] for case in result["per_case"]]
    assert len(scored) == len(set(scored)) == result["cases"] == 6
    tests = set()
    for fold in range(3):
        model = tmp_path / "study" / f"fold-{fold}" / "model.safetensors"
        assert onenet.load(model).card.training["split"]["fold"] == fold
        alone = evaluate(model, f"msd:{root}", "val").cases
        mine = {case["name"]: case for case in result["per_case"]}
        for case in alone.to_dict()["per_case"]:
            assert mine[case["name"]] == case
        tests |= {case.name for case in evaluate(model, f"msd:{root}").cases.cases}
    assert tests == {f"case_{n:02d}" for n in range(7)} - set(scored)
    together = evaluate(tmp_path / "study", f"msd:{root}")
    assert result["together"] == together.cases.to_dict()
    assert {case.name for case in together.cases.cases} == tests


def test_a_study_goes_on_with_the_folds_that_are_left(write_msd, tiny, tmp_path):
    trained = []

    def train(run, stop_in=None):
        if run.config.data.fold == stop_in:
            raise KeyboardInterrupt
        trained.extend([run.config.data.fold] * len(list(run.epochs())))

    root = write_msd(7)
    plan = load_plan("folds")
    with pytest.raises(KeyboardInterrupt):
        run_folds(plan, tmp_path / "study", words(root, tiny), lambda run: train(run, stop_in=1))
    result, *_ = run_folds(plan, tmp_path / "study", words(root, tiny), train)
    assert trained == [0, 1, 2]
    assert len(result["folds"]) == 3
    with pytest.raises(ConfigError, match=r"holds a fold with train.batch 4 -> 2; choose another --out"):
        run_folds(plan, tmp_path / "study", words(root, tiny, "train.batch=2"), train)


def test_images_and_a_single_fold_are_refused(photos, tiny, tmp_path):
    plan = load_plan("folds")
    with pytest.raises(ConfigError, match=r"data.format=folder: folds are studied of volumes"):
        run_folds(plan, tmp_path, [f"data.root={photos()}"], print)
    with pytest.raises(ConfigError, match="a study of folds trains them all"):
        run_folds(plan, tmp_path, words("any", tiny, "data.fold=1"), print)
    for change, says in (("data.folds=0", "folds=0"), ("data.train_with_val=true", "train_with_val=true")):
        with pytest.raises(
            ConfigError, match=rf"data\.{says}: each of at least 2 folds is scored by a network that has"
        ):
            run_folds(plan, tmp_path, words("any", tiny, change), print)
