"""Headers of slices: what is damaged or absent is one line that names the file, and quotes nothing of the patient."""

import numpy as np
import pydicom
import pytest
from tests_of_volumes import ACROSS, DOWN, write

from onenet.errors import DataError
from onenet.volumes import read_volume
from onenet.volumes.dicom_slice import read_slice


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan" / "one.dcm"
    path.parent.mkdir()
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5)
    write(path, pixels, 0.0, "1.2.3", PatientName="Doe^Jane", PatientID="4711")
    return path


def change(path, tag, value):
    header = pydicom.dcmread(path)
    if value is None:
        delattr(header, tag)
    else:
        setattr(header, tag, value)
    header.save_as(path)


def test_it_is_what_stands_in_the_file(file):
    found = read_slice(file)
    assert np.allclose([found.across, found.down], [ACROSS, DOWN]) and found.position.tolist() == [10, 20, 30]
    assert (found.rows, found.columns, found.samples, found.spacing) == (4, 5, 1, (0.5, 0.75))
    assert (found.series, found.thickness) == ("1.2.3", 2.5)


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        ("ImageOrientationPatient", None, "has no ImageOrientationPatient that can be read"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "is not two directions at right angles"),
        ("ImageOrientationPatient", [2, 0, 0, 0, 1, 0], "is not two directions at right angles"),
        ("ImagePositionPatient", [1, 2], "has no ImagePositionPatient that can be read"),
        ("PixelSpacing", None, "has no PixelSpacing that can be read"),
        ("PixelSpacing", [0, 1], "its PixelSpacing, Rows and Columns must be above 0"),
        ("Rows", None, "has no Rows that can be read"),
        ("Columns", 0, "its PixelSpacing, Rows and Columns must be above 0"),
    ],
)
def test_what_does_not_say_where_it_lies_is_refused(file, tag, value, says):
    change(file, tag, value)
    with pytest.raises(DataError) as caught:
        read_slice(file)
    assert str(caught.value).startswith(f"{file}: ") and says in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_thickness_it_is_a_millimetre_and_reports_are_no_slices(file):
    change(file, "SliceThickness", None)
    assert read_slice(file).thickness == 1 and read_volume(file.parent).spacing == pytest.approx((0.75, 0.5, 1))
    change(file, "ImagePositionPatient", None)
    assert read_slice(file) is None


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_are_read_or_refused(file, seed):
    random = np.random.default_rng(seed)
    content = bytearray(file.read_bytes())
    for _ in range(3):
        content[random.integers(132, len(content))] = random.integers(0, 256)
    file.write_bytes(bytes(content[: random.integers(200, len(content))] if seed % 5 == 0 else content))
    try:
        read_volume(file.parent)
    except DataError as error:
        assert "scan" in str(error) and "\n" not in str(error)
        assert "Doe" not in str(error) and "4711" not in str(error)


def test_slices_without_pixels_are_told(file):
    change(file, "PixelData", None)
    with pytest.raises(DataError, match=r"one\.dcm: its pixels cannot be decoded"):
        read_volume(file.parent)
