"""A DICOM series is put in order along its normal; what is missing, mixed or double is told."""

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from tests_of_volumes import ACROSS, DOWN, NORMAL, STEP, write

from onenet.errors import DataError
from onenet.volumes import case_name, is_series, read_header, read_volume

ROWS, COLUMNS = 4, 5


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 2000, (3, ROWS, COLUMNS)).astype(np.uint16)
    uid = generate_uid()
    for number, place in enumerate((2, 0, 1)):  # the names are in no order
        write(folder / f"{number}.dcm", values[place], place * STEP, uid)
    return folder, values, uid


def test_every_voxel_is_where_its_slice_says(series):
    """Position of a pixel as part 3, C.7.6.2 of the standard has it, with explicit sums."""
    folder, values, _ = series
    volume = read_volume(folder)
    assert volume.array.shape == (COLUMNS, ROWS, 3) and case_name(folder) == "scan" and is_series(folder)
    assert [path.name for path in volume.files] == ["1.dcm", "2.dcm", "0.dcm"]
    for k, j, i in np.ndindex(3, ROWS, COLUMNS):
        assert volume.array[i, j, k] == values[k, j, i] - 1024.0
        lps = np.array([10.0, 20.0, 30.0]) + k * STEP * NORMAL + 0.75 * i * ACROSS + 0.5 * j * DOWN
        assert np.allclose((volume.affine @ [i, j, k, 1])[:3], lps * [-1, -1, 1])
    shape, affine = read_header(folder)
    assert shape == volume.array.shape and np.allclose(affine, volume.affine)
    assert nibabel.affines.voxel_sizes(affine) == pytest.approx((0.75, 0.5, STEP))


def test_a_missing_slice_is_told_with_its_neighbours(series):
    folder, values, uid = series
    write(folder / "far.dcm", values[0], 4 * STEP, uid)
    with pytest.raises(
        DataError, match=r"scan: between 0\.dcm and far\.dcm are 5 mm, elsewhere 2\.5 mm; a slice is mi"
    ):
        read_volume(folder)


def test_slices_at_one_place_and_mixed_series_are_refused(series):
    folder, values, uid = series
    write(folder / "again.dcm", values[0], 0.0, uid)
    with pytest.raises(DataError, match=r"are at one place; is a time series or a second scan among them"):
        read_volume(folder)
    write(folder / "again.dcm", values[0], 3 * STEP, generate_uid())
    with pytest.raises(DataError, match=r"scan: holds 2 series mixed; put each into a folder of its own"):
        read_volume(folder)


def test_slices_of_another_kind_and_damaged_ones_are_named(series):
    folder, values, uid = series
    write(folder / "x.dcm", values[0, :2], 3 * STEP, uid)
    with pytest.raises(DataError, match=r"x\.dcm: differs from 0\.dcm in Rows; a series has slices of one kind"):
        read_volume(folder)
    (folder / "x.dcm").write_bytes((folder / "1.dcm").read_bytes()[:-20])
    header = pydicom.dcmread(folder / "1.dcm", stop_before_pixels=True)
    assert header.Rows == ROWS
    (folder / "1.dcm").unlink()
    with pytest.raises(DataError, match=r"x\.dcm: its pixels cannot be decoded; damaged, or"):
        read_volume(folder)
    (folder / "2.dcm").write_bytes((folder / "2.dcm").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"\.dcm: its pixels cannot be decoded \(nor those of 1 more of 3 files\)"):
        read_volume(folder)


def test_a_folder_without_dicom_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert not is_series(tmp_path)
    with pytest.raises(DataError, match="holds no DICOM slices; give a file, or the folder of one series"):
        read_volume(tmp_path)


def test_the_contents_of_a_disc_are_no_slice(series):
    folder, *_ = series
    (folder / "dicomdir").write_bytes(next(folder.iterdir()).read_bytes())
    assert read_header(folder)[0][2] == 3


def test_slices_of_different_scales_keep_their_values(tmp_path):
    """As in PET: every slice has its own slope, and the first one's would make whole numbers of all."""
    folder = tmp_path / "scan"
    folder.mkdir()
    uid, slopes = generate_uid(), (1, 0.25, 0.5)
    for place, slope in enumerate(slopes):
        pixels = np.full((4, 5), 3, dtype=np.uint16)
        write(folder / f"{place}.dcm", pixels, place * STEP, uid, RescaleSlope=slope, RescaleIntercept=-place)
    array = read_volume(folder).array
    assert [float(array[0, 0, k]) for k in range(3)] == [3.0, -0.25, -0.5]
