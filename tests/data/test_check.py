"""The check of a data set: every kind of damage once, each named with its file and what to do, all at once."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data.check import check_data
from onenet.data.findings import MOST_LINES
from onenet.errors import ConfigError, DataError


def checked(root, *changes, form="folder"):
    return check_data(parse_spec(",".join([f"{form}:{root}", *changes])))


def texts(report, kind=None):
    return [problem.text for problem in report.problems if kind in (None, problem.kind)]


def only(report):
    """The text of a report's only problem."""
    assert len(report.problems) == 1, texts(report)
    return report.problems[0].text


def warned(report):
    return [warning.text for warning in report.warnings]


def rewrite(root, change, stems=None):
    """Save masks anew as `change` makes them of (h, w) uint8."""
    for path in sorted((root / "masks").iterdir()):
        if stems is None or path.stem in stems:
            changed = change(np.asarray(Image.open(path)))
            (changed if isinstance(changed, Image.Image) else Image.fromarray(changed)).save(path)


def coloured(mask):
    return np.where((mask > 0)[..., None], np.uint8([255, 0, 0]), np.uint8([0, 0, 64]))


# --- what is there


def test_pixels_of_classes_are_counted_as_a_loop_counts_them(photos):
    root = photos(count=8)
    report = checked(root)
    masks = {path.stem: np.asarray(Image.open(path)) for path in (root / "masks").iterdir()}
    assert report.ready and report.splits == {"train": 6, "val": 1, "test": 1}
    for value, row in enumerate(report.classes):
        pixels = sum(int(label == value) for mask in masks.values() for line in mask for label in line)
        assert row.pixels == pixels
        assert row.share == pytest.approx(pixels / (8 * 24 * 20))
        assert (row.images, row.images_per_split) == (8, report.splits)


def test_the_share_of_the_train_split_is_of_its_own_pixels(photos):
    root = photos(count=6)
    rewrite(root, lambda mask: mask * 0 + 1, ["photo0", "photo1"])
    for name, stems in (("train", (0, 2, 3)), ("val", (1,)), ("test", (4, 5))):
        (root / f"{name}.txt").write_text("".join(f"photo{stem}\n" for stem in stems))
    report = checked(root)
    train = [np.asarray(Image.open(root / f"masks/photo{stem}.png")) for stem in (0, 2, 3)]
    assert report.classes[1].train_share == pytest.approx(np.mean([mask.mean() for mask in train]))
    assert report.classes[0].images_per_split == {"train": 2, "test": 2}


def test_what_is_not_counted_has_its_share(photos):
    root = photos(count=6)
    rewrite(root, lambda mask: np.where(np.arange(20) < 5, 255, mask).astype(np.uint8))
    report = checked(root)
    assert report.not_counted == 0.25
    assert sum(row.share for row in report.classes) == pytest.approx(0.75)
    assert "not counted" in report.to_text()


