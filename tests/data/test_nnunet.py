"""nnU-Net's layout: a file per channel, labels by name, regions that overlap."""

import json

import pytest

from onenet.config import parse_spec
from onenet.data.nnunet import find_nnunet
from onenet.errors import DataError
from onenet.images import IGNORED


def write_layout(root, labels, names=("a", "b", "c"), channels=2, **more):
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / "labelsTr" / f"{name}.nii.gz").touch()
        for channel in range(channels):
            (root / "imagesTr" / f"{name}_{channel:04d}.nii.gz").touch()
    names_of = {str(n): f"T{n}" for n in range(channels)}
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "channel_names": names_of, **more}))
    return root


def opened(root, refuse=None):
    config = parse_spec(f"nnunet:{root}")
    return find_nnunet(config, refuse) if refuse else find_nnunet(config)


def test_a_case_has_a_file_per_channel(tmp_path):
    found = opened(write_layout(tmp_path, {"background": 0, "liver": 1}))
    case = found.cases["train"][0]
    assert [path.name for path in case.images] == [f"{case.name}_0000.nii.gz", f"{case.name}_0001.nii.gz"]
    assert case.mask.name == f"{case.name}.nii.gz"
    assert found.channels == ("T0", "T1")
    assert not found.overlapping


def test_the_label_ignore_is_not_counted(tmp_path):
    labels = opened(write_layout(tmp_path, {"background": 0, "tumour": 2, "liver": 1, "ignore": 3})).labels
    assert labels.classes == ("background", "liver", "tumour")
    assert labels.mapping == {0: 0, 1: 1, 2: 2, 3: IGNORED, 255: IGNORED}


def test_regions_are_bit_codes_of_the_values_that_they_hold(tmp_path):
    regions = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4}
    found = opened(write_layout(tmp_path, regions, regions_class_order=[1, 2, 3]))
    assert found.overlapping
    assert found.labels.classes == ("whole", "core", "enhancing")
    assert found.labels.background is None
    for value in range(4):
        code = found.labels.mapping[value]
        for bit, name in enumerate(found.labels.classes):
            held = regions[name] if isinstance(regions[name], list) else [regions[name]]
            assert code >> bit & 1 == (value in held)
    assert found.labels.mapping[4] == IGNORED


def test_an_absent_channel_names_the_case_and_the_others_stay(tmp_path):
    write_layout(tmp_path, {"background": 0, "liver": 1}, names=("a", "b", "c", "d"))
    (tmp_path / "imagesTr" / "b_0001.nii.gz").unlink()
    with pytest.raises(DataError, match="the case has no channel b_0001; add it, or remove it"):
        opened(tmp_path)
    refused = []
    found = opened(tmp_path, refused.append)
    assert sum(map(len, found.cases.values())) == 3
    assert len(refused) == 1


def test_names_without_a_channel_are_refused(tmp_path):
    write_layout(tmp_path, {"background": 0, "liver": 1})
    (tmp_path / "imagesTr" / "d.nii.gz").touch()
    with pytest.raises(DataError, match="is not called CASE_0000 and so on"):
        opened(tmp_path)


def test_a_case_without_a_mask_is_named(tmp_path):
    write_layout(tmp_path, {"background": 0, "liver": 1})
    (tmp_path / "labelsTr" / "a.nii.gz").unlink()
    with pytest.raises(DataError, match=r"a_0000.nii.gz: the case has no mask"):
        opened(tmp_path)


def test_channels_are_numbered_from_0(tmp_path):
    write_layout(tmp_path, {"background": 0, "liver": 1}, channel_names={"1": "T1"})
    with pytest.raises(DataError, match="channels must be numbered from 0"):
        opened(tmp_path)


def test_a_channel_too_many_names_its_file_and_the_others_stay(tmp_path):
    write_layout(tmp_path, {"background": 0, "liver": 1}, names=("a", "b", "c", "d"), channels=1)
    (tmp_path / "imagesTr" / "b_0001.nii.gz").touch()
    with pytest.raises(DataError, match=r"b_0001.nii.gz: is channel 1 of its case, but the data has 1, counted from 0"):
        opened(tmp_path)
    refused = []
    found = opened(tmp_path, refused.append)
    assert sum(map(len, found.cases.values())) == 3 and len(refused) == 1
