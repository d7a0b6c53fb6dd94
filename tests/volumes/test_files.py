"""Volumes in and out: NIfTI, NRRD and MetaImage against the libraries that define them, and what is refused."""

import gzip
import sys

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from tests_of_volumes import write_series

from onenet.errors import DataError, OneNetError
from onenet.volumes import case_name, files_of, is_volume, read_header, read_volume

AFFINE = np.array([[0, -1.5, 0.1, 4], [2, 0, 0, -7], [0.1, 0.2, 3, 11], [0, 0, 0, 1.0]])


def save(path, array, affine=AFFINE, **how):
    nibabel.save(nibabel.Nifti1Image(array, affine, **how), path)
    return path


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_nifti_is_what_nibabel_says(tmp_path, array, name):
    path = save(tmp_path / name, array)
    volume = read_volume(path)
    assert np.array_equal(volume.array, array) and np.allclose(volume.affine, AFFINE)
    shape, affine = read_header(path)
    assert shape == (4, 5, 6) and np.allclose(affine, AFFINE)
    assert volume.spacing == pytest.approx(tuple(np.linalg.norm(AFFINE[:3, :3], axis=0)))
    assert case_name(path) == "scan" and is_volume(path)


def test_channels_stand_on_the_fourth_axis_and_scaled_values_are_scaled(tmp_path, array):
    four = np.stack([array, array + 1], axis=-1)
    assert np.array_equal(read_volume(save(tmp_path / "four.nii.gz", four)).array, four)
    vector = four[:, :, :, None]  # NIfTI's own way: time before channels
    assert np.array_equal(read_volume(save(tmp_path / "vector.nii.gz", vector)).array, four)
    image = nibabel.Nifti1Image(array, AFFINE)
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(tmp_path / "scaled.nii.gz")
    expected = nibabel.load(tmp_path / "scaled.nii.gz").get_fdata()
    assert np.allclose(read_volume(tmp_path / "scaled.nii.gz").array, expected)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_formats_lie_where_their_nifti_lies(tmp_path, array, ending, channels):
    """SimpleITK writes one image in both formats; the affine of its NIfTI is nibabel's word."""
    values = array if channels == 1 else np.stack([array, array + 1], axis=-1)
    image = SimpleITK.GetImageFromArray(values.transpose(2, 1, 0, *range(3, values.ndim)), isVector=channels > 1)
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetOrigin((4.0, -5.0, 6.0))
    image.SetDirection((0.0, -1.0, 0.0, 0.8, 0.0, -0.6, 0.6, 0.0, 0.8))
    for suffix in (ending, "nii.gz"):
        SimpleITK.WriteImage(image, str(tmp_path / f"scan.{suffix}"))
    volume, reference = read_volume(tmp_path / f"scan.{ending}"), nibabel.load(tmp_path / "scan.nii.gz")
    assert np.array_equal(volume.array, values)
    assert np.allclose(volume.affine, reference.affine, atol=1e-5)
    shape, affine = read_header(tmp_path / f"scan.{ending}")
    assert shape == values.shape and np.allclose(affine, volume.affine)


def broken(tmp_path, kind, array):
    path = tmp_path / "scan.nii.gz"
    if kind == "cut":
        save(path, np.random.default_rng(0).integers(0, 999, (40, 40, 40)).astype(np.int16))
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "plane":
        save(path, array[..., 0])
    elif kind == "five":
        save(path, np.zeros((3, 3, 3, 2, 2), np.int16))
    elif kind == "colours":
        colours = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        save(path, colours)
    elif kind == "flat affine":
        image = nibabel.Nifti1Image(array, np.eye(4))
        image.header["srow_x"] = image.header["srow_y"] = 0
        image.header["sform_code"], image.header["qform_code"] = 1, 0
        path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4) + array.tobytes()))
    elif kind == "flipped byte":  # unpacks to something else, as its checksum tells
        noise = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
        content = bytearray(gzip.compress(nibabel.Nifti1Image(noise, np.eye(4)).to_bytes(), compresslevel=0))
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    elif kind == "nrrd":
        path = tmp_path / "scan.nrrd"
        path.write_text("NRRD0004\nrubbish")
    elif kind == "photo":
        path = tmp_path / "scan.png"
        path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cut", "it is damaged or incomplete, copy it again"),
        ("text", "it is damaged or incomplete, copy it again"),
        ("flipped byte", "it is damaged or incomplete, copy it again"),
        ("plane", "is 4x5, but a volume has three axes, or four with its channels; convert it"),
        ("five", "is 3x3x3x2x2, but a volume has three axes"),
        ("colours", "holds colours or complex numbers; convert it to grey values"),
        ("flat affine", "its affine does not say where voxels are"),
        ("nrrd", "it is damaged or incomplete, copy it again"),
        ("photo", "is no volume (.nii.gz, .nii, .nrrd, .mha, .mhd, or the folder of a DICOM series)"),
        ("none", "no such file"),
    ],
)
def test_what_is_no_volume_is_refused_in_one_line(tmp_path, array, kind, says):
    path = broken(tmp_path, kind, array)
    with pytest.raises(DataError) as error:
        read_volume(path)
    assert str(error.value).startswith(f"{path}: ") and says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.nrrd"])
