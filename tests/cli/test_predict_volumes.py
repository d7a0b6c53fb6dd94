"""`onenet predict` with volumes: masks on the grid that came in; bad volumes are told, and the others go on."""

import dataclasses
import sys
import warnings

import nibabel
import numpy as np
import onnx
import pydicom
import pytest
import SimpleITK
import torch
from nibabel import orientations
from PIL import Image
from tests_of_volumes import write_series

import onenet
from onenet.deploy.volume import segment_volume
from onenet.volumes import read_volume

AXIS = 2


@pytest.fixture(scope="session")
def volume_model(tmp_path_factory):
    """A network of random weights that finds either class at about as many places."""
    folder = tmp_path_factory.mktemp("model")
    model = onenet.create_model("onenet-ed-4", in_channels=1, num_classes=2, width=4, depth=2)
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.3)
        logits = model(torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1)))[0]
        bias = [parameter for parameter in model.parameters() if parameter.shape == (2,)][-1]
        bias[1] -= (logits[1] - logits[0]).median()
    volume = {"axis": AXIS, "spacing": None, "intensity": {"kind": "percentiles"}, "neighbours": 0}
    card = dataclasses.replace(model.card, classes=("background", "bright"), volume=volume)
    onenet.save(model.eval(), folder / "model.safetensors", card)
    return folder / "model.safetensors"


def scan(shape=(12, 14, 6), seed=0):
    array = np.random.default_rng(seed).normal(100, 40, shape).astype(np.float32)
    array[3:9, 4:10, 1:5] += 200
    return array


def with_axes(array, codes, path):
    """A canonical array written with its axes towards `codes`, at 1, 1.5 and 3 mm, obliquely."""
    affine = np.diag([1.0, 1.5, 3.0, 1.0])
    affine[:3, :3] = np.array([[0.98, -0.17, 0.1], [0.17, 0.98, 0.05], [-0.1, -0.03, 0.99]]) @ affine[:3, :3]
    turn = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(codes))
    turned = orientations.apply_orientation(array, turn)
    nibabel.save(nibabel.Nifti1Image(turned, affine @ orientations.inv_ornt_aff(turn, array.shape)), path)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIL", "ALI"])
def test_the_mask_lies_where_the_volume_lies(onenet_command, volume_model, tmp_path, codes):
    with_axes(scan(), codes, tmp_path / "scan.nii.gz")
    with_axes(scan(), "RAS", tmp_path / "plain.nii.gz")
    done = onenet_command("predict", volume_model, "scan.nii.gz", "plain.nii.gz", "--out", "out")
    assert done.code == 0, done.err
    given, mask = nibabel.load(tmp_path / "scan.nii.gz"), nibabel.load(tmp_path / "out/scan.nii.gz")
    assert mask.shape == given.shape and np.array_equal(mask.affine, given.affine)
    assert mask.get_data_dtype() == np.uint8 and set(np.unique(mask.dataobj)) == {0, 1}
    plain = np.asarray(nibabel.load(tmp_path / "out/plain.nii.gz").dataobj)
    there = np.asarray(nibabel.as_closest_canonical(mask).dataobj)
    assert np.array_equal(there, plain)


def test_each_slice_is_what_the_segmenter_says_of_it(onenet_command, volume_model, tmp_path):
    """Slice by slice through the door for images, turned by hand."""
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    assert onenet_command("predict", volume_model, "scan.nii.gz", "--out", "out", "--save", "mask").code == 0
    mask = np.asarray(nibabel.load(tmp_path / "out/scan.nii.gz").dataobj)
    array = scan()
    low, high = np.percentile(array, [0.5, 99.5])
    grey = np.clip((array - low) / (high - low), 0, 1).astype(np.float32)
    segmenter = onenet.Segmenter(volume_model)
    for z in range(array.shape[2]):
        image = np.rot90(grey[:, :, z].T, 2)  # rows to the back, columns to the left
        assert np.array_equal(np.rot90(segmenter(np.ascontiguousarray(image)).mask, 2).T, mask[:, :, z])


