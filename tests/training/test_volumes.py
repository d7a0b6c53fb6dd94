"""Training on slices of volumes and scoring whole cases, from the command line to the report."""

import json

import numpy as np
import pytest

import onenet
from onenet.config import load_config
from onenet.data import open_dataset
from onenet.errors import DataError
from onenet.metrics.volume import score_case
from onenet.scoring import evaluate
from onenet.training.results import train_silently

nibabel = pytest.importorskip("nibabel")


@pytest.fixture
def trained(write_msd, tiny, tmp_path):
    """The folder of a run of an epoch, and its data."""

    def train(*words, **volumes):
        root = write_msd(**volumes)
        words = [*tiny, "train.epochs=1", "train.learning_rate=0.01", *words]
        return train_silently(load_config("volumes", words, f"msd:{root}"), tmp_path / "run"), root

    return train


def scores_by_hand(model, root, name, tolerance):
    segmenter = onenet.Segmenter(model)
    from onenet.deploy.volume import segment_volume
    from onenet.volumes import read_volume

    prediction = segment_volume(segmenter, read_volume(root / "imagesTr" / f"{name}.nii.gz"))
    truth = nibabel.load(root / "labelsTr" / f"{name}.nii.gz")
    spacing = tuple(float(mm) for mm in truth.header.get_zooms())
    mask = np.asanyarray(truth.dataobj).astype(np.uint8)
    return score_case(name, mask, prediction, 3, spacing, 0, False, tolerance)


def test_the_card_keeps_how_volumes_become_images(trained):
    folder, root = trained("data.neighbours=1", "data.intensity=zscore", spacing=(1.0, 1.5, 3.0), channels=2)
    card = onenet.load(folder / "model.safetensors").card
    assert {key: card.volume[key] for key in ("axis", "spacing", "intensity", "neighbours")} == {
        "axis": 2, "spacing": [1.0, 1.5], "intensity": {"kind": "zscore"}, "neighbours": 1
    }  # fmt: skip
    assert card.in_channels == 6
    assert card.training["cases"] == {"train": 6, "val": 1, "test": 1}
    assert card.training["images"]["train"] == 60
    assert not any(str(root) in text for text in (card.to_json(), (folder / "report.json").read_text()))


def test_cases_are_scored_in_their_own_grid(trained, onenet_command):
    folder, root = trained("data.spacing=[1.0,1.0]", spacing=(1.5, 2.0, 3.0))
    finished = onenet_command(
        "evaluate", folder, "--data", f"msd:{root}", "--split", "all", "--json", "--tolerance", "1.5"
    )
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)["cases"]
    assert found["tolerance_mm"] == 1.5
    assert len(found["per_case"]) == 8
    for case in found["per_case"][:3]:
        by_hand = scores_by_hand(folder / "model.safetensors", root, case["name"], 1.5)
        for index, of_class in enumerate(case["classes"], 1):
            for name, value in by_hand.values.items():
                wanted = None if np.isnan(value[index]) else pytest.approx(value[index], abs=1e-5)
                assert of_class[name] == wanted, (case["name"], name)


def test_files_that_are_stored_the_other_way_round_have_the_same_scores(trained):
    folder, root = trained("data.axis=1")
    before = evaluate(folder, f"msd:{root}").cases
    for path in [*(root / "imagesTr").iterdir(), *(root / "labelsTr").iterdir()]:
        image = nibabel.load(path)
        nibabel.save(image.as_reoriented(nibabel.orientations.axcodes2ornt(("P", "S", "L"))), path)
    after = evaluate(folder, f"msd:{root}").cases
    assert before.to_dict() == after.to_dict()


def test_a_table_and_a_page_show_every_case(trained, onenet_command, tmp_path):
    folder, root = trained()
    finished = onenet_command("evaluate", folder, "--data", f"msd:{root}", "--split", "all", "--report", tmp_path / "r")
    assert "| class | cases | Dice |" in finished.out
    assert "95 % confidence interval over cases: Dice" in finished.out
    page = (tmp_path / "r" / "report.html").read_text()
    assert "Case by case" in page
    assert page.count(">case_0") >= 8
    assert "per_case" in json.loads((tmp_path / "r" / "report.json").read_text())["cases"]


