"""A run is not resumed on data that is read otherwise now, or has another content of the same size."""

import numpy as np
import pytest
from PIL import Image
from runs_compared import contents, train

from onenet.config import load_config
from onenet.errors import DataError
from onenet.training.folder import RunFolder
from onenet.training.run import Run


def arranged(root, format_, suffix=".png", table="nothing\ncat\ndog\n"):
    """Eight photos with masks of 0, 1 and 2, as a folder or in VOC's layout, and their class table."""
    images, masks = ("JPEGImages", "SegmentationClass") if format_ == "voc" else ("images", "masks")
    random = np.random.default_rng(0)
    for folder in (images, masks, "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number in range(8):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(root / images / f"{number}{suffix}")
        mask = random.integers(0, 3, (20, 24), dtype=np.uint8)
        np.save(root / masks / f"{number}.npy", mask)
    (root / "ImageSets/Segmentation/train.txt").write_text("0\n1\n2\n3\n4\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("5\n6\n")
    (root / "classes.txt").write_text(table)
    return root


@pytest.fixture
def begun(tmp_path, tiny):
    """`begun("voc")`: a function that opens a run of four epochs, of which two are trained; and its data's folder."""

    def make(format_="folder", **options):
        root = arranged(tmp_path / "data", format_, **options)
        config = load_config("default", [*tiny, "train.epochs=4", f"data.format={format_}", f"data.root={root}"])
        train(Run(config, RunFolder(tmp_path / "run")), epochs=2)
        return lambda: Run(config, RunFolder(tmp_path / "run"), resume=True), root

    return make


def refusal_of(resume, folder):
    before = contents(folder)
    with pytest.raises(DataError) as refusal:
        resume()
    assert "\n" not in str(refusal.value) and "the data has changed since the run was begun: " in str(refusal.value)
    assert contents(folder) == before
    return str(refusal.value)


@pytest.mark.parametrize("format_", ["folder", "voc"])
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("nothing\ndog\ncat\n", "classes (classes.txt): 1 cat -> dog, 2 dog -> cat"),
        ("nothing,0\ncat,2\ndog,1\n", "mask values (classes.txt): 1 cat -> dog, 2 dog -> cat"),
        ("nothing\ncat\ndog\nbird\n", "classes (classes.txt): 3 -> 4 (bird added)"),
    ],
)
def test_a_class_table_that_says_something_else_is_named_with_what_it_changes(begun, tmp_path, format_, table, said):
    resume, root = begun(format_)
    (root / "classes.txt").write_text(table)
    assert said in refusal_of(resume, tmp_path / "run")
    (root / "classes.txt").write_text("# as before\nnothing\ncat\ndog\n")
    assert len(train(resume())) == 2


@pytest.mark.parametrize("place", ["images", "masks"])
def test_a_file_of_equal_size_and_other_content_is_noticed(begun, tmp_path, place):
    resume, root = begun(suffix=".bmp")
    path = next(iter(sorted((root / place).iterdir())))
    size = path.stat().st_size
    if place == "masks":
        np.save(path, (np.load(path) + 1) % 3)
    else:
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert path.stat().st_size == size
    assert f"1 image changed ({path.stem})" in refusal_of(resume, tmp_path / "run")


def test_a_checkpoint_of_an_earlier_version_is_compared_as_far_as_it_goes(begun, tmp_path):
    resume, root = begun()
    folder = RunFolder(tmp_path / "run")
    state = folder.read_state()
    del state["reading"]
    sizes = {
        split: {name: [size for size, _ in marks] for name, marks in files.items()}
        for split, files in state["data"].items()
    }
    folder.write_state(state | {"data": sizes})
    assert len(train(resume())) == 2
    assert folder.read_state()["reading"]["classes"] == ["nothing", "cat", "dog"]  # from now on it is compared
    folder.write_state(state | {"data": sizes})
    (root / "classes.txt").write_text("nothing\ncat\ndog\nbird\n")
    with pytest.raises(DataError, match=r"belongs to another network than config\.toml .* and the classes of the data"):
        resume()
    (root / "classes.txt").write_text("nothing\ncat\ndog\n")
    path = sorted((root / "masks").iterdir())[0]
    path.write_bytes(path.read_bytes() + b" ")
    refusal_of(resume, tmp_path / "run")
