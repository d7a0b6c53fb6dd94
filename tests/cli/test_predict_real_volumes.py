"""`onenet predict` on the real volumes beside the repository, judged by nibabel and SimpleITK."""

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

import onenet
from onenet.volumes.components import largest_part

SHARED = Path(__file__).parents[2] / "../shared/data/msd"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here"),
]

TASKS = {"Task04_Hippocampus": (1, 2), "Task02_Heart": (1, 1), "Task01_BrainTumour": (2, 0)}  # channels, axis


def save_model(path, channels, axis, neighbours=0, spacing=None):
    """A network that finds about half of what it sees."""
    torch.manual_seed(0)
    seen = channels * (2 * neighbours + 1)
    network = onenet.create_model("onenet-e-4", in_channels=seen, num_classes=2, width=4, depth=2, stem_repeat=1)
    with torch.no_grad():
        network(torch.rand(4, seen, 64, 64))
        logits = network.eval()(torch.rand(2, seen, 64, 64))
        bias = [parameter for parameter in network.parameters() if parameter.shape == (2,)][-1]
        bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    volume = {"axis": axis, "spacing": spacing, "intensity": {"kind": "percentiles"}, "neighbours": neighbours}
    onenet.save(network, path, dataclasses.replace(network.card, volume=volume))
    return path


@pytest.mark.parametrize("task", TASKS)
def test_masks_lie_where_the_volumes_lie(onenet_command, tmp_path, task):
    channels, axis = TASKS[task]
    model = save_model(tmp_path / "m.safetensors", channels, axis)
    files = sorted((SHARED / task / "imagesTr").glob("*.nii.gz"))[:2]
    done = onenet_command("predict", model, *files, "--out", "out", "--postprocess", "largest")
    assert done.code == 0 and done.err == ""
    for file in files:
        given, mask = nibabel.load(file), nibabel.load(tmp_path / "out" / file.name)
        values = np.asarray(mask.dataobj)
        assert mask.shape == given.shape[:3] and np.array_equal(mask.affine, given.affine)
        for field in ("qform_code", "sform_code", "xyzt_units"):
            assert mask.header[field] == given.header[field]
        assert np.array_equal(mask.header["pixdim"][:4], given.header["pixdim"][:4])
        assert mask.get_data_dtype() == np.uint8 and set(np.unique(values)) == {0, 1}
        assert np.array_equal(largest_part(values == 1), values == 1)
        if channels == 1:
            one, other = (SimpleITK.ReadImage(str(path)) for path in (file, tmp_path / "out" / file.name))
            assert np.allclose(one.GetDirection(), other.GetDirection()) and one.GetSize() == other.GetSize()
            assert np.allclose(one.GetOrigin(), other.GetOrigin()) and np.allclose(one.GetSpacing(), other.GetSpacing())


def test_the_same_scan_with_its_axes_turned_has_the_same_mask(onenet_command, tmp_path):
    """SimpleITK turns the file, and turns its mask back."""
    model = save_model(tmp_path / "m.safetensors", 1, 2, neighbours=1, spacing=[1.5, 1.5])
    file = sorted((SHARED / "Task04_Hippocampus/imagesTr").glob("*.nii.gz"))[0]
    image = SimpleITK.ReadImage(str(file))
    own = SimpleITK.DICOMOrientImageFilter_GetOrientationFromDirectionCosines(image.GetDirection())
    SimpleITK.WriteImage(image, str(tmp_path / "plain.mha"))
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(image, "PIR"), str(tmp_path / "turned.nrrd"))
    done = onenet_command("predict", model, "plain.mha", "turned.nrrd", "--out", "out", "--save", "mask")
    assert done.code == 0, done.err
    plain, turned = (SimpleITK.ReadImage(str(tmp_path / f"out/{name}.nii.gz")) for name in ("plain", "turned"))
    back = SimpleITK.DICOMOrient(turned, own)
    assert np.array_equal(SimpleITK.GetArrayFromImage(back), SimpleITK.GetArrayFromImage(plain))
