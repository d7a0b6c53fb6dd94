"""`onenet data check` of volumes: every fault is named with its case, and the others are looked at all the same."""

import json

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel")


def rewrite(path, change, affine=None):
    image = nibabel.load(path)
    array = np.asanyarray(image.dataobj).copy()
    nibabel.save(nibabel.Nifti1Image(change(array), image.affine if affine is None else affine(image.affine)), path)


def put(value):
    def change(array):
        array[0, 0, 0] = value
        return array

    return change


def moved(affine):
    affine = affine.copy()
    affine[:3, 3] += 4
    return affine


def same(array):
    return array


def texts(finished):
    report = json.loads(finished.out)
    assert report["ready"] == (finished.code == 0)
    return [problem["text"] for problem in report["problems"]]


def test_good_volumes_are_ready(write_msd, onenet_command):
    finished = onenet_command("data", "check", f"msd:{write_msd(5, spacing=(1, 1, 2))}")
    assert finished.code == 0, finished.out
    assert "cases     5 with masks: 3 train, 1 val, 1 test" in finished.out
    assert "sizes     14x12x10 voxels" in finished.out
    assert "spacing   1x1x2 mm" in finished.out
    assert "slices along axis 2" in finished.out
    ready, following = finished.out.splitlines()[-2:]
    assert (ready, following.split("/")[0]) == ("ready", "next    onenet train --data msd:")
    assert "train voxels" in finished.out


def test_classes_are_counted_in_voxels_and_cases(write_msd, onenet_command):
    root = write_msd(4)
    report = json.loads(onenet_command("data", "check", f"msd:{root}", "--json").out)
    masks = [nibabel.load(path).get_fdata() for path in sorted((root / "labelsTr").iterdir())]
    assert [row["name"] for row in report["classes"]] == ["background", "ball", "pearl"]
    assert [row["pixels"] for row in report["classes"]] == [sum(int((m == k).sum()) for m in masks) for k in range(3)]
    assert [row["images"] for row in report["classes"]] == [4, 4, 4]


@pytest.mark.parametrize(
    ("part", "change", "affine", "message"),
    [
        ("labelsTr", lambda mask: mask[:-1], None, "the mask is 13x12x10 voxels, but case_01.nii.gz is 14x12x10"),
        ("labelsTr", same, moved, "the mask lies up to 6.93 mm from where case_01.nii.gz lies"),
        ("labelsTr", put(7), None, "the mask holds 7, but the labels are 0, 1, 2"),
        ("labelsTr", lambda mask: mask + np.float32(0.25), None, "the mask holds 0.25, but labels are whole numbers"),
        ("imagesTr", put(np.nan), None, "1 voxel(s) are no numbers"),
        ("imagesTr", lambda image: np.stack([image, image], -1), None, "has 2 channel(s), but the data has 1"),
        ("labelsTr", lambda mask: np.stack([mask, mask], -1), None, "has four axes, but a mask has three"),
    ],
)
def test_a_fault_is_named_with_its_case(write_msd, onenet_command, part, change, affine, message):
    root = write_msd(5)
    rewrite(root / part / "case_01.nii.gz", change, affine)
    finished = onenet_command("data", "check", f"msd:{root}", "--json")
    assert finished.code == 1
    found = texts(finished)
    assert any(text.startswith(f"{part}/case_01.nii.gz: ") and message in text for text in found), found
    assert all("case_01" in text for text in found)
    assert str(root) not in " ".join(found)
    assert "Traceback" not in onenet_command("data", "check", f"msd:{root}").err


def test_several_faults_are_told_at_once(write_msd, onenet_command):
    root = write_msd(6)
    path = root / "imagesTr" / "case_00.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rewrite(root / "labelsTr" / "case_02.nii.gz", put(9))
    (root / "labelsTr" / "case_04.nii.gz").unlink()
    finished = onenet_command("data", "check", f"msd:{root}", "--json")
    assert finished.code == 1
    assert {text.partition(":")[0] for text in texts(finished)} == {
        "imagesTr/case_00.nii.gz", "labelsTr/case_02.nii.gz", "imagesTr/case_04.nii.gz"
    }  # fmt: skip