@pytest.mark.parametrize("seed", range(20))
def test_damaged_headers_are_read_or_refused(tmp_path, array, name, seed, capfd):
    path = tmp_path / name
    if name == "scan.nrrd":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))
    else:
        save(tmp_path / "scan.nii", array)
    random = np.random.default_rng(seed)
    content = bytearray((tmp_path / name.removesuffix(".gz")).read_bytes())
    for _ in range(3):
        content[random.integers(0, 352)] = random.integers(0, 256)
    path.write_bytes(gzip.compress(bytes(content)) if name.endswith("gz") else bytes(content))
    for read in (read_volume, read_header):
        try:
            read(path)
        except DataError as error:
            assert str(path) in str(error) and "\n" not in str(error)
    assert not any(capfd.readouterr())


def test_voxels_of_a_tenth_of_a_micrometre_are_no_fault(tmp_path, array):
    volume = read_volume(save(tmp_path / "scan.nii.gz", array, np.diag([1e-4, 1e-4, 1e-4, 1])))
    assert volume.spacing == pytest.approx((1e-4, 1e-4, 1e-4))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.mha", "series"])
def test_no_floats_of_64_bits_are_kept(tmp_path, name):
    array = np.random.default_rng(0).random((4, 5, 6))
    path = tmp_path / name
    if name == "series":
        write_series(path, (array * 99).astype(np.uint16))
        for file in path.iterdir():
            header = pydicom.dcmread(file)
            header.RescaleSlope, header.RescaleIntercept = 0.5, -3
            header.save_as(file)
    elif name == "scan.mha":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array.T), str(path))
    else:
        save(path, array)
    volume = read_volume(path)
    expected = (array * 99).astype(np.uint16) * 0.5 - 3 if name == "series" else array
    assert volume.array.dtype == np.float32 and np.allclose(volume.array, expected)


def test_a_case_in_the_folder_one_is_in_has_the_folders_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert case_name(".") == tmp_path.name and case_name("..") == tmp_path.parent.name
    assert case_name("A.B.NII.GZ") == "A.B" and case_name("1.2.840/") == "1.2.840"


@pytest.mark.parametrize(
    ("name", "package"), [("scan.nii.gz", "nibabel"), ("scan.mha", "SimpleITK"), ("series", "pydicom")]
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(tmp_path, array, monkeypatch, name, package):
    save(tmp_path / "scan.nii.gz", array)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(tmp_path / "scan.mha"))
    write_series(tmp_path / "series", np.abs(array).astype(np.uint16))
    for missing in ("nibabel", "SimpleITK", "pydicom"):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(OneNetError, match=rf"{name}: {package} is not installed.*pip install 'onenet-seg\[medical\]'"):
        read_header(tmp_path / name)


@pytest.mark.parametrize("name", ["scan.mhd", "scan.nrrd"])
def test_voxels_in_a_file_of_their_own_belong_to_the_volume(tmp_path, name):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    if name.endswith("mhd"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(tmp_path / name))
        voxels = "scan.raw"
    else:
        voxels = "voxels.raw"
        (tmp_path / voxels).write_bytes(array.tobytes())
        (tmp_path / name).write_text(
            "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nspace: left-posterior-superior\n"
            "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nencoding: raw\nendian: little\n"
            f"data file: {voxels}\n\n"
        )
    assert files_of(tmp_path / name) == (tmp_path / name, tmp_path / voxels)
    assert np.array_equal(read_volume(tmp_path / name).array, array.transpose(2, 1, 0))
    whole = SimpleITK.GetImageFromArray(array)
    SimpleITK.WriteImage(whole, str(tmp_path / "whole.mha"))
    assert files_of(tmp_path / "whole.mha") == (tmp_path / "whole.mha",)


@pytest.mark.parametrize("name", ["scan.mhd", "scan.nrrd"])
def test_a_header_without_its_voxels_says_which_file_is_lacking(tmp_path, name):
    if name.endswith("mhd"):
        header = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = scan.raw\n"
    else:
        header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: scan.raw\n"
    (tmp_path / name).write_text(header)
    for read in (read_volume, read_header):
        with pytest.raises(
            DataError, match=r"its voxels are in scan\.raw, which is not beside it; copy that file, too"
        ):
            read(tmp_path / name)
    (tmp_path / "scan.raw").write_bytes(bytes(range(8)))
    assert read_volume(tmp_path / name).array[1, 0, 0] == 1


@pytest.mark.parametrize("said", ["LOCAL", "Local", "local"])
def test_voxels_in_the_header_s_own_file_are_read_however_that_is_written(tmp_path, said):
    header = f"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = {said}\n"
    (tmp_path / "scan.mha").write_bytes(header.encode() + bytes(range(8)))
    assert read_volume(tmp_path / "scan.mha").array[1, 0, 0] == 1
