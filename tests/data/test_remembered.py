"""What a model's card keeps of how its training read masks, and when a SPEC is read so too."""

import json

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.card import Card
from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.data.remembered import remembered, shown, to_remember

COLOURS = ("#000000", "#ff0000")


def folder(root, *values, table="", name="classes.txt"):
    """Six photos with masks of these values, and a class table."""
    for number in range(6):
        for kind, pixels in (("images", np.full((6, 8, 3), 90)), ("masks", np.resize(values, (6, 8)))):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(root / kind / f"{number}.png")
    if table:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(table)
    return root


def coloured(root):
    for path in (folder(root, 0, 1) / "masks").iterdir():
        Image.fromarray(np.array([[0, 0, 0], [255, 0, 0]], np.uint8)[np.asarray(Image.open(path))]).save(path)
    return root


def card_of(spec):
    """The card of a model that was trained on what a SPEC names."""
    config = parse_spec(spec)
    dataset = open_dataset(config)
    arguments = {"in_channels": 3, "num_classes": dataset.num_classes}
    training = {"format": config.format, "labels": to_remember(config, dataset)}
    card = Card("onenet-e-4", arguments, dataset.classes, dataset.colours, dataset.background, training=training)
    return Card.from_json(card.to_json(), "here")  # as a file has it


def reading(card, spec):
    """How a SPEC is read with a card's help: encoding, what is read otherwise than without, and the labels."""
    alone = parse_spec(spec)
    used = parse_spec(spec, base=remembered(card, alone))
    return shown(alone, used), dict(open_dataset(used).labels)


def test_values_that_were_given_are_used_where_the_spec_says_nothing(tmp_path):
    root = folder(tmp_path / "a", 0, 255)
    card = card_of(f"folder:{root},class_values=[255,0]")
    assert reading(card, f"folder:{root}") == ("data.class_values=[255,0]", {255: 0, 0: 1})
    assert reading(card, f"folder:{root},class_values=[0,255]")[1] == {0: 0, 255: 1}
    assert reading(card, f"folder:{root},class_values=[]")[1] == {0: 0, 255: 1}  # as the masks say


def test_colours_and_the_value_that_is_not_counted_are_used_too(tmp_path):
    root = coloured(tmp_path / "a")
    card = card_of(f'folder:{root},class_values=["#ff0000", "#000000"]')
    assert reading(card, f"folder:{root}") == ('data.class_values=["#ff0000","#000000"]', {0xFF0000: 0, 0: 1})
    grey = folder(tmp_path / "b", 0, 1, 7)
    assert reading(card_of(f"folder:{grey},ignore_index=7"), f"folder:{grey}") == (
        "data.ignore_index=7", {0: 0, 1: 1, 7: 255},
    )  # fmt: skip


def test_data_of_another_format_is_read_as_it_is(tmp_path):
    card = card_of(f"folder:{folder(tmp_path / 'a', 0, 255)},class_values=[255,0]")
    assert remembered(card, parse_spec("pet-binary:samples:oxford_pet")) == {}


def test_a_class_table_of_the_datas_own_says_more_than_the_model_remembers(tmp_path):
    card = card_of(f"folder:{folder(tmp_path / 'a', 0, 255)},class_values=[255,0],class_names=lit,dark")
    own = folder(tmp_path / "own", 0, 255, table="dark,0\nlit,255\n")
    assert reading(card, f"folder:{own}") == ("", {0: 0, 255: 1})
    other = folder(tmp_path / "other", 0, 255, table="dark,0\nlit,255\n", name="mine.csv")
    assert reading(card, f"folder:{other},class_table=mine.csv")[1] == {0: 0, 255: 1}


def test_a_table_in_the_datas_folder_is_remembered_by_its_name(tmp_path):
    root = folder(tmp_path / "a", 3, 4, table="lit,4\ndark,3\n", name="mine.csv")
    card = card_of(f"folder:{root},class_table={root}/mine.csv")
    assert card.training["labels"]["class_table"] == "mine.csv"
    assert reading(card, f"folder:{root}") == ("data.class_table=mine.csv", {4: 0, 3: 1, 255: 255})
    assert reading(card, f"folder:{folder(tmp_path / 'b', 0, 1)}") == ("", {0: 0, 1: 1, 255: 255})  # it has none
    (root / "classes.txt").write_text("dark,3\nlit,4\n")  # one that is found by itself, but was not used
    assert reading(card, f"folder:{root}")[1] == {4: 0, 3: 1, 255: 255}
    both = card_of(f"folder:{root},class_values=[4,3],class_table=mine.csv")
    assert reading(both, f"folder:{root}")[1] == {4: 0, 3: 1, 255: 255}