def test_sizes_channels_and_bits_are_told(photos):
    root = photos(count=6)
    for index, size in enumerate([(40, 30), (80, 60)]):
        Image.new("L", size, 9).save(root / f"images/photo{index}.png")
        Image.fromarray(np.tile(np.uint8([0, 1]), (size[1], size[0] // 2))).save(root / f"masks/photo{index}.png")
    report = checked(root)
    assert report.sizes is not None and report.sizes.vary
    assert (report.sizes.smallest, report.sizes.median, report.sizes.largest) == ((24, 20), (24, 20), (60, 80))
    assert (report.channels, report.bits) == ({"3": 4, "1": 2}, {"8 bits": 6})
    assert any("2 of the images are grey" in note for note in report.notes)
    assert any("photo0.png: one colour throughout" in text for text in warned(report))


def test_overlapping_classes_have_a_file_each(photos):
    root = photos(count=6)
    masks = {path.name: np.asarray(Image.open(path)) * np.uint8(255) for path in sorted((root / "masks").iterdir())}
    shutil.rmtree(root / "masks")
    for name in ("all", "left"):
        (root / "masks" / name).mkdir(parents=True)
        for file, mask in masks.items():
            Image.fromarray(mask if name == "all" else mask * (np.arange(20) < 10)).save(root / "masks" / name / file)
    report = checked(root, "overlapping=true")
    assert report.ready
    wanted = [sum(int((mask[:, :columns] > 0).sum()) for mask in masks.values()) for columns in (20, 10)]
    assert [(row.name, row.pixels) for row in report.classes] == list(zip(("all", "left"), wanted, strict=True))
    Image.new("L", (20, 24), 7).save(root / "masks/left/photo2.png")
    assert "left/photo2.png: holds the value 7, but the mask of one class" in only(checked(root, "overlapping=true"))
    Image.new("L", (3, 3)).save(root / "masks/left/photo2.png")
    assert "left/photo2.png: is 3x3, but the masks of the other classes are 24x20" in only(
        checked(root, "overlapping=true")
    )


def test_arrays_and_pages_are_read(photos):
    root = photos(count=6)
    for path in sorted((root / "images").iterdir()):
        np.save(path.with_suffix(".npy"), np.dstack([np.asarray(Image.open(path))] * 2))
        path.unlink()
    assert checked(root).ready and checked(root).channels == {"6": 6}
    np.save(root / "images/photo1.npy", np.zeros((24, 20, 4), dtype=np.uint8))
    assert only(checked(root)).startswith("images/photo1.npy: has 4 channels, but most others have 6")


# --- files


def test_everything_is_found_at_once(photos):
    root = photos(count=12)
    (root / "masks/photo0.png").unlink()
    (root / "images/photo1.png").unlink()
    half = (root / "images/photo2.png").read_bytes()
    (root / "images/photo2.png").write_bytes(half[: len(half) // 2])
    (root / "masks/photo3.png").write_bytes(b"")
    rewrite(root, lambda mask: mask[:-2], ["photo4"])
    rewrite(root, lambda mask: mask * 9, ["photo5"])
    for kind in ("images", "masks"):
        shutil.copy(root / kind / "photo6.png", root / kind / "again.png")
    everything = list((root / "images").iterdir())
    (root / "train.txt").write_text("\n".join(p.stem for p in everything if p.stem not in ("again", "photo7")))
    (root / "val.txt").write_text("photo7\nmissing")
    (root / "test.txt").write_text("again")
    report = checked(root)
    found = " | ".join(texts(report))
    for words in (
        "images/photo0.png: has no mask; put photo0.png into",
        "masks/photo1.png: has no image",
        "images/photo2.png: the image is damaged",
        "masks/photo3.png: the file is empty",
        "masks/photo4.png: the mask is 22x20, but its image is 24x20",
        "masks/photo5.png: the mask holds 9 on 120 pixels, but the classes are 0 to 1",
        "val.txt: names 'missing'",
        "images/again.png (test): the same picture as images/photo6.png (train)",
    ):
        assert words in found
    assert any(problem.file == str(root / "masks/photo5.png") for problem in report.problems)
    assert [row.name for row in report.classes] == ["background", "class 1"]


def test_unreadable_files_are_warnings_where_they_may_be_skipped(photos):
    root = photos(count=8)
    (root / "images/photo2.png").write_bytes(b"no image")
    assert "photo2.png: not an image" in only(checked(root))
    report = checked(root, "skip_unreadable=true")
    assert report.ready and "photo2.png: not an image" in warned(report)[0]


def test_masks_called_after_their_images_are_recognised(photos):
    root = photos(count=4)
    for path in (root / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    assert "masks are called NAME_mask.png; rename them" in only(checked(root))


def test_the_masks_of_another_set_are_recognised(photos):
    root, other = photos(count=4), photos("other", count=4)
    for path in (other / "masks").iterdir():
        path.rename(path.with_name(f"x{path.stem[5:]}.png"))
    shutil.rmtree(root / "masks")
    (other / "masks").rename(root / "masks")
    assert "do these folders belong together?" in only(checked(root))


def test_an_empty_folder_says_what_belongs_into_it(tmp_path):
    assert "put the photos into images/ and their masks into masks/" in only(checked(tmp_path))


@pytest.mark.parametrize(("form", "changes"), [("folder", ["overlapping=true"]), ("voc", [])])
def test_a_layout_that_is_not_there_is_told_once(photos, form, changes):
    report = checked(photos(), *changes, form=form)
    assert len(texts(report)) == len(set(texts(report))) > 0


def test_too_few_images_are_looked_at_all_the_same(photos):
    root = photos(count=2)
    (root / "images/photo1.png").write_bytes(b"")
    report = checked(root)
    assert report.splits == {"unsplit": 2}
    assert ["the file is empty" in text for text in texts(report)] == [False, True]


def test_a_missing_root_and_an_unknown_set_are_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        checked(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="did you mean nuclei"):
        checked("samples:nucle")


# --- sizes


def test_a_photo_that_exif_turns_is_named_as_the_cause(photos):
    root = photos(count=6)
    photo = Image.open(root / "images/photo3.png")
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(root / "images/photo3.png", exif=exif)
    assert "EXIF turns the photo (orientation 6), but the mask was drawn on the unturned one" in only(checked(root))
    rewrite(root, lambda mask: np.rot90(mask, -1), ["photo3"])
    report = checked(root)
    assert report.ready and "photo3.png: EXIF turns or mirrors the photo" in warned(report)[0]


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda mask: mask.T.copy(), "height and width are swapped"),
        (lambda mask: mask[::2, ::2].copy(), "resize the mask to its image by nearest neighbour"),
        (lambda mask: mask[:9].copy(), "is it the mask of another image?"),
    ],
)
def test_a_mask_of_another_size_says_what_may_be_the_cause(photos, change, reason):
    root = photos(count=6)
    rewrite(root, change, ["photo3"])
    assert reason in only(checked(root))


# --- encodings: the setting that is advised makes the data ready


@pytest.mark.parametrize(
    "change, words, setting",
    [
        (coloured, "masks are in colours", 'class_values=["#000040","#ff0000"]'),
        (lambda mask: np.dstack([mask * 0] * 3 + [mask * 255]), "are in the alpha channel", "mask_encoding=alpha"),
        (lambda mask: mask + 1, "masks count from 1", "class_values=[1,2]"),
        (lambda mask: mask.astype(np.uint16) * 1000, "masks hold 0, 1000", "class_values=[0,1000]"),
        (lambda mask: np.where(np.arange(20) < 9, mask * 128, 255).astype(np.uint8), "masks hold 0, 128, 255",
         "class_values=[0,128,255]"),
    ],
)  # fmt: skip
def test_a_wrong_encoding_is_recognised_and_its_setting_mends_it(photos, change, words, setting):
    root = photos(count=6)
    rewrite(root, change)
    report = checked(root)
    assert words in only(report) and report.problems[0].setting == setting
    assert f"onenet data check 'folder:{root},{setting}'" in report.to_text(f"folder:{root}")
    again = checked(root, setting)
    assert again.ready, texts(again)
    assert sum(row.share for row in again.classes) == pytest.approx(1)


def test_grey_saved_as_rgb_is_read_as_it_is(photos):
    root = photos(count=6)
    rewrite(root, lambda mask: np.dstack([mask] * 3))
    report = checked(root)
    assert report.ready and report.masks == {"grey saved as RGB": 6}


def test_smoothed_outlines_are_recognised_in_values_and_in_colours(photos):
    def smooth(picture):
        return Image.fromarray(picture).resize((70, 90)).resize((80, 96), Image.Resampling.BILINEAR)

    for name, change in (("values", lambda mask: mask * np.uint8(255)), ("colours", coloured)):
        root = photos(name, count=12, size=(96, 80))
        rewrite(root, lambda mask, change=change: smooth(change(mask)))
        assert "smooth" in only(checked(root)), name


def test_lossy_masks_are_recognised(photos):
    root = photos(count=6)
    for path in sorted((root / "masks").iterdir()):
        Image.fromarray(np.asarray(Image.open(path)) * np.uint8(255)).save(path.with_suffix(".jpg"), quality=30)
        path.unlink()
    assert "lossy compression has changed the labels" in only(checked(root))


def test_one_mask_in_colours_among_others_is_named(photos):
    root = photos(count=8)
    rewrite(root, coloured, ["photo5"])
    assert only(checked(root)).startswith("masks/photo5.png: is in colours, but other masks are not")


@pytest.mark.parametrize("few", [1, 4])
def test_masks_of_zero_and_one_among_others_of_zero_and_255_are_not_read_as_void(photos, few):
    root = photos(count=12)
    rewrite(root, lambda mask: mask * np.uint8(255), [f"photo{index}" for index in range(few)])
    assert "save all masks alike" in only(checked(root))


def test_a_void_value_beside_masks_without_it_is_no_mixture(photos):
    root = photos(count=8)
    rewrite(root, lambda mask: mask * np.uint8(255), ["photo0"])
    rewrite(root, lambda mask: np.where(np.arange(20) < 9, 255, mask).astype(np.uint8), ["photo7"])
    assert checked(root).ready


def test_a_table_with_colours_may_belong_to_masks_with_numbers(photos):
    root = photos(count=8)
    (root / "classes.csv").write_text("name,r,g,b\nnothing,0,0,0\nsquare,255,0,0\n")
    report = checked(root)
    assert report.ready and [row.images for row in report.classes] == [8, 8]


# --- labels and classes


def test_values_beyond_the_classes_in_many_masks_are_one_line_with_the_settings(photos):
    root = photos(count=10)
    rewrite(root, lambda mask: np.where(np.arange(20) < 2, 2, mask).astype(np.uint8))
    text = only(checked(root, "num_classes=2"))
    assert "(10) hold 2 (10.00 % of all pixels), but the classes are 0 to 1" in text
    assert "data.ignore_index=2" in text and "data.num_classes=3" in text


def test_masks_that_count_from_one_beyond_their_classes_are_recognised(photos):
    root = photos(count=8, values=(1, 2))
    report = checked(root, "num_classes=2")
    assert "count them from 1" in only(report) and report.problems[0].setting == "class_values=[1,2]"


def test_a_broken_class_table_is_named_with_its_line(photos):
    root = photos(count=6)
    (root / "classes.txt").write_text("cat,1\ndog\n")
    report = checked(root)
    assert "classes.txt: line 2" in only(report)
    assert [row.name for row in report.classes] == ["value 0", "value 1"]


def test_names_that_do_not_fit_are_a_problem_of_the_classes(photos):
    report = checked(photos(count=6), "class_names=a,b,c")
    assert [problem.kind for problem in report.problems] == ["classes"]


def test_masks_of_one_class_teach_nothing(photos):
    root = photos(count=6, values=(0, 255))
    (root / "classes.txt").write_text("cat\n")
    assert "cat: no other class occurs" in only(checked(root))
    assert "every mask is 0 throughout" in only(checked(photos("empty", count=6, values=(0, 0))))


def test_classes_that_are_hardly_there_are_warnings(photos):
    root = photos(count=9)
    rewrite(root, lambda mask: np.where(mask.cumsum().reshape(mask.shape) == 1, 2, mask).astype(np.uint8), ["photo0"])
    for name, stems in (("train", (0, 1, 2, 3)), ("val", (4, 5)), ("test", (6, 7, 8))):
        (root / f"{name}.txt").write_text("".join(f"photo{stem}\n" for stem in stems))
    report = checked(root, "num_classes=4")
    assert report.ready
    together = " | ".join(warned(report))
    assert "class 3: no mask holds it" in together
    assert "class 2: not in val" in together and "class 2: not in test" in together
    assert "class 2: in 1 image only" in together
    assert "background" not in together and "class 1" not in together


def test_object_numbers_are_suspected(photos):
    root = photos(count=12, size=(24, 24))
    for index, path in enumerate(sorted((root / "masks").iterdir())):
        Image.fromarray((np.arange(24 * 24).reshape(24, 24) % (index + 8)).astype(np.uint8)).save(path)
    assert any("are these object numbers?" in text for text in warned(checked(root)))


# --- images


def test_a_range_of_which_little_is_used_is_a_hint(photos):
    root = photos(count=6)
    for path in (root / "images").iterdir():
        Image.fromarray(np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 16).save(path)
    report = checked(root)
    assert report.ready and any("data.value_range=[0,4095]" in note for note in report.notes)
    assert not any("value_range" in note for note in checked(root, "value_range=[0,4095]").notes)


def test_floats_without_a_range_are_one_problem_with_its_setting(photos):
    root = photos(count=6)
    for path in sorted((root / "images").iterdir()):
        np.save(path.with_suffix(".npy"), np.asarray(Image.open(path), dtype=np.float32) - 1000)
        path.unlink()
    report = checked(root)
    assert "(and 5 others): holds float32 values" in only(report)
    assert checked(root, report.problems[0].setting).ready


# --- duplicates


def test_a_picture_in_two_splits_is_a_problem_and_in_one_a_warning(photos):
    root = photos(count=6)
    for kind in ("images", "masks"):
        shutil.copy(root / kind / "photo0.png", root / kind / "copy.png")
    lists = {"train": "photo0 photo1 photo2 copy", "val": "photo3", "test": "photo4 photo5"}
    for name, stems in lists.items():
        (root / f"{name}.txt").write_text("\n".join(stems.split()))
    report = checked(root)
    assert report.ready and "the same picture and mask as images/copy.png (both train)" in warned(report)[0]
    (root / "train.txt").write_text("photo0\nphoto1\nphoto2")
    (root / "val.txt").write_text("photo3\ncopy")
    assert "copy.png (val): the same picture as images/photo0.png (train)" in only(checked(root))


def test_equal_pictures_with_different_masks_contradict_each_other(photos):
    root = photos(count=6)
    shutil.copy(root / "images/photo0.png", root / "images/photo1.png")
    (root / "train.txt").write_text("\n".join(f"photo{index}" for index in range(5)))
    (root / "test.txt").write_text("photo5")
    (root / "val.txt").write_text("photo4")
    (root / "train.txt").write_text("photo0\nphoto1\nphoto2\nphoto3")
    assert "the same picture with another mask than" in warned(checked(root))[0]


# --- other layouts


def test_voc_lists_that_share_an_image_are_told_once(tmp_path, photos):
    root = photos("VOC", count=8)
    (root / "images").rename(root / "JPEGImages")
    (root / "masks").rename(root / "SegmentationClass")
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("photo0\nphoto1\nphoto2\nphoto3\nphoto4\nnowhere")
    (lists / "val.txt").write_text("photo0\nphoto5\nphoto6")
    (root / "classes.txt").write_text("background\nsquare\n")
    report = checked(root, form="voc")
    together = texts(report)
    assert sum("photo0" in text for text in together) == 1 and sum("'nowhere'" in text for text in together) == 1
    assert [row.name for row in report.classes] == ["background", "square"]
    rewrite_voc = root / "SegmentationClass/photo5.png"
    Image.fromarray(np.asarray(Image.open(rewrite_voc)) * 9).save(rewrite_voc)
    assert any("SegmentationClass/photo5.png: the mask holds 9" in text for text in texts(checked(root, form="voc")))


def test_camvid_has_its_classes_although_a_mask_is_damaged(photos):
    root = photos("camvid", count=6, values=(3, 11))
    for split, stems in (("train", (0, 1, 2)), ("val", (3,)), ("test", (4, 5))):
        for kind, folder in (("images", split), ("masks", f"{split}annot")):
            (root / folder).mkdir()
            for stem in stems:
                (root / kind / f"photo{stem}.png").rename(root / folder / f"photo{stem}.png")
    report = checked(root, form="camvid")
    assert report.classes[3].name == "road" and 0 < report.not_counted < 1
    (root / "trainannot/photo1.png").write_bytes(b"")
    report = checked(root, form="camvid")
    assert "trainannot/photo1.png: the file is empty" in texts(report, "unreadable")[0]
    assert len(report.classes) == 11


def test_pets_have_labels_of_their_own(photos):
    root = photos("pets", count=6, values=(2, 1))
    (root / "annotations").mkdir()
    (root / "masks").rename(root / "annotations/trimaps")
    for path in (root / "images").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"), quality=95)
    lines = [f"photo{index} {1 + index % 2} 1 1" for index in range(6)]
    (root / "annotations/trainval.txt").write_text("\n".join(lines[:4]))
    (root / "annotations/test.txt").write_text("\n".join(lines[4:]))
    report = checked(root, form="pet-full")
    assert report.ready, texts(report)
    assert [row.name for row in report.classes if row.images] == ["background", "Abyssinian", "american bulldog"]
    assert report.classes[1].images == 3
    Image.new("L", (20, 24), 7).save(root / "annotations/trimaps/photo2.png")
    assert "trimaps hold 1 pet, 2 background, 3 border" in only(checked(root, form="pet-small"))


# --- the report


def test_the_text_ends_with_ready_or_lists_what_to_mend(photos):
    root = photos(count=6)
    assert checked(root).to_text().endswith("\nready")
    for path in (root / "masks").iterdir():
        shutil.copy(path, path.with_name(f"x{path.name}"))
    text = checked(root).to_text()
    assert "6 things to mend:" in text and "\nready" not in text


def test_many_lines_of_a_kind_are_cut_short_in_the_text_and_whole_in_the_json(photos):
    root = photos(count=6)
    for index in range(MOST_LINES + 7):
        shutil.copy(root / "masks/photo0.png", root / f"masks/lonely{index}.png")
    report = checked(root)
    assert report.to_text().count("has no image") == MOST_LINES
    assert "... and 7 more about files and lists" in report.to_text()
    assert len(json.loads(json.dumps(report.to_dict()))["problems"]) == MOST_LINES + 7
