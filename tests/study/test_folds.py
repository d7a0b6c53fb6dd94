"""Cross-validation: a run per fold, every case scored once by a network that has not seen it."""

import json

import numpy as np
import pytest

import onenet
from onenet.config import load_config
from onenet.data.slices import open_volumes
from onenet.deploy.segmenter import softmax
from onenet.deploy.volume import segment_volume
from onenet.errors import ConfigError
from onenet.scoring import evaluate
from onenet.study.folds import run_folds
from onenet.study.plan import load_plan
from onenet.volumes import canonical, from_canonical, from_slices, normalise, read_volume, slices

pytest.importorskip("nibabel")


def words(root, tiny, *more):
    return [*tiny, "train.epochs=1", "data.format=msd", f"data.root={root}", "data.folds=3", *more]


def train_silently(run):
    for _ in run.epochs():
        pass


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
    assert together.segmenter.card.training["networks"] == 3
    assert result["together"] == together.cases.to_dict()
    assert {case["name"] for case in result["together"]["per_case"]} == tests
    (note,) = [note for note in evaluate(tmp_path / "study", f"msd:{root}", "val").notes if "too good" in note]
    assert note == "2 of these 2 cases were used in training or validation, so the score is too good"


def test_a_volume_is_segmented_by_the_mean_of_all_folds(write_msd, tiny, tmp_path):
    root, out = write_msd(7), tmp_path / "study"
    run_folds(load_plan("folds"), out, words(root, tiny), train_silently)
    case = read_volume(next((root / "imagesTr").iterdir()))
    parts = [onenet.Segmenter(out / f"fold-{fold}") for fold in range(3)]
    images = slices(normalise(canonical(case).array[..., None], parts[0].card.volume["intensity"]), axis=2)
    means = [np.mean([softmax(part.logits(image)) for part in parts], axis=0) for image in images]
    mask = from_slices(np.stack([mean.argmax(0) for mean in means]).astype(np.uint8), axis=2)
    assert np.array_equal(segment_volume(onenet.Segmenter(out), case), from_canonical(mask, case))


def test_all_folds_see_volumes_alike(write_msd):
    """The window of a CT follows from what is labelled in the training cases, which each fold has of its own."""
    root = write_msd(7, modality="CT")
    datas = [load_config("volumes", [f"data.root={root}", "data.format=msd", *more]).data for more in (
        ("data.folds=3", "data.fold=0"), ("data.folds=3", "data.fold=1"), ("data.folds=3", "data.fold=2"), ()
    )]  # fmt: skip
    first, second, third, alone = (open_volumes(data).preparation for data in datas)
    assert first == second == third and first.intensity["kind"] == "window"
    assert alone.intensity != first.intensity  # of fewer cases: it does depend on them


def test_a_joint_score_that_cannot_be_had_loses_nothing_else(write_msd, tiny, tmp_path, onenet_command):
    root, out = write_msd(7), tmp_path / "study"
    assert onenet_command("study", "folds", *words(root, tiny), "--out", out).code == 0
    (out / "fold-3").mkdir()
    (out / "fold-3/model.safetensors").write_bytes((out / "fold-0/model.safetensors").read_bytes())
    again = onenet_command("study", "folds", *words(root, tiny), "--out", out)
    assert again.code == 0 and "each case by the network that was not trained on it" in again.out
    assert "together" not in again.out.replace("by all networks together", "")
    assert "note: not scored together: " in again.err and "move away what does not belong" in again.err
    result = json.loads((out / "folds.json").read_text())
    assert result["cases"] == 6 and "4 folders of folds" in result["together"]["failed"]


def test_where_there_is_no_test_the_folds_are_reported_alone(write_msd, tiny, tmp_path, onenet_command):
    done = onenet_command("study", "folds", *words(write_msd(6), tiny, "data.test=0"), "--out", tmp_path / "study")
    assert done.code == 0 and "6 cases of set, split validation of 3 folds" in done.out
    assert "the test by all networks together" not in done.out and "there is no test" in done.err


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