def test_of_a_table_elsewhere_its_values_are_remembered_and_never_its_path(tmp_path):
    root = folder(tmp_path / "a", 3, 4)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/mine.csv").write_text("lit,4\ndark,3\n")
    for given in (tmp_path / "secret/mine.csv", "../secret/mine.csv"):
        card = card_of(f"folder:{root},class_table={given}")
        assert "secret" not in card.to_json() and str(tmp_path) not in card.to_json()
        assert reading(card, f"folder:{root}") == ("data.class_values=[4,3]", {4: 0, 3: 1, 255: 255})
    (tmp_path / "secret/mine.csv").write_text("lit,4\nvoid,2\ndark,3\n")  # more than class_values can say
    assert card_of(f"folder:{root},class_table=../secret/mine.csv").training["labels"]["class_values"] == []


def test_classes_that_only_the_configuration_named_are_used(tmp_path):
    root = tmp_path / "voc"
    folder(root, 0, 1, 2)
    (root / "images").rename(root / "JPEGImages")
    (root / "masks").rename(root / "SegmentationClass")
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("0\n1\n2\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("3\n4\n")
    card = card_of(f"voc:{root},class_names=ground,cat,dog")
    assert remembered(card, parse_spec(f"voc:{root}"))["class_names"] == ["ground", "cat", "dog"]
    assert reading(card, f"voc:{root}")[1] == {0: 0, 1: 1, 2: 2, 255: 255}
    (root / "classes.txt").write_text("ground\ncat\ndog\nbird\n")
    assert not {"class_names", "num_classes"} & remembered(card, parse_spec(f"voc:{root}")).keys()


def test_the_border_of_pets_is_remembered():
    card = card_of("pet-full:samples:oxford_pet,border=pet")
    assert shown(*with_and_without(card, "pet-full:samples:oxford_pet")) == "data.border=pet"


def with_and_without(card, spec):
    alone = parse_spec(spec)
    return alone, parse_spec(spec, base=remembered(card, alone))


@pytest.mark.parametrize("labels", [None, 5, [], {}, {"class_table": "../../etc/passwd", "strange": 1}])
def test_a_card_from_before_or_a_strange_one_says_nothing(tmp_path, labels):
    root = folder(tmp_path / "a", 0, 255)
    card = card_of(f"folder:{root}")
    kept = {key: value for key, value in card.training.items() if key != "labels"}
    card = card.replace(training=kept if labels is None else kept | {"labels": labels})
    assert remembered(card, parse_spec(f"folder:{root}")) == {}


# --- with a model


@pytest.fixture
def trained(tmp_path, photos, tiny):
    from onenet.config import load_config

    root = photos(count=10, values=(0, 255))
    changes = [*tiny, f"data.root={root}", "data.class_values=[255,0]", "train.epochs=1"]
    return onenet.train(load_config("default", changes), tmp_path / "run"), root


def test_an_evaluation_reads_masks_as_the_training_did_and_says_so(trained):
    run, root = trained
    evaluation = onenet.evaluate(run, f"folder:{root}")
    given = onenet.evaluate(run, f"folder:{root},class_values=[255,0]")
    assert np.array_equal(evaluation.report.matrix, given.report.matrix)
    assert evaluation.notes == ("masks are read as in the model's training: data.class_values=[255,0]",)
    swapped = onenet.evaluate(run, f"folder:{root},class_values=[0,255]").report.matrix
    assert np.array_equal(swapped, evaluation.report.matrix[::-1])


def test_masks_that_cannot_be_read_so_are_refused_with_where_that_comes_from(trained, photos):
    from onenet.errors import DataError

    run, _ = trained
    with pytest.raises(DataError) as refusal:
        onenet.evaluate(run, f"folder:{photos('others', values=(0, 1))}", "all")
    line = str(refusal.value)
    assert "holds the value 1" in line or "the mask holds" in line
    assert line.endswith("(masks are read as in the model's training: data.class_values=[255,0])") and "\n" not in line


def test_a_model_from_before_is_evaluated_as_it_was(trained, tmp_path):
    run, root = trained
    model = onenet.load(run)
    training = {key: value for key, value in model.card.training.items() if key != "labels"}
    onenet.save(model, tmp_path / "old.safetensors", model.card.replace(training=training))
    evaluation = onenet.evaluate(tmp_path / "old.safetensors", f"folder:{root},class_values=[255,0]")
    assert evaluation.notes == ()
    assert json.loads(model.card.to_json())["training"]["labels"]["class_values"] == ["255", "0"]
