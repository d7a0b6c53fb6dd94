"""Results go out whole or not at all."""

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onenet.errors import OneNetError
from onenet.images import atomic_write, read_image, write_image

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_what_is_written_appears_in_new_folders_readable_for_all(tmp_path):
    with atomic_write(tmp_path / "a/b/file.txt") as file:
        file.write(b"new")
    assert (tmp_path / "a/b/file.txt").read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a/b/file.txt").stat().st_mode & 0o777 == 0o666 & ~umask


def failing_body(path):
    with atomic_write(path) as file:
        file.write(b"half of the n")
        raise KeyError("something else went wrong")


def full_disk(path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with atomic_write(path) as file:
        file.write(b"new")


def too_large_a_file(path):
    """A write that the system really refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with atomic_write(path) as file:
            file.write(b"x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_when_the_writer_fails_the_old_file_stays_and_nothing_is_left_behind(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyError):
        failing_body(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


def test_when_the_disk_is_full_the_old_file_stays_and_the_reason_is_told(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(OneNetError, match=r"file\.txt: cannot be written \(No space left on device\)"):
        full_disk(path, monkeypatch)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (errno.ENOSPC, r"\(No space left on device\); free some space"),
        (errno.EROFS, r"\(Read-only file system\); choose a place that you may write to"),
        (errno.EACCES, r"\(Permission denied\); choose a place that you may write to"),
        (errno.EIO, r"\(Input/output error\)"),
    ],
)
def test_the_hint_fits_the_reason(tmp_path, monkeypatch, code, end):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OneNetError, match=rf"file\.txt: cannot be written {end}$"):
        write_image(tmp_path / "file.txt", PHOTO)
    assert names(tmp_path) == []


def test_writing_leaves_the_umask_alone_which_other_threads_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", None)
    write_image(tmp_path / "picture.png", PHOTO)
    assert names(tmp_path) == ["picture.png"]


def test_as_long_a_name_as_the_system_takes_can_be_written(tmp_path):
    write_image(tmp_path / f"{'x' * 251}.png", PHOTO)
    assert names(tmp_path) == [f"{'x' * 251}.png"]


def test_when_the_system_refuses_a_write_the_old_file_stays(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(OneNetError, match=r"file\.txt: cannot be written \(File too large\)"):
        too_large_a_file(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


def test_a_folder_cannot_be_replaced_by_a_file(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(OneNetError, match="results: cannot be written"), atomic_write(tmp_path / "results") as file:
        file.write(b"new")
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.PNG", "picture"])
def test_a_picture_is_written_in_the_format_of_its_ending(tmp_path, name):
    write_image(tmp_path / name, np.full((8, 8, 3), 99, dtype=np.uint8))
    with Image.open(tmp_path / name) as image:
        assert image.format == ("JPEG" if name.endswith("jpg") else "PNG")
    assert np.abs(read_image(tmp_path / name, 3).astype(int) - 99).max() <= 1


def test_a_grey_picture_is_written_grey(tmp_path):
    write_image(tmp_path / "grey.png", PHOTO[..., :1])
    assert np.array_equal(read_image(tmp_path / "grey.png", 1), PHOTO[..., :1])


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1), (1, 5, 1), (5, 1, 1), (1, 5, 3), (5, 1, 3), (1, 1, 4)])
def test_a_picture_of_one_row_or_column_keeps_its_axes(tmp_path, shape):
    pixels = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    write_image(tmp_path / "thin.png", pixels)
    with Image.open(tmp_path / "thin.png") as image:
        assert np.array_equal(np.asarray(image).reshape(shape), pixels) and image.size == (shape[1], shape[0])


@pytest.mark.parametrize("path", ["", "/", "."])
def test_a_path_without_a_name_is_refused(path):
    with pytest.raises(OneNetError, match="cannot be written, it is a folder; name a file in it"):
        write_image(path, PHOTO)