def test_the_split_of_the_training_is_the_split_of_the_evaluation(trained):
    folder, root = trained("data.folds=4", "data.fold=1", "data.test=0.25")
    card = onenet.load(folder / "model.safetensors").card
    evaluation = evaluate(folder, f"msd:{root}")
    assert card.training["cases"] == {
        split: len(evaluation.dataset.sources(split)) for split in ("train", "val", "test")
    }
    assert not any("used in training" in note for note in evaluation.notes)
    other = evaluate(folder, f"msd:{root},split_seed=9")
    assert any("of these 2 cases were used in training or validation" in note for note in other.notes)


def test_a_run_goes_on_where_it_stopped_and_sees_changed_files(write_msd, tiny, tmp_path, onenet_command):
    root = write_msd(4)
    words = [*tiny, "train.foreground=0.5"]
    finished = onenet_command("train", "volumes", *words, "--data", f"msd:{root}", "--out", tmp_path / "run")
    assert finished.code == 0, finished.err
    assert f"note: slices of volumes are made once and kept in {tmp_path / 'cache' / 'volumes'}" in finished.out
    assert "onenet predict" in finished.out and "VOLUME.nii.gz" in finished.out
    assert onenet_command("train", "--resume", "--out", tmp_path / "run").code == 0
    name = next(iter(json.loads((tmp_path / "run" / "report.json").read_text())["per_image"]))["name"]
    mask = root / "labelsTr" / f"{name}.nii.gz"
    image = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj)[::-1], image.affine), mask)
    error = onenet_command("train", "--resume", "--out", tmp_path / "run").error
    assert f"val: 1 image changed ({name})" in error


def test_broken_cases_are_left_out_and_named(write_msd, tiny, tmp_path, onenet_command):
    root = write_msd(8)
    case = open_dataset(load_config("volumes", ["data.val=0.3"], f"msd:{root}").data).sources("train")[0].name
    path = root / "imagesTr" / f"{case}.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    words = [*tiny, "train.epochs=1", "data.val=0.3"]
    stopped = onenet_command("train", "volumes", *words, "--data", f"msd:{root}", "--out", tmp_path / "one")
    assert f"{case}.nii.gz: cannot be read" in stopped.error
    finished = onenet_command(
        "train", "volumes", *words, "data.skip_unreadable=true", "--data", f"msd:{root}", "--out", tmp_path / "two"
    )
    assert finished.code == 0, finished.err
    assert f"left out 1 case that cannot be read: {case} (imagesTr/{path.name}: cannot be read (" in finished.out, (
        finished.out
    )


def write_regions(root, count=6):
    """nnU-Net's layout with regions: whole = 1 and 2, core = 2; a voxel in the corner is not counted."""
    random = np.random.default_rng(0)
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((12, 12, 8), np.uint8)
        mask[2:9, 3:9, 2:7] = 1
        mask[4:7, 5:8, 3:5] = 2
        mask[0, 0, 0] = 3
        for channel in range(2):
            image = (mask * 50 + random.normal(100, 5, mask.shape)).astype(np.float32)
            name = f"knee_{number}_{channel:04d}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), root / "imagesTr" / name)
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), root / "labelsTr" / f"knee_{number}.nii.gz")
    labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    names = {"0": "T1", "1": "T2"}
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "channel_names": names}))
    return root


def test_regions_of_nnunet_are_trained_and_scored_as_classes_that_overlap(tiny, tmp_path):
    root = write_regions(tmp_path / "regions")
    config = load_config("volumes", [*tiny, "train.epochs=1"], f"nnunet:{root}")
    folder = train_silently(config, tmp_path / "run")
    card = onenet.load(folder / "model.safetensors").card
    assert (card.overlapping, card.classes, card.in_channels) == (True, ("whole", "core"), 2)
    evaluation = evaluate(folder, f"nnunet:{root}", "all")
    whole = evaluation.cases.cases[0].values["true_ml"]
    assert whole == pytest.approx([7 * 6 * 5 / 1000, 3 * 3 * 2 / 1000])
    assert len(evaluation.cases.cases) == 6