def test_formats_a_folder_and_a_series_are_taken(onenet_command, volume_model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with_axes(scan(), "RAS", folder / "one.nii.gz")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(scan(seed=1)), str(folder / "two.nrrd"))
    write_series(folder / "three", np.clip(scan(seed=2), 0, 4000).astype(np.uint16))
    done = onenet_command("predict", volume_model, folder, "--out", "out", "--save", "mask,overlay")
    assert done.code == 0, done.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"{name}{end}" for name in ("one", "two", "three") for end in (".nii.gz", ".montage.png"))
    assert nibabel.load(tmp_path / "out/two.nii.gz").shape == (6, 14, 12)
    with Image.open(tmp_path / "out/one.montage.png") as picture:
        assert picture.mode == "RGB" and picture.width > 200
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50


def test_dicom_comes_back_as_dicom(onenet_command, volume_model, tmp_path):
    write_series(tmp_path / "series", np.clip(scan(), 0, 4000).astype(np.uint16))
    done = onenet_command("predict", volume_model, "series", "--out", "out", "--save", "mask,dicom-seg")
    assert done.code == 0, done.err
    seg = pydicom.dcmread(tmp_path / "out/series.dcm")
    assert seg.Modality == "SEG" and [s.SegmentLabel for s in seg.SegmentSequence] == ["bright"]
    mask = np.asarray(nibabel.load(tmp_path / "out/series.nii.gz").dataobj)
    frames = seg.pixel_array if seg.pixel_array.ndim == 3 else seg.pixel_array[None]
    assert frames.sum() == mask.sum() > 0
    again = onenet_command("predict", volume_model, "series", "--out", "out", "--save", "mask,dicom-seg")
    assert again.err.startswith("note: out/series.nii.gz and 1 more of before will be written over; to keep what was")
    files = {pydicom.dcmread(path).SOPInstanceUID: path for path in (tmp_path / "series").iterdir()}
    for frame, group in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        slice_ = int(files[source].stem)
        assert np.array_equal(frame.T, mask[:, :, slice_])
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    refused = onenet_command("predict", volume_model, "scan.nii.gz", "--save", "dicom-seg")
    assert refused.code == 2 and "is no DICOM series" in refused.err


def test_an_exported_file_says_the_same(onenet_command, exported_files, tmp_path):
    """A network of three channels, as one of volumes that sees the neighbouring slices."""
    volume = {"axis": AXIS, "spacing": [0.8, 0.8], "intensity": {"kind": "percentiles"}, "neighbours": 1}
    network, graph = onenet.load(exported_files / "e.safetensors"), onnx.load(exported_files / "e.onnx")
    card = network.card.replace(volume=volume)
    onenet.save(network, tmp_path / "m.safetensors", card)
    next(entry for entry in graph.metadata_props if entry.key == "onenet.card").value = card.to_json()
    onnx.save(graph, tmp_path / "m.onnx")
    with_axes(scan(), "PIL", tmp_path / "scan.nii.gz")
    logits = []
    for model in ("m.safetensors", "m.onnx"):
        assert onenet_command("predict", model, "scan.nii.gz", "--save", "mask", "--threads", 1).code == 0
        segmenter = onenet.Segmenter(model, threads=1)
        run, found = segmenter.runner.run, []
        segmenter.runner.run = lambda images, run=run, found=found: found.append(run(images)) or found[-1]
        segment_volume(segmenter, read_volume("scan.nii.gz"))
        logits.append(np.concatenate(found))
    assert logits[0].shape[1:] == (2, 26, 15) and np.abs(logits[0] - logits[1]).max() < 1e-4


def test_patients_keep_their_folders_where_files_have_one_name(onenet_command, volume_model, tmp_path):
    for patient in ("ann", "bob"):
        (tmp_path / "in" / patient).mkdir(parents=True)
        with_axes(scan(), "RAS", tmp_path / "in" / patient / "scan.nii.gz")
    done = onenet_command("predict", volume_model, "in", "--save", "mask")
    assert done.code == 0 and "in/ann/scan.nii.gz  ->  predictions/ann/scan.nii.gz" in done.out
    assert (tmp_path / "predictions/bob/scan.nii.gz").is_file()


