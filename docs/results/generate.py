"""Write docs/results.md, and the tables between markers in README.md, from the JSON files beside this script."""

import json
from pathlib import Path
from typing import Any

from onenet.cli.bench import table2_markdown, throughput_markdown, train_markdown
from onenet.study.grid import to_markdown

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main() -> None:
    """Generate."""
    parts = ["# Results", "", "Written by `make results` from the JSON files in `docs/results/`; do not edit."]
    for title, name, intro, table in SECTIONS:
        record = read(name)
        parts += ["", f"## {title}", "", intro, "", table(record["result"]), "", provenance(record)]
    (HERE.parent / "results.md").write_text("\n".join(parts) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, line in readme_lines().items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}{line}{end}{after}"
    readme.write_text(text, encoding="utf-8")


def provenance(record: dict[str, Any]) -> str:
    """One line: how to get these figures again, and where they were made."""
    machine = f"{record['cores']} cores of {record['processor']}, load {record['load_before']} before"
    trained = f"; its cells were trained at {record['cells_trained_at']}" if "cells_trained_at" in record else ""
    return f"`{record['command']}` at commit {record['commit']}, {record['date']}{trained}; {machine}."


def read(name: str) -> dict[str, Any]:
    """A record."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def demo_markdown(result: dict[str, Any]) -> str:
    """Scores of the demo's model on its test images."""
    lines = ["| class | pixels | IoU | Dice |", "|---|---:|---:|---:|"]
    for row in result["classes"]:
        lines.append(f"| {row['name']} | {100 * row['pixels']:.1f} % | {row['iou']:.3f} | {row['dice']:.3f} |")
    return "\n".join([*lines, "", f"{result['images']} images, pixel accuracy {result['pixel_accuracy']:.3f}"])


def readme_lines() -> dict[str, str]:
    """What README.md says between its markers."""
    record = read("demo")
    demo, nucleus = record["result"], record["result"]["classes"][1]
    return {
        "demo-score": f"IoU {nucleus['iou']:.2f} (Dice {nucleus['dice']:.2f}) for nuclei on {demo['images']} images",
        "demo-minutes": f"{record['seconds'] / 60:.1f} minutes",
        "pet-small": "\n" + to_markdown(read("pet-small")["result"]) + "\n",
    }


HOW = (
    "Equal width, equal recipe, from scratch, on two CPU cores; true IoU over the whole test set at the images' own "
    "size. Mean and standard deviation over the seeds; with one seed the 95 % interval over the test images."
)

SECTIONS = (
    (
        "Table 2 of the paper, counted anew",
        "table2",
        "What a network costs for one image of 3x256x256 with 4 classes. The unused heads and ResNet's 1000-class "
        "layer are in the paper's count and never run.",
        table2_markdown,
    ),
    (
        "A training step of onenet-ed-4",
        "train-step",
        "Forward, loss, backward and AdamW, in turns in one process, against the paper's formulation word for word.",
        train_markdown,
    ),
    (
        "Oxford-IIIT Pet, three classes",
        "pet-small",
        "Three of the 37 breeds (Abyssinian, Bengal, American bulldog), official layout and split: 300 photos to train "
        "and validate, 298 to test. Recipe pet-small, 60 epochs at 128 pixels. These cells were trained before batch "
        "norm was measured anew before each validation (docs/notebook.md) and are to be trained again. " + HOW,
        to_markdown,
    ),
    (
        "CamVid, 11 classes",
        "camvid",
        "SegNet's split and masks at 480x360: 367 images to train, 101 to validate, 233 to test. The default recipe, "
        "40 epochs at 144x192 pixels: far from the published figures, which take full size and hundreds of epochs. "
        + HOW,
        to_markdown,
    ),
    (
        "MSRC v2, 23 classes",
        "msrc",
        "In the layout of PASCAL VOC: 335 images to train, 60 to validate, 196 to test, one of which (1_26_s) is among "
        "the training images too. The default recipe, 40 epochs "
        "at 128 pixels. " + HOW,
        to_markdown,
    ),
    (
        "Nuclei, two classes",
        "nuclei",
        "A part of the Data Science Bowl 2018: 168 images to train, 36 to validate, 36 to test, drawn at random, at "
        "their own scale. The default recipe, 40 epochs, windows of 128 pixels. " + HOW,
        to_markdown,
    ),
    (
        "Reading images and training on them",
        "throughput",
        "Images per second, for each way of keeping them (`data.cache`) and of reading them (`train.workers`). The "
        "cache on the device is made for GPUs; here the device is the CPU.",
        throughput_markdown,
    ),
    (
        "The demo",
        "demo",
        "What `make demo` reaches on the 14 packaged images that it does not train on.",
        demo_markdown,
    ),
)


if __name__ == "__main__":
    main()
