"""DICOM Segmentations, read back by highdicom: which voxels, which classes, whose series, and nothing said aloud."""

import io

import highdicom
import numpy as np
import pydicom
import pytest
from tests_of_volumes import write_series

from onenet.errors import DataError
from onenet.volumes import read_volume
from onenet.volumes.dicom_seg import dicom_seg_bytes


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path / "scan", np.random.default_rng(0).integers(0, 99, (5, 6, 4)).astype(np.uint16))
    return tmp_path / "scan"


def change(folder, **tags):
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        for tag, value in tags.items():
            if value is None:
                delattr(header, tag)
            else:
                setattr(header, tag, value)
        header.save_as(path)


def segments(content, like):
    """Where each segment is, (x, y, z, segment), in the order of the series."""
    read = highdicom.seg.segread(io.BytesIO(content))
    uids = [str(pydicom.dcmread(path).SOPInstanceUID) for path in like.files]
    frames = read.get_pixels_by_source_instance(uids, ignore_spatial_locations=True)
    return frames.transpose(2, 1, 0, 3)


@pytest.mark.parametrize("overlapping", [False, True])
def test_every_segment_is_its_class(series, overlapping):
    like = read_volume(series)
    mask = np.random.default_rng(1).integers(0, 8 if overlapping else 3, like.array.shape).astype(np.uint8)
    classes = ("background", "Käfer 虫", "b\\" + "c" * 80) if not overlapping else ("a", "b", "c")
    content = dicom_seg_bytes(mask, like, classes, None if overlapping else 0, overlapping, "0.1")
    found = segments(content, like)
    expected = [mask >> bit & 1 for bit in range(3)] if overlapping else [mask == index for index in (1, 2)]
    assert np.array_equal(found, np.stack(expected, axis=-1))
    read = pydicom.dcmread(io.BytesIO(content))
    assert [segment.SegmentLabel for segment in read.SegmentSequence] == (
        ["a", "b", "c"] if overlapping else ["Käfer 虫", "b/" + "c" * 62]
    )


def test_an_empty_mask_is_an_empty_segmentation(series, caplog):
    like = read_volume(series)
    content = dicom_seg_bytes(np.zeros(like.array.shape, np.uint8), like, ("background", "organ"), 0)
    assert not highdicom.seg.segread(io.BytesIO(content)).pixel_array.any() and not caplog.records


def test_the_patient_and_the_study_are_those_of_the_series_and_nothing_else_is_carried(series):
    change(series, PatientName="Doe^Jane", PatientID="4711", StudyDescription="private", OperatorsName="Roe",
           InstitutionName="Somewhere")  # fmt: skip
    like = read_volume(series)
    content = dicom_seg_bytes(np.ones(like.array.shape, np.uint8), like, ("background", "organ"), 0)
    read, source = pydicom.dcmread(io.BytesIO(content)), pydicom.dcmread(like.files[0])
    for tag in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert getattr(read, tag) == getattr(source, tag)
    assert read.SeriesInstanceUID != source.SeriesInstanceUID
    assert b"Roe" not in content and b"Somewhere" not in content


def test_headers_that_do_not_keep_to_the_standard_are_not_quoted(series, recwarn):
    with pytest.warns(UserWarning):
        change(series, PatientName="Doe^Jane" * 20, PatientID="4711" * 20)
    like = read_volume(series)
    try:
        dicom_seg_bytes(np.ones(like.array.shape, np.uint8), like, ("background", "organ"), 0)
    except DataError as error:
        assert "Doe" not in str(error) and "4711" not in str(error)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("encoding", "name"), [("ISO_IR 100", "Müller^Zoë"), ("ISO_IR 192", "虫^明"), ("", "Doe^Jane")]
)
def test_a_name_in_any_script_stays_what_it_is(series, encoding, name):
    change(series, SpecificCharacterSet=encoding, PatientName=name)
    like = read_volume(series)
    content = dicom_seg_bytes(np.ones(like.array.shape, np.uint8), like, ("background", "Käfer 虫"), 0)
    read = pydicom.dcmread(io.BytesIO(content))
    assert str(read.PatientName) == name and read.SegmentSequence[0].SegmentLabel == "Käfer 虫"


@pytest.mark.parametrize("tag", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_what_it_has_to_refer_to_is_told_where_it_is_absent(series, tag):
    change(series, **{tag: None})
    like = read_volume(series)
    with pytest.raises(DataError, match=rf"000\.dcm: has no {tag}, to which a segmentation has to refer"):
        dicom_seg_bytes(np.ones(like.array.shape, np.uint8), like, ("background", "organ"), 0)
