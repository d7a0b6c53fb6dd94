"""A model meets data: the same classes, one report, the best and the worst images shown."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.config import parse_spec
from onenet.errors import ConfigError, DataError
from onenet.metrics.confusion import confusion_matrix
from onenet.metrics.report import Report
from onenet.scoring import Evaluation, evaluate, write_report


@pytest.fixture
def two_classes(photos):
    return parse_spec(f"folder:{photos(count=10)},val=0.1,test=0.6")


def test_the_report_is_what_the_masks_of_the_segmenter_say(tiny_model, two_classes):
    evaluation = evaluate(str(tiny_model), two_classes)
    segment = onenet.Segmenter(tiny_model)
    matrix = np.zeros((2, 2), dtype=np.int64)
    for item in evaluation.dataset.split("test"):
        truth = np.asarray(Image.open(item.mask))
        matrix += confusion_matrix(truth, segment(item.image).mask, 2)
    assert np.array_equal(evaluation.report.matrix, matrix)
    assert (evaluation.report.data, evaluation.report.split, evaluation.report.images) == ("photos", "test", 6)


def test_all_is_every_split(tiny_model, two_classes):
    assert evaluate(str(tiny_model), two_classes, "all").report.images == 10


def test_a_model_in_memory_is_scored_like_its_file(tiny_model, two_classes):
    from_file, from_memory = (evaluate(m, two_classes).report for m in (tiny_model, onenet.load(tiny_model)))
    assert from_file.to_json() == from_memory.to_json()


def test_a_folder_has_the_classes_of_the_model_even_where_its_masks_hold_fewer(photos):
    network = onenet.create_model("onenet-e-4", num_classes=4, width=4, depth=2, stem_repeat=1)
    report = evaluate(network, parse_spec(f"folder:{photos()}"), "all").report
    assert report.classes == network.card.classes


def test_a_grey_model_scores_colour_photos_in_grey(photos):
    network = onenet.create_model("onenet-e-4", in_channels=1, width=4, depth=2, stem_repeat=1)
    assert evaluate(network, parse_spec(f"folder:{photos()}"), "all").report.images == 6


def test_data_with_other_classes_are_refused_with_both_lists(tiny_model):
    with pytest.raises(DataError, match=r"has 3 classes \(background, pet, border\), but the model has 2 \(background"):
        evaluate(tiny_model, parse_spec("pet-small:samples:oxford_pet"))


def test_an_unknown_split_is_answered_with_the_nearest(tiny_model, two_classes):
    with pytest.raises(ConfigError, match="did you mean test"):
        evaluate(tiny_model, two_classes, "tset")


def test_labels_that_the_model_does_not_know_are_named(tiny_model, photos):
    with pytest.raises(DataError, match=r"photo\d\.png: the mask holds the value 5; allowed are 0 to 1 and 255"):
        evaluate(tiny_model, parse_spec(f"folder:{photos(values=(0, 5))}"), "all")


# --- strips: the best and the worst


def with_scores(evaluation, scores):
    names = [item.name for item in evaluation.dataset.split("test")]
    report = dataclasses.replace(evaluation.report, per_image=tuple(zip(names, scores, strict=True)))
    return dataclasses.replace(evaluation, report=report)


def test_strips_show_the_best_and_the_worst_from_best_to_worst(tiny_model, two_classes):
    scores = [0.1, 0.9, 0.5, 0.7, 0.3, float("nan")]
    evaluation = with_scores(evaluate(tiny_model, two_classes), scores)
    assert [strip.mean_iou for strip in evaluation.strips(4)] == [0.9, 0.7, 0.3, 0.1]
    assert [strip.mean_iou for strip in evaluation.strips(3)] == [0.9, 0.3, 0.1]
    assert [strip.mean_iou for strip in evaluation.strips(8)] == [0.9, 0.7, 0.5, 0.3, 0.1]


def test_a_strip_holds_the_image_with_its_truth_and_its_prediction(tiny_model, two_classes):
    evaluation = evaluate(tiny_model, two_classes)
    for strip in evaluation.strips():
        (item,) = [item for item in evaluation.dataset.split("test") if item.name == strip.name]
        sample = evaluation.dataset.read(item)
        assert np.array_equal(strip.image, sample.image) and np.array_equal(strip.truth, sample.mask)
        assert np.array_equal(strip.prediction, evaluation.segmenter(item.image).mask)


def test_strips_of_all_splits_are_found_in_their_split(tiny_model, two_classes):
    assert len(evaluate(tiny_model, two_classes, "all").strips(8)) == 8


# --- on disk


def test_report_and_page_are_written_into_the_folder(tiny_model, two_classes, tmp_path):
    evaluation: Evaluation = evaluate(tiny_model, two_classes)
    page = write_report(evaluation, tmp_path / "new/report", facts={"recipe": "by hand"})
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]
    found = json.loads((page.parent / "report.json").read_text())
    assert found["confusion_matrix"] == evaluation.report.matrix.tolist()
    assert "by hand" in page.read_text(encoding="utf-8")


def test_an_evaluation_carries_a_report(tiny_model, two_classes):
    assert isinstance(evaluate(tiny_model, two_classes).report, Report)


@pytest.fixture
def trained(tmp_path, photos, tiny):
    """A model trained on a folder with another split than the default one."""
    from onenet.config import load_config
    from onenet.training.run import train

    root = photos(count=20)
    spec = [f"data.root={root}", "data.split_seed=5", "data.val=0.2", "data.test=0.3"]
    return train(load_config("default", [*tiny, *spec, "train.epochs=1"]), tmp_path / "run"), root


def test_a_folder_is_split_as_for_the_training_unless_the_spec_says_otherwise(trained):
    run, root = trained
    evaluation = evaluate(run, f"folder:{root}")
    assert evaluation.report.images == 6
    assert evaluation.notes == ()


def test_a_score_on_images_that_were_trained_on_says_so(trained):
    run, root = trained
    evaluation = evaluate(run, f"folder:{root},split_seed=6")
    assert "of these 6 images were used in training or validation" in evaluation.notes[-1]


def test_images_of_equal_name_in_two_splits_are_shown_each_with_its_own_score(tmp_path, tiny_model):
    for split, brightness in (("train", 0), ("val", 90), ("test", 180)):
        for stem in ("a", "b"):
            for kind, pixels in (("images", np.full((16, 16, 3), brightness)), ("masks", np.eye(16))):
                (tmp_path / split / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / kind / f"{stem}.png")
    evaluation = evaluate(tiny_model, parse_spec(f"folder:{tmp_path}"), "all")
    assert sorted({int(strip.image[0, 0, 0]) for strip in evaluation.strips()}) == [0, 90, 180]
