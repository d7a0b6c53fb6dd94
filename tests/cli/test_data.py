"""`onenet data`: look at images and masks before anything is trained on them."""

import json

import numpy as np
import pytest
from PIL import Image


def test_good_data_are_ready(onenet_command, photos):
    root = photos(count=8)
    done = onenet_command("data", "check", f"folder:{root}")
    assert (done.code, done.err) == (0, "")
    assert "8 with masks: 6 train, 1 val, 1 test" in done.out
    assert done.out.splitlines()[-2:] == ["ready", f"next    onenet train few --data folder:{root}"]


def test_what_must_be_mended_is_listed_and_the_exit_code_says_so(onenet_command, photos):
    root = photos(count=8)
    (root / "masks/photo3.png").unlink()
    (root / "images/photo4.png").write_bytes(b"no image")
    done = onenet_command("data", "check", f"folder:{root}")
    assert (done.code, done.err) == (1, "")
    assert "2 things to mend:" in done.out
    assert "    images/photo3.png: has no mask; put photo3.png into masks or remove the image\n" in done.out
    assert "    images/photo4.png: not an image that can be read; replace or remove it\n" in done.out


def test_json_says_the_same(onenet_command, photos):
    root = photos(count=8)
    good = json.loads(onenet_command("data", "check", f"folder:{root}", "--json").out)
    assert good["ready"] and good["problems"] == []
    (root / "masks/photo3.png").unlink()
    done = onenet_command("data", "check", f"folder:{root}", "--json")
    found = json.loads(done.out)
    assert done.code == 1 and not found["ready"]
    assert [problem["file"] for problem in found["problems"]] == [str(root / "images/photo3.png")]
    assert found["sizes"] == {"smallest": [24, 20], "median": [24, 20], "largest": [24, 20]}
    assert {row["name"]: row["images"] for row in found["classes"]} == {"background": 7, "class 1": 7}


def test_the_line_that_is_advised_works(onenet_command, photos):
    root = photos(count=8, values=(0, 128))
    advised = onenet_command("data", "check", f"folder:{root}").out.splitlines()[-1]
    assert advised.startswith("check again: onenet data check ")
    spec = advised.split("'")[1]
    ready, following = onenet_command("data", "check", spec).out.splitlines()[-2:]
    assert (ready, following) == ("ready", f"next    onenet train few --data '{spec}'")


def test_recipes_and_packaged_sets_can_be_checked(onenet_command):
    assert onenet_command("data", "check", "folder:samples:nuclei").code == 0
    assert "nucleus" in onenet_command("data", "check", "demo").out


@pytest.mark.parametrize("verb", ["check", "show"])
@pytest.mark.parametrize(
    "spec, words",
    [
        ("folder:nowhere", "nowhere: no such folder"),
        ("fodler:photos", "did you mean folder?"),
        ("photos", "neither FORMAT:PATH nor a recipe"),
        ("folder:photos,sise=3", "data.sise"),
        ("folder:samples:nucle", "did you mean nuclei?"),
        ("default", "data.root is empty"),
    ],
)
def test_a_wrong_spec_is_one_line(onenet_command, verb, spec, words):
    assert words in onenet_command("data", verb, spec).error


def test_a_folder_without_its_format_is_answered_with_it(onenet_command, photos):
    photos()
    assert "choose from folder:photos for images and masks; or" in onenet_command("data", "check", "photos").error


def test_a_sheet_is_written(onenet_command, photos, tmp_path):
    done = onenet_command("data", "show", f"folder:{photos(count=8, values=(0, 255))}", "data.size=32")
    assert done.code == 0
    assert done.out == "note: masks hold 0 and 255: read as classes 0 and 1\ndata-sheet.png\n"
    with Image.open(tmp_path / "data-sheet.png") as sheet:
        assert sheet.size > (400, 200)


def test_a_sheet_follows_its_options(onenet_command, photos, tmp_path):
    root = photos(count=12)

    def sheet(*words):
        assert onenet_command("data", "show", f"folder:{root}", "--out", "s.png", *words).code == 0
        with Image.open(tmp_path / "s.png") as picture:
            return np.asarray(picture)

    varied = sheet("augment.colour=1", "--count", 4, "data.size=16")
    assert not np.array_equal(varied, sheet("augment.colour=1", "--count", 4, "data.size=16", "--seed", 1))
    assert np.array_equal(varied, sheet("augment.colour=1", "--count", 4, "data.size=16", "--seed", 0))
    assert not np.array_equal(varied, sheet("augment.strength=0", "--count", 4, "data.size=16"))
    assert sheet("--split", "all", "--count", 9).shape[0] > sheet("--split", "test", "--count", 9).shape[0]


def test_a_recipe_brings_its_own_variation(onenet_command, tmp_path):
    onenet_command("data", "show", "demo", "--count", 4, "--out", "a.png")
    onenet_command("data", "show", "demo", "demo", "--count", 4, "--out", "b.png")
    onenet_command("data", "show", "demo", "default", "--count", 4, "--out", "c.png")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_bad_words_of_show_are_one_line(onenet_command, photos):
    spec = f"folder:{photos(count=6)}"
    assert "did you mean train?" in onenet_command("data", "show", spec, "--split", "trian").error
    assert "augment.colour" in onenet_command("data", "show", spec, "augment.color=1").error
    assert "one recipe at a time" in onenet_command("data", "show", spec, "demo", "paper").error
    (photos().parent / "file").write_text("")
    assert "file is a file, not a folder" in onenet_command("data", "show", spec, "--out", "file/sheet.png").error
    assert "end its name in .png or .jpg" in onenet_command("data", "show", spec, "--out", "sheet.txt").error
