"""The Decathlon's layout: cases, their labels, and a split by case; no volume is read for it."""

import json

import pytest

from onenet.config import parse_spec
from onenet.data.msd import find_msd
from onenet.errors import ConfigError, DataError

LABELS = {"0": "background", "1": "Anterior", "2": "Posterior"}


def write_layout(root, names, labels=LABELS, test=(), **more):
    for which, found in (("Tr", names), ("Ts", test)):
        for folder in (f"images{which}", f"labels{which}"):
            if found:
                (root / folder).mkdir(parents=True, exist_ok=True)
            for name in found:
                (root / folder / f"{name}.nii.gz").touch()
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "modality": {"0": "MRI"}, **more}))
    return root


def opened(root, *keys):
    return find_msd(parse_spec(",".join([f"msd:{root}", *keys])))


def test_cases_are_split_whole_and_the_same_each_time(tmp_path):
    names = [f"case_{n:02d}" for n in range(20)]
    found = opened(write_layout(tmp_path, names))
    split = {name: [case.name for case in cases] for name, cases in found.cases.items()}
    assert sorted(name for part in split.values() for name in part) == names
    assert {name: len(part) for name, part in split.items()} == {"train": 14, "val": 3, "test": 3}
    assert split == {name: [case.name for case in cases] for name, cases in opened(tmp_path).cases.items()}
    assert found.labels.classes == ("background", "Anterior", "Posterior")
    assert found.labels.background == 0
    assert found.channels == ("MRI",)
    case = found.cases["val"][0]
    assert (case.image.parent.name, case.mask.parent.name) == ("imagesTr", "labelsTr")


def test_every_case_validates_in_exactly_one_fold_and_the_test_stays(tmp_path):
    write_layout(tmp_path, [f"case_{n:02d}" for n in range(20)])
    folds = [opened(tmp_path, "folds=5", f"fold={fold}").cases for fold in range(5)]
    tests = {frozenset(case.name for case in fold["test"]) for fold in folds}
    assert len(tests) == 1
    validated = [case.name for fold in folds for case in fold["val"]]
    assert len(validated) == len(set(validated)) == 17
    for fold in folds:
        assert not {case.name for case in fold["train"]} & {case.name for case in fold["val"]}
        assert sum(map(len, fold.values())) == 20


@pytest.mark.parametrize("keys", [("folds=1",), ("folds=3", "fold=3")])
def test_a_fold_that_is_not_there_is_refused(tmp_path, keys):
    write_layout(tmp_path, [f"case_{n:02d}" for n in range(20)])
    with pytest.raises(ConfigError, match=r"take two folds or more, and one of them, 0 to"):
        opened(tmp_path, *keys)


def test_more_folds_than_cases_are_refused(tmp_path):
    write_layout(tmp_path, ["a", "b", "c"])
    with pytest.raises(DataError, match=r"2 image.s. to train and validate on cannot make 5 folds"):
        opened(tmp_path, "folds=5")


def test_test_cases_with_masks_are_the_test(tmp_path):
    found = opened(write_layout(tmp_path, ["a", "b", "c"], test=["x", "y"]))
    assert [case.name for case in found.cases["test"]] == ["x", "y"]
    assert len(found.cases["train"]) + len(found.cases["val"]) == 3


def test_hidden_files_and_other_endings_are_no_volumes(tmp_path):
    write_layout(tmp_path, ["a", "b", "c"])
    (tmp_path / "imagesTr" / "._a.nii.gz").touch()
    (tmp_path / "imagesTr" / "notes.txt").touch()
    assert sum(map(len, opened(tmp_path).cases.values())) == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"0": "background", "1": "a", "2": "a"}, "the label 'a' stands there twice"),
        ({"zero": "background", "1": "a"}, "the label 'zero' has the value 'background', which is no whole number"),
        ({}, 'holds no "labels"'),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        opened(write_layout(tmp_path, ["a", "b", "c"], labels))


def test_a_mask_without_a_volume_names_the_file(tmp_path):
    write_layout(tmp_path, ["a", "b", "c"])
    (tmp_path / "labelsTr" / "d.nii.gz").touch()
    with pytest.raises(DataError, match=r"d.nii.gz: has no volume of the same name; add it, or remove this one"):
        opened(tmp_path)


