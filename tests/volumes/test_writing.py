"""Masks as NIfTI files: nibabel and SimpleITK see them where the volume is."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK
from tests_of_volumes import write_series

from onenet.volumes import nifti_bytes, read_volume

AFFINE = np.array([[0, -1.5, 0.1, 4], [2, 0, 0, -7], [0.1, 0.2, 3, 11], [0, 0, 0, 1.0]])


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("codes", [(1, 1), (0, 2), (3, 0)])
def test_a_mask_has_shape_affine_and_header_of_its_volume(tmp_path, array, kind, codes):
    four = np.stack([array, array], axis=-1)
    affine = AFFINE if codes[0] == 0 else np.diag([1.5, -2, 3, 1.0])  # a qform cannot shear
    image = kind(four, affine)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(2, 1)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"name of the patient"))
    for text in ("descrip", "aux_file", "db_name", "intent_name", "data_type"):
        if text in image.header:
            image.header[text] = b"the patient"
    image.to_filename(tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    mask = (np.arange(120).reshape(4, 5, 6) % 3).astype(np.uint8)
    (tmp_path / "mask.nii.gz").write_bytes(nifti_bytes(mask, volume))
    back = nibabel.load(tmp_path / "mask.nii.gz")
    assert type(back) is kind and back.shape == (4, 5, 6) and back.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(back.dataobj), mask) and np.array_equal(back.affine, volume.affine)
    assert (int(back.header["qform_code"]), int(back.header["sform_code"])) == codes
    assert np.array_equal(back.header["pixdim"][:4], image.header["pixdim"][:4])
    assert back.header.get_xyzt_units()[0] == "mm"
    assert b"patient" not in gzip.decompress((tmp_path / "mask.nii.gz").read_bytes())


@pytest.mark.parametrize("name", ["scan.nrrd", "scan.mha", "series"])
def test_masks_of_other_formats_lie_where_simpleitk_reads_the_volume(tmp_path, array, name):
    if name == "series":
        write_series(tmp_path / name, np.abs(array).astype(np.uint16))
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / name)))
        image = reader.Execute()
    else:
        image = SimpleITK.GetImageFromArray(array.transpose(2, 1, 0))
        image.SetSpacing((1.5, 2.0, 3.0))
        image.SetOrigin((4.0, -5.0, 6.0))
        image.SetDirection((0.0, -1.0, 0.0, 0.8, 0.0, -0.6, 0.6, 0.0, 0.8))
        SimpleITK.WriteImage(image, str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    values = (np.arange(120).reshape(4, 5, 6) % 3).astype(np.uint8)
    (tmp_path / "mask.nii.gz").write_bytes(nifti_bytes(values, volume))
    mask = SimpleITK.ReadImage(str(tmp_path / "mask.nii.gz"))
    assert mask.GetSize() == image.GetSize() and mask.GetPixelID() == SimpleITK.sitkUInt8
    read = SimpleITK.GetArrayFromImage(mask)
    for index in np.ndindex(values.shape):
        assert read[index[::-1]] == values[index]
    for index in [(0, 0, 0), (3, 4, 5), (3, 0, 2)]:
        there = mask.TransformIndexToPhysicalPoint(index)
        assert np.allclose(there, image.TransformIndexToPhysicalPoint(index), atol=1e-4)
