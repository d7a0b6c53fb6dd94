"""`onenet predict`: photos in, masks out, each under a name of its own."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.images import read_mask


@pytest.fixture
def predict(onenet_command, tiny_model):
    return lambda *words, **options: onenet_command("predict", tiny_model, *words, **options)


@pytest.fixture
def draw(tiny_model):
    """The mask that the library draws of a photo."""
    segmenter = onenet.Segmenter(tiny_model)
    return lambda photo: segmenter(photo).mask


@pytest.fixture
def album(tmp_path, photos):
    """album/one.png, album/two.png, album/holiday/one.png"""
    images = sorted((photos(count=3) / "images").iterdir())
    for source, name in zip(images, ("one.png", "two.png", "holiday/one.png"), strict=True):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / "album" / name)
    return Path("album")


def written(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_a_photo_gives_a_mask_and_an_overlay(predict, album, tmp_path, draw):
    done = predict("album/two.png")
    assert done.code == 0 and done.err == ""
    assert written(tmp_path / "predictions") == ["two.overlay.png", "two.png"]
    assert np.array_equal(read_mask(tmp_path / "predictions/two.png"), draw("album/two.png"))
    assert "album/two.png  ->  predictions/two.png, predictions/two.overlay.png" in done.out


def test_results_of_before_are_named_before_they_are_written_over(predict, album):
    assert predict("album/two.png").err == ""
    again = predict("album/two.png", "album/one.png")
    ending = "written over; to keep what was mended by hand, choose another --out\n"
    assert again.code == 0 and again.err == f"note: predictions/two.png and 1 more of before will be {ending}"
    assert predict("album/one.png", "--save", "mask").err == f"note: predictions/one.png of before will be {ending}"
    assert predict("album/one.png", "--save", "cutout").err == ""  # the mask stays


def test_the_masks_of_a_data_set_are_not_written_over(predict, photos, tmp_path):
    root = photos(count=2)
    before = {path: path.read_bytes() for path in (root / "masks").iterdir()}
    line = predict(root / "images", "--out", root / "masks").error
    assert line.endswith(": a result would overwrite this mask of a data set; choose another --out")
    assert {path: path.read_bytes() for path in (root / "masks").iterdir()} == before


def test_of_a_data_set_the_photos_are_segmented_and_not_their_masks(predict, photos, tmp_path):
    root = photos(count=2)
    done = predict(root, "--save", "mask")
    assert done.code == 0 and f"note: {root}: 2 files in masks/ beside images/ are left out" in done.err
    assert written(tmp_path / "predictions") == ["photo0.png", "photo1.png"]
    assert predict(root / "masks", "--out", "of-masks", "--save", "mask").code == 0  # asked for by name
    assert written(tmp_path / "of-masks") == ["photo0.png", "photo1.png"]


def test_any_kinds_can_be_saved_anywhere(predict, album, tmp_path):
    assert predict("album/two.png", "--save", "probability, cutout", "--out", "a/b").code == 0
    assert written(tmp_path / "a/b") == ["two.cutout.png", "two.probability.npz"]


def test_in_a_folder_equal_names_keep_their_sub_folder(predict, album, tmp_path, draw):
    assert predict("album", "--save", "mask").code == 0
    assert written(tmp_path / "predictions") == ["holiday/one.png", "one.png", "two.png"]
    for name in written(tmp_path / "predictions"):
        assert np.array_equal(read_mask(tmp_path / "predictions" / name), draw(album / name))


def test_where_names_differ_no_sub_folder_is_made(predict, album, tmp_path):
    (album / "one.png").unlink()
    assert predict("album", "--save", "mask").code == 0
    assert written(tmp_path / "predictions") == ["one.png", "two.png"]


def test_a_glob_names_its_files(predict, album, tmp_path):
    assert predict("album/t*.png", "--save", "mask").code == 0
    assert written(tmp_path / "predictions") == ["two.png"]
    assert predict("album/**/*.png", "--save", "mask", "--out", "all").code == 0
    assert len(written(tmp_path / "all")) == 3


def test_files_given_one_by_one_keep_their_folder_too_where_their_names_are_equal(predict, album, tmp_path):
    assert predict("album/one.png", "album/holiday/one.png", "--save", "mask").code == 0
    assert len(set(written(tmp_path / "predictions"))) == 2
    assert "holiday/one.png" in written(tmp_path / "predictions")


# what is given, beside one another, and what it becomes
NAMES = {
    "two folders": (["A/x.png", "B/x.png"], ["A", "B"], ["A/x", "B/x"]),
    "deep below": (["e1/s/x.png", "e2/s/x.png"], ["e1/s/x.png", "e2/s/x.png"], ["e1/s/x", "e2/s/x"]),
    "a folder in a folder": (["f/sub/x.jpg", "f/x.jpg"], ["f"], ["sub/x", "x"]),
    "no deeper than needed": (["f/a/s/x.png", "f/b/t/x.png"], ["f"], ["s/x", "t/x"]),
    "as deep as the deepest needs": (["A/x.png", "B/x.png", "B/c/x.png"], ["A", "B"], ["A/x", "c/x", "B/x"]),
    "other endings": (["f/x.jpg", "f/x.png"], ["f"], ["x-jpg", "x-png"]),
    "endings and folders": (["f/x.jpg", "f/x.png", "g/x.png"], ["f", "g"], ["f/x-jpg", "f/x-png", "g/x"]),
    "the name that another got": (["f/x-jpg.bmp", "f/x.jpg", "f/x.png"], ["f"], ["x-jpg", "x-jpg-2", "x-png"]),
    "another's overlay": (["f/x.jpg", "f/x.overlay.jpg"], ["f/x.jpg", "f/x.overlay.jpg"], ["x", "x.overlay-2"]),
    "one's overlay": (["f/x.overlay.jpg", "f/x.jpg"], ["f/x.overlay.jpg", "f/x.jpg"], ["x.overlay", "x-2"]),
    "small and capital": (["f/X.png", "f/x.png"], ["f/X.png", "f/x.png"], ["X", "x-2"]),
    "dots": (["f/my.photo.png", "f/my.photo.jpg"], ["f"], ["my.photo-jpg", "my.photo-png"]),
    "by another way": (["f/x.png", "f/g/y.png"], ["f/x.png", "f/g/../x.png"], ["x"]),
    "from the root": (["f/x.png"], ["f", "{here}/f"], ["x"]),
    "standard input": (["f/stdin.png"], ["-", "f"], ["stdin", "f/stdin"]),
}


@pytest.mark.parametrize("files, inputs, stems", NAMES.values(), ids=NAMES)
def test_every_result_has_a_name_of_its_own(tmp_path, monkeypatch, files, inputs, stems):
    from onenet.cli.predict import collect, name_outputs

    monkeypatch.chdir(tmp_path)
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    sources = collect([given.format(here=tmp_path) for given in inputs])
    assert [stem.as_posix() for _, stem in name_outputs(sources, ["mask", "overlay"])] == stems


def test_links_are_photos_of_their_own_name(predict, album, tmp_path):
    (tmp_path / "first.png").symlink_to(album / "one.png")
    (tmp_path / "second.png").symlink_to(album / "one.png")
    assert predict("first.png", "second.png", "--save", "mask").code == 0
    assert written(tmp_path / "predictions") == ["first.png", "second.png"]


def test_equal_names_with_other_endings_do_not_overwrite_each_other(predict, album, tmp_path):
    Image.open(album / "two.png").save(album / "two.jpg")
    assert predict("album/two.png", "album/two.jpg", "--save", "mask").code == 0
    assert len(written(tmp_path / "predictions")) == 2


def test_results_stay_in_their_folder_whatever_the_path_to_the_photos(predict, album, tmp_path, monkeypatch):
    Image.open(album / "two.png").save(album / "two.jpg")
    (tmp_path / "album/here").mkdir()
    monkeypatch.chdir(tmp_path / "album/here")
    assert predict("../two.*", "--save", "mask").code == 0
    assert len(written(tmp_path / "album/here/predictions")) == 2
    assert not [name for name in written(tmp_path / "album") if name.startswith("two-")]


def test_the_same_file_named_twice_is_drawn_once(predict, album, tmp_path):
    done = predict("album/two.png", "album/t*.png", "--save", "mask")
    assert done.out.count("->") == 1


def test_one_photo_s_mask_does_not_overwrite_another_s_overlay(predict, album, tmp_path, draw):
    shutil.copy(album / "one.png", album / "two.overlay.png")
    done = predict("album/two.png", "album/two.overlay.png")
    assert done.code == 0
    names = [name for line in done.out.splitlines() for name in line.partition("->")[2].split(",")]
    assert len({name.strip() for name in names}) == 4


@pytest.mark.parametrize("kind", ["mask", "overlay"])
def test_a_photo_is_never_overwritten_by_a_result(predict, album, tmp_path, kind):
    shutil.copy(album / "one.png", album / "two.overlay.png")
    before = {path: path.read_bytes() for path in album.rglob("*.png")}
    line = predict("album", "--out", "album", "--save", kind).error
    assert line.endswith(".png: a result would overwrite this photo; choose another --out")
    assert {path: path.read_bytes() for path in album.rglob("*.png")} == before


def test_nor_under_another_name_of_its_own(predict, album, tmp_path):
    """As on a disk that takes TWO.png and two.png for one: both names are one file."""
    (tmp_path / "photo.bmp").hardlink_to(album / "two.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/photo.png").hardlink_to(album / "two.png")
    assert "out/photo.png: a result would overwrite this photo" in predict("photo.bmp", "--out", "out").error


def test_a_probability_overwrites_no_photo(predict, album):
    shutil.copy(album / "one.png", album / "two.probability.png")
    assert predict("album/two.png", "album/two.probability.png", "--out", "album", "--save", "probability").code == 0


def test_standard_input_is_a_photo(predict, album, tmp_path, draw):
    done = predict("-", "--save", "mask", stdin=(album / "two.png").read_bytes())
    assert done.code == 0
    assert np.array_equal(read_mask(tmp_path / "predictions/stdin.png"), draw("album/two.png"))


def test_standard_output_is_a_mask_and_nothing_else(predict, album, tmp_path, draw):
    done = predict("album/two.png", "--out", "-")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(done.out_bytes))), draw("album/two.png"))
    piped = predict("-", "--out", "-", stdin=(album / "two.png").read_bytes())
    assert piped.out_bytes == done.out_bytes
    assert not (tmp_path / "predictions").exists()


@pytest.mark.parametrize("kinds", ["cutout", "overlay", "mask,probability", "mask,overlay,cutout"])
def test_standard_output_takes_nothing_but_the_mask(predict, album, kinds):
    line = predict("album/two.png", "--out", "-", "--save", kinds).error
    assert f"--save {kinds}: with --out - only the mask is written" in line


def test_a_mask_asked_for_is_a_mask(predict, album):
    plain, asked = (predict("album/two.png", "--out", "-", *more) for more in ([], ["--save", "mask"]))
    assert asked.code == 0 and asked.out_bytes == plain.out_bytes


def test_a_name_that_is_no_text_is_shown_as_well_as_can_be(predict, album, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        shutil.copy(album / "two.png", tmp_path / name)
    except OSError:
        pytest.skip("this disk takes no such name")
    done = predict(name, "--save", "mask")
    assert done.code == 0 and r"caf\udce9.png  ->  predictions/caf\udce9.png" in done.out
    assert written(tmp_path / "predictions") == [name]


def test_standard_output_takes_one_mask(predict, album):
    assert "--out - writes one mask, but there are 3 inputs" in predict("album", "--out", "-").error


def test_a_bad_file_is_reported_and_the_rest_go_on(predict, album, tmp_path):
    (album / "broken.png").write_bytes(b"not an image")
    done = predict("album", "album/gone.png", "--save", "mask")
    assert done.code == 2
    assert written(tmp_path / "predictions") == ["holiday/one.png", "one.png", "two.png"]
    lines = done.err.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    assert "album/broken.png: not an image" in lines[0] and "album/gone.png: no such file" in lines[1]
    assert "2 of 5 inputs" in lines[2] and len(lines) == 3


def test_one_bad_file_alone_is_one_line(predict, tmp_path):
    assert "gone.png: no such file" in predict("gone.png").error
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_is_answered_with_its_folder(predict, album):
    for spec in ("folder:album", "folder:album,class_values=[0,255]"):
        assert predict(spec).error.endswith(f"{spec}: names data as train and evaluate take them; predict takes files "
                                            "and folders: album")  # fmt: skip
    for spec in ("folder:gone", "samples:nuclei", "camvid:album", "msd:album"):  # whose folders hold masks as well
        assert predict(spec).error.endswith("predict takes files and folders: name that of the images")


def test_a_full_disk_stops_at_once(predict, album, tmp_path, monkeypatch):
    import errno
    import os

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert "cannot be written (No space left on device)" in predict("album").error
    assert written(tmp_path / "predictions") == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["empty"], "empty: holds no images"),
        (["*.png"], "*.png: no file matches"),
        (["album/one.png", "--save", "overlays"], "--save 'overlays': did you mean overlay?"),
        (["album/one.png", "--threads", "0"], "threads=0: must be at least 1"),
        (["album/one.png", "--out", "album/two.png"], "album/two.png"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(predict, album, tmp_path, words, complaint):
    (tmp_path / "empty").mkdir()
    assert complaint in predict(*words).error
    assert not (tmp_path / "predictions").exists()


# --- classes that overlap


@pytest.fixture
def coats(tiny_model, tmp_path):
    """A model whose two classes, coat and "on/off button", overlap."""
    network = onenet.load(tiny_model)
    classes = ("coat", "on/off button")
    card = network.card.replace(classes=classes, background=None, overlapping=True)
    onenet.save(network, tmp_path / "coats.safetensors", card)
    return tmp_path / "coats.safetensors"


def test_each_overlapping_class_gets_a_file_beside_the_codes(onenet_command, coats, album, tmp_path):
    done = onenet_command("predict", coats, "album/two.png", "--save", "mask")
    assert done.code == 0
    names = ["two.0-coat.png", "two.1-on-off-button.png", "two.png"]
    assert written(tmp_path / "predictions") == names
    code = read_mask(tmp_path / "predictions/two.png")
    for bit, name in enumerate(names[:2]):
        assert np.array_equal(read_mask(tmp_path / "predictions" / name) == 255, code >> bit & 1 == 1)
    assert all(name in done.out for name in names)
    piped = onenet_command("predict", coats, "album/two.png", "--out", "-")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(piped.out_bytes))), code)


def test_the_file_of_a_class_does_not_overwrite_another_photo_s_mask(onenet_command, coats, album, tmp_path):
    shutil.copy(album / "one.png", album / "two.0-coat.png")
    assert onenet_command("predict", coats, "album/two.png", "album/two.0-coat.png", "--save", "mask").code == 0
    assert len(written(tmp_path / "predictions")) == 6
    before = (album / "two.0-coat.png").read_bytes()
    line = onenet_command("predict", coats, "album/two.png", "album/two.0-coat.png", "--out", "album").error
    assert line.endswith(": a result would overwrite this photo; choose another --out")
    assert (album / "two.0-coat.png").read_bytes() == before