def test_nothing_of_a_patient_is_said_aloud(onenet_command, volume_model, tmp_path, recwarn):
    write_series(tmp_path / "series", np.clip(scan(), 0, 4000).astype(np.uint16))
    for path in (tmp_path / "series").iterdir():
        header = pydicom.dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header.PatientName, header.PatientID, header.PatientBirthDate = "Doe^Jane" * 12, "4711", "no date"
            header.save_as(path)
    done = onenet_command("predict", volume_model, "series", "--save", "mask,overlay,dicom-seg")
    assert not recwarn.list and "Doe" not in done.out + done.err and "4711" not in done.out + done.err


def test_an_empty_folder_among_the_inputs_does_not_stop_the_others(onenet_command, volume_model, tmp_path):
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    (tmp_path / "empty").mkdir()
    done = onenet_command("predict", volume_model, "empty", "scan.nii.gz", "--postprocess", "both")
    assert done.code == 2 and (tmp_path / "predictions/scan.nii.gz").is_file()
    assert done.err.splitlines() == [
        "error: empty: holds no volumes and no DICOM series",
        "error: 1 of 2 volumes could not be segmented; the others are in predictions",
    ]


def test_a_bad_volume_is_told_and_the_others_go_on(onenet_command, volume_model, tmp_path):
    with_axes(scan(), "RAS", tmp_path / "good.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "good.nii.gz").read_bytes()[:900])
    array = scan()
    array[0, 0, 0] = np.nan
    with_axes(array, "RAS", tmp_path / "nan.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.stack([scan()] * 2, -1), np.eye(4)), tmp_path / "two.nii.gz")
    names = ("cut.nii.gz", "nan.nii.gz", "two.nii.gz", "good.nii.gz")
    done = onenet_command("predict", volume_model, *names, "--out", "out")
    assert done.code == 2 and (tmp_path / "out/good.nii.gz").is_file()
    lines = done.err.splitlines()
    assert len(lines) == 4 and all(line.startswith("error: ") for line in lines)
    assert "cut.nii.gz: cannot be read" in lines[0] and "nan.nii.gz: has 1 voxel(s) that are no numbers" in lines[1]
    assert "two.nii.gz: has 2 channel(s), but the model takes 1" in lines[2]
    assert lines[3] == "error: 3 of 4 volumes could not be segmented; the others are in out"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good.montage.png", "good.nii.gz"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--save", "cutout"], "--save 'cutout': of volumes "),
        (["--out", "-"], "--out -: is for photos; leave it out for volumes"),
        (["--memory", "300MB"], "--memory: is for photos; leave it out for volumes"),
        (["--any-size"], "--any-size: is for photos; leave it out for volumes"),
        (["--postprocess", "larges"], "--postprocess 'larges': did you mean largest"),
        (["--out", "."], "scan.nii.gz: a mask would overwrite this volume; choose another --out"),
    ],
)
def test_options_that_make_no_sense_are_refused(onenet_command, volume_model, tmp_path, words, says):
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    before = (tmp_path / "scan.nii.gz").read_bytes()
    assert says in onenet_command("predict", volume_model, "scan.nii.gz", *words).error
    assert (tmp_path / "scan.nii.gz").read_bytes() == before


def test_slices_are_counted_on_a_terminal_alone(onenet_command, volume_model, tmp_path, monkeypatch):
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    assert onenet_command("predict", volume_model, "scan.nii.gz").err == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    assert onenet_command("predict", volume_model, "scan.nii.gz").err.endswith("\rscan: 6 of 6 slices\n")