def test_a_model_of_images_is_refused_for_volumes(tiny_model, write_msd, onenet_command):
    error = onenet_command("evaluate", tiny_model, "--data", f"msd:{write_msd(4)}").error
    assert "volumes, but the model was trained on images; use one that was trained on volumes" in error


def test_a_model_of_other_channels_is_refused(trained, write_msd):
    folder, _ = trained()
    with pytest.raises(
        DataError,
        match=r"has 2 channel\(s\), but the model takes 1",
    ):
        evaluate(folder, f"msd:{write_msd(4, channels=2, folder='other')}")


def test_post_processing_is_chosen_on_validation_cases_and_kept_in_the_card(trained, onenet_command):
    folder, root = trained()
    words = ("evaluate", folder, "--data", f"msd:{root}", "--json")
    finished = onenet_command(*words, "--postprocess", "auto")
    assert finished.code == 0, finished.err
    assert "note: post-processing chosen on 1 validation cases: " in finished.err
    steps = onenet.load(folder / "model.safetensors").card.volume["postprocess"]
    assert set(steps) <= {"largest", "holes"}
    assert onenet_command(*words).out == finished.out
    none = json.loads(onenet_command(*words, "--postprocess", "none").out)
    both = json.loads(onenet_command(*words, "--postprocess", "largest").out)
    lesions = [report["cases"]["mean"]["false_lesions"]["mean"] for report in (none, both)]
    assert lesions[1] < lesions[0] or lesions == [0, 0]


def test_post_processing_is_refused_for_images_and_unknown_words(trained, tiny_model, photos, onenet_command):
    folder, root = trained()
    error = onenet_command("evaluate", folder, "--data", f"msd:{root}", "--postprocess", "biggest").error
    assert "--postprocess 'biggest'" in error
    for word in ("auto", "none"):
        error = onenet_command("evaluate", tiny_model, "--data", f"folder:{photos()}", "--postprocess", word).error
        assert f"--postprocess {word}: is for volumes; leave it out" in error


def test_a_set_that_lacks_a_class_is_scored_all_the_same(write_msd, tiny, tmp_path):
    root = write_msd(6)
    (root / "imagesTr").rename(root / "images")
    (root / "labelsTr").rename(root / "masks")
    words = [*tiny, "train.epochs=1"]
    folder = train_silently(load_config("volumes", words, f"volumes:{root}"), tmp_path / "run")
    for path in (root / "masks").iterdir():
        image = nibabel.load(path)
        mask = np.asanyarray(image.dataobj).copy()
        mask[mask == 2] = 0
        nibabel.save(nibabel.Nifti1Image(mask, image.affine), path)
    evaluation = evaluate(folder, f"volumes:{root}", "all")
    assert evaluation.cases.values("true_ml")[:, 2].max() == 0
    assert np.isnan(evaluation.cases.mean("dice", 2))


def test_slices_and_whole_cases_agree_where_nothing_is_resampled(trained):
    folder, root = trained("data.intensity=window:400:600")
    whole = evaluate(folder, f"msd:{root}", "val").report
    last = [float(value) for value in (folder / "log.csv").read_text().splitlines()[-1].split(",")]
    head = (folder / "log.csv").read_text().splitlines()[0].split(",")
    assert whole.foreground_iou == pytest.approx(last[head.index("val_foreground_iou")], abs=2e-3)


def test_a_run_to_see_whether_a_network_can_learn_takes_slices_with_classes(write_msd, tiny, tmp_path):
    root = write_msd(4)
    folder = train_silently(load_config("volumes", [*tiny, "train.overfit=2"], f"msd:{root}"), tmp_path / "run")
    report = json.loads((folder / "report.json").read_text())
    assert report["images"] == 2
    assert all(row["pixels"] > 0 for row in report["classes"])
    assert "cases" not in report
