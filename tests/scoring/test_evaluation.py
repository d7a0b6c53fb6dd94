"""A model meets data: the same classes, one report, the best and the worst images shown."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny_networks import tiny_network

import onenet
from onenet.config import parse_spec
from onenet.errors import ConfigError, DataError
from onenet.metrics.confusion import confusion_matrix
from onenet.metrics.report import Report
from onenet.scoring import Evaluation, evaluate, open_for, write_report


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

    root = photos(count=20)
    spec = [f"data.root={root}", "data.split_seed=5", "data.val=0.2", "data.test=0.3"]
    return onenet.train(load_config("default", [*tiny, *spec, "train.epochs=1"]), tmp_path / "run"), root


def test_a_folder_is_split_as_for_the_training_unless_the_spec_says_otherwise(trained):
    run, root = trained
    evaluation = evaluate(run, f"folder:{root}")
    assert evaluation.report.images == 6
    assert evaluation.notes == ()


def test_a_score_on_images_that_were_trained_on_says_so_however_their_folder_is_called(trained, monkeypatch):
    run, root = trained
    monkeypatch.chdir(root)
    for name in (root, "."):
        evaluation = evaluate(run, f"folder:{name},split_seed=6")
        assert "of these 6 images were used in training or validation" in evaluation.notes[-1]


def test_a_single_image_that_was_trained_on_is_called_one(trained):
    run, root = trained
    evaluation = evaluate(run, f"folder:{root},split_seed=6,test=0.05")
    assert evaluation.report.images == 1
    whole = evaluate(run, f"folder:{root}", "all").notes[-1]
    assert whole == "14 of these 20 images were used in training or validation, so the score is too good"
    assert evaluation.notes[-1].startswith("this image was used in training or validation, so")


def test_images_of_equal_name_in_two_folders_are_two_images(tmp_path, photos, tiny):
    from onenet.config import load_config

    root = photos(count=6)
    for split in ("train", "val", "test"):
        shutil.copytree(root, tmp_path / "levels" / split)
    run = onenet.train(
        load_config("default", [*tiny, "train.epochs=1"], f"folder:{tmp_path / 'levels'}"), tmp_path / "run"
    )
    assert evaluate(run, f"folder:{tmp_path / 'levels'}").notes == ()


def test_images_of_equal_name_in_two_splits_are_shown_each_with_its_own_score(tmp_path, tiny_model):
    for split, brightness in (("train", 0), ("val", 90), ("test", 180)):
        for stem in ("a", "b"):
            for kind, pixels in (("images", np.full((16, 16, 3), brightness)), ("masks", np.eye(16))):
                (tmp_path / split / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / kind / f"{stem}.png")
    evaluation = evaluate(tiny_model, parse_spec(f"folder:{tmp_path}"), "all")
    assert sorted({int(strip.image[0, 0, 0]) for strip in evaluation.strips()}) == [0, 90, 180]


# --- details


def test_details_are_measured_unless_they_are_not_wanted(tiny_model, two_classes):
    full, quick = evaluate(tiny_model, two_classes), evaluate(tiny_model, two_classes, details=False)
    assert full.report.details is not None and quick.report.details is None
    assert np.array_equal(full.report.matrix, quick.report.matrix)


def test_the_authors_figures_come_only_when_asked_for(tiny_model, two_classes):
    assert evaluate(tiny_model, two_classes).report.authors == {}
    assert "authors' mIOU" in evaluate(tiny_model, two_classes, authors=True).report.authors


# --- images that cannot be read


@pytest.fixture
def damaged(photos):
    root = photos(count=6)
    (root / "images/photo2.png").write_bytes(b"no image")
    return root


def test_an_unreadable_image_stops_the_evaluation_unless_it_may_be_skipped(tiny_model, damaged):
    with pytest.raises(DataError, match=r"photo2\.png"):
        evaluate(tiny_model, parse_spec(f"folder:{damaged},in_channels=3"), "all")


def test_skipped_images_are_counted_named_and_not_shown(tiny_model, damaged):
    spec = parse_spec(f"folder:{damaged},skip_unreadable=true")
    evaluation = evaluate(tiny_model, spec, "all")
    assert evaluation.report.images == 5
    assert evaluation.notes[-1] == "1 of 6 images cannot be read and were left out: photo2"
    scores = dict(evaluation.report.per_image)
    assert sorted(strip.name for strip in evaluation.strips()) == [f"photo{i}" for i in (0, 1, 3, 4, 5)]
    for strip in evaluation.strips():
        assert strip.mean_iou == scores[strip.name]
        assert np.array_equal(strip.image, np.asarray(Image.open(damaged / f"images/{strip.name}.png")))


def test_an_unreadable_image_may_have_the_name_of_one_in_another_split(tmp_path, tiny_model):
    for split in ("train", "val", "test"):
        for kind, pixels in (("images", np.full((16, 16, 3), 90)), ("masks", np.eye(16))):
            (tmp_path / split / kind).mkdir(parents=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / kind / "a.png")
    (tmp_path / "train/images/a.png").write_bytes(b"no image")
    evaluation = evaluate(tiny_model, parse_spec(f"folder:{tmp_path},skip_unreadable=true"), "all")
    assert evaluation.report.images == 2
    assert evaluation.notes[-1] == "1 of 3 images cannot be read and were left out: a"
    assert [strip.name for strip in evaluation.strips()] == ["a"]


# --- a data set is opened as its model needs it


def test_names_that_the_data_gives_are_kept_and_the_difference_is_told(photos):
    root = photos()
    (root / "classes.txt").write_text("nothing\nsquare\n")
    evaluation = evaluate(tiny_network(["background", "square"]), parse_spec(f"folder:{root}"), "all")
    assert evaluation.dataset.classes == ("nothing", "square")
    assert "the data calls its classes nothing; the model calls them background" in evaluation.notes


def test_a_class_table_with_another_number_of_classes_is_refused(photos):
    root = photos()
    (root / "classes.txt").write_text("background\nsquare\ncircle\n")
    with pytest.raises(DataError, match=r"has 3 classes \(background, square, circle\), but the model has 2"):
        evaluate(tiny_network(["background", "square"]), parse_spec(f"folder:{root}"), "all")


def camvid(root, labels):
    for split in ("train", "val", "test"):
        for kind, pixels in ((split, np.full((16, 20, 3), 90)), (f"{split}annot", np.resize(labels, (16, 20)))):
            (root / kind).mkdir(parents=True, exist_ok=True)
            for number in range(2):
                Image.fromarray(pixels.astype(np.uint8)).save(root / kind / f"{split}{number}.png")
    return root


def test_the_formats_with_their_own_classes_are_scored_with_these(tmp_path):
    from onenet.data.camvid import CLASSES

    root = camvid(tmp_path / "town", range(12))
    evaluation = evaluate(tiny_network(CLASSES), parse_spec(f"camvid:{root}"))
    assert evaluation.report.classes == CLASSES and evaluation.notes == ()
    renamed = evaluate(tiny_network(["heaven", *CLASSES[1:]]), parse_spec(f"camvid:{root}"))
    assert renamed.notes == ("the data calls its classes sky; the model calls them heaven",)
    with pytest.raises(DataError, match=r"town has 11 classes \(sky, building, pole, road, pavement and 6 more\)"):
        evaluate(tiny_network(["background", "square"]), parse_spec(f"camvid:{root}"))


# --- classes that overlap


@pytest.fixture
def overlapping(tmp_path):
    random = np.random.default_rng(0)
    for number in range(6):
        (tmp_path / "both/images").mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (24, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"both/images/p{number}.png")
        for name in ("red", "round"):
            (tmp_path / f"both/masks/{name}").mkdir(parents=True, exist_ok=True)
            mask = 255 * random.integers(0, 2, (24, 20), dtype=np.uint8)
            Image.fromarray(mask).save(tmp_path / f"both/masks/{name}/p{number}.png")
    network = tiny_network(["round", "red"])
    network.card = network.card.replace(overlapping=True, background=None)
    return network, tmp_path / "both"


def test_a_model_of_overlapping_classes_is_scored_class_by_class(overlapping, tmp_path):
    network, root = overlapping
    evaluation = evaluate(network, parse_spec(f"folder:{root}"), "all")
    assert evaluation.dataset.classes == ("round", "red")  # in the order of the model
    segment = onenet.Segmenter(network)
    for index, name in enumerate(("round", "red")):
        expected = np.zeros((2, 2), dtype=np.int64)
        for item in evaluation.dataset.split("all"):
            truth = np.asarray(Image.open(root / f"masks/{name}/{item.name}.png")) // 255
            drawn = segment(item.image).logits()[index] > 0
            expected += confusion_matrix(truth, drawn.astype(np.uint8), 2)
        assert np.array_equal(evaluation.report.matrix[index], expected)
    for strip in evaluation.strips():
        logits = segment(strip.image).logits()
        assert np.array_equal(strip.prediction, (logits[0] > 0) + 2 * (logits[1] > 0))
    assert write_report(evaluation, tmp_path / "report").is_file()


def test_overlapping_classes_and_one_class_per_pixel_are_not_mixed(overlapping, tiny_model):
    network, root = overlapping
    with pytest.raises(DataError, match="the model gives each pixel one class"):
        evaluate(tiny_model, parse_spec(f"folder:{root},overlapping=true"))
    with pytest.raises(DataError, match="one class per pixel, but the model's classes may overlap"):
        open_for(network.card, parse_spec("pet-binary:samples:oxford_pet"))