def test_whole_numbers_as_floats_are_labels(write_msd, onenet_command):
    root = write_msd(4)
    for path in (root / "labelsTr").iterdir():
        rewrite(path, lambda mask: mask.astype(np.float32))
    assert onenet_command("data", "check", f"msd:{root}").code == 0


def test_the_same_volume_twice_is_told(write_msd, onenet_command):
    root = write_msd(4)
    (root / "imagesTr" / "case_03.nii.gz").write_bytes((root / "imagesTr" / "case_00.nii.gz").read_bytes())
    found = texts(onenet_command("data", "check", f"msd:{root}", "--json"))
    assert found == ["imagesTr/case_03.nii.gz: the same volume as imagesTr/case_00.nii.gz; remove one of them"] or (
        found == ["imagesTr/case_00.nii.gz: the same volume as imagesTr/case_03.nii.gz; remove one of them"]
    )


def test_a_folder_of_another_layout_is_one_thing_to_mend(tmp_path, onenet_command):
    finished = onenet_command("data", "check", f"msd:{tmp_path}")
    assert finished.code == 1
    assert "holds no dataset.json" in finished.out


def test_samples_are_drawn(write_msd, onenet_command, tmp_path):
    finished = onenet_command("data", "show", f"msd:{write_msd(4)}", "data.size=32", "--count", "4")
    assert finished.code == 0, finished.err
    assert (tmp_path / "data-sheet.png").stat().st_size > 1000


def folder_of(write_msd, count=5):
    """The cases of `write_msd` in the layout of `volumes`."""
    root = write_msd(count)
    (root / "dataset.json").unlink()
    for old, new in (("imagesTr", "images"), ("labelsTr", "masks")):
        (root / old).rename(root / new)
    return root


def test_values_below_0_in_one_mask_do_not_stop_the_others(write_msd, onenet_command):
    root = folder_of(write_msd)
    rewrite(root / "masks" / "case_01.nii.gz", lambda mask: put(-1)(mask.astype(np.int16)))
    finished = onenet_command("data", "check", f"volumes:{root}", "--json")
    (line,) = texts(finished)
    assert line.startswith("masks/case_01.nii.gz: the mask holds -1, but the labels are 0, 1, 2")
    assert sum(json.loads(finished.out)["splits"].values()) == 5


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "cannot be read"),
        (lambda path: rewrite(path, lambda mask: put(np.nan)(mask.astype(np.float32))), "the mask holds nan"),
    ],
)
def test_masks_that_are_all_bad_are_named_each(write_msd, onenet_command, spoil, message):
    root = folder_of(write_msd)
    for path in (root / "masks").iterdir():
        spoil(path)
    found = texts(onenet_command("data", "check", f"volumes:{root}", "--json"))
    assert sorted(text.partition(": ")[0] for text in found) == [f"masks/case_0{number}.nii.gz" for number in range(5)]
    assert all(message in text for text in found)


def test_the_kind_of_a_finding_is_not_taken_from_a_name(write_msd):
    from onenet.config import parse_spec
    from onenet.data.check import check_data

    root = write_msd(4, folder="voxels of whole numbers in mm ")
    rewrite(root / "imagesTr" / "case_01.nii.gz", lambda image: np.stack([image, image], -1))
    path = root / "labelsTr" / "case_02.nii.gz"
    path.write_bytes(path.read_bytes()[:60])
    report = check_data(parse_spec(f"msd:{root}"))
    assert {finding.kind for finding in report.problems} == {"channels", "unreadable"}


def test_the_window_of_regions_is_that_of_training(write_msd, onenet_command):
    from onenet.config import parse_spec
    from onenet.data import open_dataset

    root = write_msd(5, labels={"background": 0, "whole": [1, 2], "pearl": [2]}, modality="CT")
    for path in (root / "imagesTr").iterdir():
        path.rename(path.with_name(path.name.replace(".nii.gz", "_0000.nii.gz")))
    found = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(
        json.dumps(found | {"regions_class_order": [1, 2], "channel_names": {"0": "CT"}})
    )
    line = next(note for note in open_dataset(parse_spec(f"nnunet:{root}")).notes if "window" in note)
    assert f"note: {line}" in onenet_command("data", "check", f"nnunet:{root}").out.splitlines()