def test_models_of_images_and_of_volumes_are_told_apart(onenet_command, volume_model, tmp_path, exported_files):
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    Image.new("L", (20, 20)).save(tmp_path / "photo.png")
    photo_model = exported_files / "e.safetensors"
    assert "was trained on images, not on volumes" in onenet_command("predict", photo_model, "scan.nii.gz").error
    assert "photo.png: is no volume" in onenet_command("predict", volume_model, "photo.png").error
    assert onenet_command("predict", volume_model, "nowhere").error == "nowhere: no such file"
    (tmp_path / "empty").mkdir()
    assert onenet_command("predict", volume_model, "empty").error == "empty: holds no volumes and no DICOM series"
    line = onenet_command("predict", photo_model, "photo.png", "--postprocess", "holes").error
    assert line == "--postprocess holes: is for volumes; leave it out"


def test_specks_and_holes_go_where_it_is_asked_for(onenet_command, volume_model, tmp_path):
    from onenet.volumes.components import largest_part

    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    masks = []
    for steps in ("none", "largest"):
        words = ["--postprocess", steps, "--out", steps, "--save", "mask"]
        assert onenet_command("predict", volume_model, "scan.nii.gz", *words).code == 0
        masks.append(np.asarray(nibabel.load(tmp_path / steps / "scan.nii.gz").dataobj))
    assert np.array_equal(masks[1] == 1, largest_part(masks[0] == 1))


def test_specks_are_refused_where_no_background_could_take_their_place(onenet_command, volume_model, tmp_path):
    network = onenet.load(volume_model)
    onenet.save(network, tmp_path / "m.safetensors", network.card.replace(background=None))
    with_axes(scan(), "RAS", tmp_path / "scan.nii.gz")
    for steps in ("largest", "holes", "both"):
        refused = onenet_command("predict", "m.safetensors", "scan.nii.gz", "--postprocess", steps)
        assert refused.code == 2 and "the model has no background class" in refused.error
        assert not (tmp_path / "predictions").exists()
    for steps in ("none", "card"):
        assert onenet_command("predict", "m.safetensors", "scan.nii.gz", "--postprocess", steps).code == 0


def test_channels_in_files_of_their_own_are_one_case(onenet_command, tmp_path):
    model = onenet.create_model("onenet-ed-4", in_channels=2, num_classes=2, width=4, depth=2)
    volume = {"axis": 2, "spacing": [2.0, 2.0], "intensity": {"kind": "zscore"}, "neighbours": 0}
    onenet.save(model.eval(), tmp_path / "m.safetensors", dataclasses.replace(model.card, volume=volume))
    for channel in range(2):
        with_axes(scan(seed=channel), "RAS", tmp_path / f"case_{channel:04d}.nii.gz")
    both = np.stack([scan(seed=0), scan(seed=1)], axis=-1)
    image = nibabel.load(tmp_path / "case_0000.nii.gz")
    nibabel.save(nibabel.Nifti1Image(both, image.affine), tmp_path / "joined.nii.gz")
    done = onenet_command("predict", "m.safetensors", *sorted(tmp_path.glob("*.nii.gz")), "--out", "out")
    assert done.code == 0, done.err
    masks = [np.asarray(nibabel.load(tmp_path / f"out/{name}.nii.gz").dataobj) for name in ("case", "joined")]
    assert np.array_equal(*masks) and masks[0].shape == (12, 14, 6)
    both_of_one_name = tmp_path / "whole_0007.nii.gz"
    (tmp_path / "joined.nii.gz").rename(both_of_one_name)
    for old, new in (("case_0001", "case_0002"), ("case_0000", "case_0001")):
        (tmp_path / f"{old}.nii.gz").rename(tmp_path / f"{new}.nii.gz")
    done = onenet_command("predict", "m.safetensors", *sorted(tmp_path.glob("*.nii.gz")), "--out", "more")
    assert done.code == 2 and [path.name for path in (tmp_path / "more").glob("*.nii.gz")] == ["whole.nii.gz"]
    assert done.err.splitlines()[0] == (
        f"error: {tmp_path}/case_0001.nii.gz: the case case has the channel(s) 0001, 0002, but the model takes 0000 to "
        "0001; add what is absent, remove or rename the others"
    )
