"""Fine-tuned against from scratch, on 5, 10 and 30 images, scored on images that are not trained on.

python docs/results/few.py DATA FOLDER [--no-train | --untrained]

DATA holds nuclei/ and msrc_voc/; runs that FOLDER has are not made again, with --no-train no others are made either.
With --untrained the model that others start from is scored as it is, on the same test images.

Prints JSON, for record.py. Images are chosen by the seed; a seventh of them, at least one, is for validation.
"""

import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import onenet
from onenet.config import load_config

COUNTS, SEEDS = (5, 10, 30), (0, 1)
STARTS = {  # the recipe, and what it is told
    "from scratch": ("few",),
    "from pet": ("few", "train.init=pet"),
    "from pet, encoder kept": ("few", "train.init=pet", "train.freeze=encoder"),
    "from pet, recipe fine-tune": ("fine-tune", "train.init=pet"),
}
ANIMALS = ("cow", "horse", "sheep", "cat", "dog", "bird")
SMALLEST = 0.03  # share of an image that its animals must be
NUCLEI_TEST = 60


def main() -> None:
    """Train and score what is missing, print everything."""
    data, folder, train = Path(sys.argv[1]), Path(sys.argv[2]), "--no-train" not in sys.argv
    rows = []
    for name, (images, test) in {"nuclei": nuclei(data / "nuclei"), "animals": animals(data / "msrc_voc")}.items():
        whole = written(folder / "data" / f"{name}-test", test)
        if "--untrained" in sys.argv:
            iou = onenet.evaluate("pet", f"folder:{whole},test=0", split="all").report.foreground_iou
            rows.append({"set": name, "object_iou": iou, "test": len(test)})
            continue
        for count in COUNTS:
            for start in STARTS:
                if not train and not all(
                    (run_of(folder, name, count, start, s) / "score.json").is_file() for s in SEEDS
                ):
                    continue
                scores = [scored(folder, name, images, count, start, seed, whole) for seed in SEEDS]
                rows.append({"set": name, "images": count, "start": start, "scores": scores, "test": len(test)})
    print(json.dumps({"recipe": "few or fine-tune", "seeds": list(SEEDS), "rows": rows}))


def scored(
    folder: Path, name: str, images: list[Any], count: int, start: str, seed: int, test: Path
) -> dict[str, float]:
    """The scores of one run; kept beside it."""
    run = run_of(folder, name, count, start, seed)
    file = run / "score.json"
    if not file.is_file():
        chosen = np.random.default_rng([seed, count]).permutation(len(images))[:count]
        few = written(folder / "data" / f"{name}-{count}-{seed}", [images[index] for index in chosen])
        words = [f"data.root={few}", "data.class_names=background,object", "data.test=0", f"train.seed={seed}"]
        shutil.rmtree(run, ignore_errors=True)
        recipe, *changes = STARTS[start]
        onenet.train(load_config(recipe, [*words, *changes]), out=run)
        report = onenet.evaluate(run, f"folder:{test},test=0", split="all").report
        minutes = sum(float(row["seconds"]) for row in rows_of(run / "log.csv")) / 60
        found = {"mean_iou": report.mean_iou, "object_iou": report.foreground_iou, "minutes": round(minutes, 2)}
        file.write_text(json.dumps(found), encoding="utf-8")
        print(run.name, found, file=sys.stderr, flush=True)
    return json.loads(file.read_text(encoding="utf-8"))


def run_of(folder: Path, name: str, count: int, start: str, seed: int) -> Path:
    """The folder of a run."""
    return folder / f"{name}-{count}-{start.replace(', ', '-').replace(' ', '-')}-{seed}"


def rows_of(log: Path) -> Iterator[dict[str, str]]:
    """The lines of a log."""
    head, *lines = log.read_text(encoding="utf-8").splitlines()
    for line in lines:
        yield dict(zip(head.split(","), line.split(","), strict=True))


def written(folder: Path, pairs: list[Any]) -> Path:
    """A folder of images/ and masks/ that holds these pairs: (name, image file, labels)."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, image, labels in pairs:
        shutil.copyfile(image, folder / "images" / f"{name}{image.suffix}")
        Image.fromarray(labels).save(folder / "masks" / f"{name}.png")
    return folder


def nuclei(root: Path) -> tuple[list[Any], list[Any]]:
    """Images to draw from and images to test on, of a set without a split of its own."""
    files = sorted((root / "images").iterdir())
    order = [files[index] for index in np.random.default_rng(0).permutation(len(files))]
    pairs = [(f.stem, f, (labels_of(root / "masks" / f"{f.stem}.png") > 0).astype(np.uint8)) for f in order]
    return pairs[NUCLEI_TEST:], pairs[:NUCLEI_TEST]


def animals(root: Path) -> tuple[list[Any], list[Any]]:
    """Images that show an animal, of the set's own trainval.txt and test.txt."""
    names = (root / "classes.txt").read_text(encoding="utf-8").split()
    wanted = [names.index(name) for name in ANIMALS]
    found = []
    for split in ("trainval", "test"):
        pairs = []
        for name in (root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text(encoding="utf-8").split():
            labels = labels_of(root / "SegmentationClass" / f"{name}.png")
            animal = np.isin(labels, wanted)
            if animal.mean() >= SMALLEST:
                mask = np.where(labels == 255, 255, animal).astype(np.uint8)
                pairs.append((name, next((root / "JPEGImages").glob(f"{name}.*")), mask))
        found.append(pairs)
    return found[0], found[1]


def labels_of(file: Path) -> np.ndarray:
    """The indices of a mask file, whatever colours they have."""
    return np.asarray(Image.open(file))


def table(result: dict[str, Any], untrained: dict[str, Any]) -> str:
    """IoU of the objects, mean over the seeds and lowest to highest, a row per set and start; `pet` as it is first."""
    lines = [
        f"| set | start | {' | '.join(f'{count} images' for count in COUNTS)} |",
        "|---|---|" + "---:|" * len(COUNTS),
    ]
    for name in dict.fromkeys(row["set"] for row in result["rows"]):
        as_it_is = next(row["object_iou"] for row in untrained["rows"] if row["set"] == name)
        lines.append(f"| {name} | pet as it is | {' | '.join([f'{as_it_is:.3f}'] * len(COUNTS))} |")
        for start in dict.fromkeys(row["start"] for row in result["rows"]):
            cells = []
            for count in COUNTS:
                same = [r for r in result["rows"] if (r["set"], r["start"], r["images"]) == (name, start, count)]
                values = [score["object_iou"] for row in same for score in row["scores"]]
                cells.append(f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})" if same else "-")
            lines.append(f"| {name} | {start} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