def test_keys_that_say_what_dataset_json_says_are_refused(tmp_path):
    write_layout(tmp_path, ["a", "b", "c"])
    with pytest.raises(ConfigError, match="which value is which class"):
        opened(tmp_path, "class_values=[0,1,2]")
    with pytest.raises(ConfigError, match=r"data.num_classes=5, but .*dataset.json has 3 classes"):
        opened(tmp_path, "num_classes=5")


def test_a_folder_without_dataset_json_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"holds no dataset.json; name the folder that does, or use volumes:PATH"):
        opened(tmp_path)


def test_cases_that_are_listed_but_not_there_are_told(tmp_path):
    listed = [{"image": f"./imagesTr/case_{n}.nii.gz", "label": f"./labelsTr/case_{n}.nii.gz"} for n in range(15)]
    write_layout(tmp_path, [f"case_{n}" for n in range(10)], training=listed)
    assert opened(tmp_path).notes == (
        "dataset.json lists 15 training cases, of which 5 are not there: case_10, case_11, case_12, ...",
    )
    for wrong in ("many", [3], [{"label": 1}], listed[:10], 70):
        write_layout(tmp_path, [f"case_{n}" for n in range(10)], training=wrong)
        assert not opened(tmp_path).notes


def test_a_mask_of_another_name_is_found_by_the_list(tmp_path):
    numbers = range(10)
    listed = [{"image": f"./imagesTr/img{n}.nii.gz", "label": f"./labelsTr/label{n}.nii.gz"} for n in numbers]
    write_layout(tmp_path, [f"img{n}" for n in numbers], training=listed)
    for n in numbers:
        (tmp_path / "labelsTr" / f"img{n}.nii.gz").rename(tmp_path / "labelsTr" / f"label{n}.nii.gz")
    found = opened(tmp_path)
    assert not found.notes
    cases = [case for split in found.cases.values() for case in split]
    assert {(case.name, case.image.name, case.mask.name) for case in cases} == {
        (f"img{n}", f"img{n}.nii.gz", f"label{n}.nii.gz") for n in numbers
    }
    (tmp_path / "labelsTr" / "img3.nii.gz").touch()  # a mask of its own name comes first
    with pytest.raises(DataError, match=r"label3.nii.gz: has no volume of the same name"):
        opened(tmp_path)
    write_layout(tmp_path, (), training=[*listed[:4], {"image": "img5.nii.gz"}, {"image": 5, "label": []}])
    with pytest.raises(DataError, match=r"img4.nii.gz: has no mask of the same name"):
        opened(tmp_path)


def test_a_mask_that_is_another_volumes_own_is_not_lent_by_the_list(tmp_path):
    names = ["b", "c", "d", "e"]
    listed = [{"image": f"imagesTr/{name}.nii.gz", "label": f"labelsTr/{name}.nii.gz"} for name in names]
    write_layout(tmp_path, names, training=[*listed, {"image": "imagesTr/a.nii.gz", "label": "labelsTr/b.nii.gz"}])
    (tmp_path / "imagesTr" / "a.nii.gz").touch()
    with pytest.raises(DataError, match=r"a.nii.gz: has no mask of the same name; add it, or remove this one"):
        opened(tmp_path)
    refused = []
    found = find_msd(parse_spec(f"msd:{tmp_path}"), refused.append)
    assert sorted((case.name, case.mask.name) for split in found.cases.values() for case in split) == [
        (name, f"{name}.nii.gz") for name in names
    ]
    assert len(refused) == 1


def test_one_mask_of_two_volumes_in_the_list_is_refused(tmp_path):
    listed = [{"image": f"imagesTr/{name}.nii.gz", "label": "labelsTr/both.nii.gz"} for name in "ab"]
    write_layout(tmp_path, ["a", "b", "c"], training=listed)
    (tmp_path / "labelsTr" / "a.nii.gz").unlink()
    (tmp_path / "labelsTr" / "b.nii.gz").rename(tmp_path / "labelsTr" / "both.nii.gz")
    with pytest.raises(DataError, match=r"dataset.json: lists both.nii.gz as the mask of a and of b; mend the list"):
        opened(tmp_path)
