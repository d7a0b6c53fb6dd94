"""Which cases the words of a command name, and how their results are called."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests_of_volumes import write_series

from onenet.cli.volumes import are_volumes, collect_files, name_cases


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to be in, in which `place(name)` makes files without content."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return make


def named(*inputs, channels=1):
    return {
        name.as_posix(): [file.as_posix() for file in files]
        for name, files in name_cases(collect_files(inputs)[0], channels)
    }


def test_a_file_is_called_without_its_ending(place):
    place("a.nii.gz", "b.NRRD", "1.2.3.mha")
    assert named("a.nii.gz", "b.NRRD", "./1.2.3.mha", "a.nii.gz") == {
        "a": ["a.nii.gz"], "b": ["b.NRRD"], "1.2.3": ["1.2.3.mha"]
    }  # fmt: skip


def test_folders_are_searched_to_their_ends_and_a_series_is_one_case(place):
    place("in/ann/scan.nii.gz", "in/bob/scan.nii.gz", "in/.hidden/x.nii.gz", "in/bob/.x.nii.gz", "in/bob/notes.txt")
    write_series(Path("in/1.2.840.10"), np.zeros((2, 2, 2), np.uint16))
    expected = {
        "1.2.840.10": ["in/1.2.840.10"],
        "ann/scan": ["in/ann/scan.nii.gz"],
        "bob/scan": ["in/bob/scan.nii.gz"],
    }
    assert named("in") == expected and named("i*") == expected and are_volumes(["i*"])


def test_a_disc_is_the_series_on_it_and_the_volumes_beside_their_slices(place):
    place("disc/readme.txt")
    write_series(Path("disc/study"), np.zeros((2, 2, 2), np.uint16))
    Path("disc/DICOMDIR").write_bytes(Path("disc/study/000.dcm").read_bytes())
    place("disc/study/converted.nii.gz")
    assert named("disc") == {"study": ["disc/study"], "converted": ["disc/study/converted.nii.gz"]}


def test_the_series_that_one_stands_in_has_the_name_of_its_folder(place, tmp_path, monkeypatch):
    write_series(tmp_path / "scan", np.zeros((2, 2, 2), np.uint16))
    monkeypatch.chdir(tmp_path / "scan")
    assert named(".") == {"scan": ["."]}


def test_cases_of_one_name_in_one_folder_keep_their_endings(place):
    place("scan.nii.gz", "scan.nrrd")
    assert named("scan.nii.gz", "scan.nrrd") == {"scan-niigz": ["scan.nii.gz"], "scan-nrrd": ["scan.nrrd"]}


def test_a_name_made_from_an_ending_never_meets_that_of_another_case(place):
    given = ("a.nii.gz", "a.mha", "a-mha.nii.gz", "A-NIIGZ.nrrd")
    place(*given)
    assert named(*given) == {
        "a-mha": ["a-mha.nii.gz"], "A-NIIGZ": ["A-NIIGZ.nrrd"], "a-niigz-2": ["a.nii.gz"], "a-mha-2": ["a.mha"]
    }  # fmt: skip


def test_files_of_channels_are_one_case_where_the_model_takes_several(place):
    place("a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz")
    pattern = "*_000?.nii.gz"
    assert named(pattern, channels=2) == {
        "a": ["a_0000.nii.gz", "a_0001.nii.gz"],
        "b": ["b_0000.nii.gz", "b_0001.nii.gz"],
    }
    assert list(named(pattern)) == ["a_0000", "a_0001", "b_0000", "b_0001"]


def test_the_channel_0_of_a_model_of_one_channel_is_the_case_unless_names_would_meet(place):
    place("in/a_0000.nii.gz", "in/b_0000.nii.gz", "in/b.nrrd", "in/c_0000.mha", "in/c_0001.mha", "in/d_0001.nii")
    place("in/e/a_0000.nii.gz")
    assert sorted(named("in")) == ["a", "b", "b_0000", "c_0000", "c_0001", "d_0001", "e/a"]


def test_files_of_channels_are_sorted_by_their_numbers_whatever_their_folders_are_called(place):
    place("b/x_0000.nii.gz", "b/x_0001.nii.gz", "a/keep")
    assert named("a/../b/x_0001.nii.gz", "b/x_0000.nii.gz", channels=2) == {
        "x": ["b/x_0000.nii.gz", "a/../b/x_0001.nii.gz"]
    }


def test_what_holds_no_volumes_is_told(place):
    place("empty/notes.txt")
    for given, says in (("empty", "holds no volumes and no DICOM series"), ("*.nrrd", "no volume matches")):
        files, (line,) = collect_files([given])
        assert not files and says in line
    assert not are_volumes(["empty", "photo.png", "-", "*.png"]) and are_volumes(["*.nrrd"])


def test_earlier_results_in_a_folder_are_no_volumes_of_it(place):
    place("scans/a.nii.gz", "scans/masks/a.nii.gz", "masks/b.nii.gz")
    found = lambda given, out: [str(file) for file in collect_files([given], Path(out))[0]]  # noqa: E731
    assert found("scans", "scans/masks") == ["scans/a.nii.gz"]
    assert found("scans/masks", "scans/masks") == ["scans/masks/a.nii.gz"]
    assert found("scans", ".") == ["scans/a.nii.gz", "scans/masks/a.nii.gz"]


def test_a_folder_of_photos_and_volumes_is_what_the_model_was_trained_on(onenet_command, exported_files, tmp_path):
    folder = tmp_path / "both"
    folder.mkdir()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "photo.png")
    (folder / "scan.nii.gz").touch()
    done = onenet_command("predict", exported_files / "e.safetensors", folder, "--out", "out")
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo.overlay.png", "photo.png"]
    named_itself = onenet_command("predict", exported_files / "e.safetensors", folder, folder / "scan.nii.gz")
    assert "was trained on images, not on volumes" in named_itself.error
