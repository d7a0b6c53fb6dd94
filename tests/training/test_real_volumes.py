"""The real volumes beside the repository: opened, checked, trained on for an epoch and scored case by case."""

from pathlib import Path

import numpy as np
import pytest

from onenet.config import load_config, parse_spec
from onenet.data import open_dataset
from onenet.data.check import check_data
from onenet.scoring import evaluate
from onenet.training.results import train_silently

SHARED = Path(__file__).parents[2] / "../shared/data/msd"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here"),
]

nibabel = pytest.importorskip("nibabel")


@pytest.mark.parametrize(
    ("task", "cases", "classes", "channels"),
    [("Task04_Hippocampus", 70, 3, 1), ("Task02_Heart", 7, 2, 1), ("Task01_BrainTumour", 3, 5, 2)],
)
def test_a_task_of_the_decathlon_opens_and_has_nothing_to_mend(task, cases, classes, channels):
    dataset = open_dataset(parse_spec(f"msd:{SHARED / task}"))
    parts = [dataset.sources(split) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == len({case.name for part in parts for case in part}) == cases
    assert (dataset.num_classes, dataset.in_channels) == (classes, channels)
    report = check_data(parse_spec(f"msd:{SHARED / task}"))
    assert report.ready, report.to_text()
    voxels = sum(row.pixels for row in report.classes)
    assert voxels == sum(np.prod(nibabel.load(path).shape) for path in (SHARED / task / "labelsTr").glob("*.nii.gz"))


@pytest.mark.parametrize("task", ["Task04_Hippocampus", "Task02_Heart", "Task01_BrainTumour"])
def test_slices_are_those_of_the_files(task):
    dataset = open_dataset(parse_spec(f"msd:{SHARED / task},spacing=[]"))
    case = dataset.sources("val")[0]
    image = nibabel.as_closest_canonical(nibabel.load(case.image)).get_fdata()
    mask = nibabel.as_closest_canonical(nibabel.load(case.mask)).get_fdata()
    image = image if image.ndim == 4 else image[..., None]
    low, high = np.percentile(image, (0.5, 99.5), axis=(0, 1, 2))
    grey = ((image - low) / (high - low)).clip(0, 1)
    for item in [item for item in dataset.split("val") if item.case == case][:: image.shape[2] // 5]:
        sample = dataset.read(item)
        turned = [array[:, :, item.index].swapaxes(0, 1)[::-1, ::-1] for array in (grey, mask)]
        assert np.abs(sample.image - turned[0]).max() < 1e-4
        assert (sample.mask == turned[1]).all()


@pytest.mark.parametrize(
    ("task", "size", "words"),
    [
        ("Task04_Hippocampus", 32, []),
        ("Task02_Heart", 64, ["data.spacing=[2.5,2.5]"]),
        ("Task01_BrainTumour", 64, ["data.spacing=[3.0,3.0]", "data.neighbours=1"]),
    ],
)
def test_a_short_training_gives_scores_of_every_case(task, size, words, tiny, tmp_path):
    words = [*tiny, f"data.size={size}", "train.epochs=1", "train.batch=32", "train.learning_rate=0.01", *words]
    folder = train_silently(load_config("volumes", words, f"msd:{SHARED / task}"), tmp_path / "run")
    evaluation = evaluate(folder, f"msd:{SHARED / task}")
    cases = evaluation.cases
    assert len(cases.cases) == len(evaluation.dataset.sources("test")) > 0
    for case, scores in zip(evaluation.dataset.sources("test"), cases.cases, strict=True):
        mask = nibabel.load(case.mask)
        volume = np.abs(np.linalg.det(mask.affine[:3, :3])) / 1000
        for index in range(1, len(cases.classes)):
            assert scores.values["true_ml"][index] == pytest.approx((mask.get_fdata() == index).sum() * volume)
    assert (folder / "report.html").is_file()
