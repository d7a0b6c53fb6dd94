"""`onenet evaluate`: a model and images with masks in, scores out."""

import json as json_
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onenet.cli.model_options import Classes, Runtime, Threads, class_names

if TYPE_CHECKING:
    from onenet.deploy.segmenter import Segmenter


def evaluate(
    model: Annotated[
        str,
        typer.Argument(help="A .safetensors or exported file, the folder of a run or of a study of folds."),
    ],
    data: Annotated[
        str, typer.Option(help="FORMAT:PATH[,key=value...] or a recipe; left out, the data of the run.")
    ] = "",
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    threads: Threads = None,
    runtime: Runtime = "auto",
    classes: Classes = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for report.json and report.html.")] = None,
    authors: Annotated[
        bool, typer.Option("--authors", help="Add the figures of the paper's tables, which are not IoU or Dice.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Of volumes: millimetres that surfaces may differ by in surface Dice; left out, 2."),
    ] = None,
    postprocess: Annotated[
        str,
        typer.Option(
            help="Of volumes: largest, holes, both (largest,holes), none, card: as the model says; auto: what "
            "raises Dice on the validation cases, which the model then keeps."
        ),
    ] = "card",
) -> None:
    """Score a model over a whole split at each image's own size, and hint at why a score is low.

    For example: onenet evaluate runs/demo, or onenet evaluate runs/demo --data folder:my-photos --split all

    Volumes are segmented whole and scored case by case, each in its own grid: Dice, IoU, HD95, surface Dice, lesions
    and volume, with means over cases and their 95 % intervals. JSON: the figures of all voxels, and in "cases" mean and
    interval of every score, per class too, and per_case.
    """
    import onenet
    from onenet import scoring
    from onenet.errors import ConfigError
    from onenet.metrics.hints import hints

    names, steps = class_names(classes), None
    if postprocess == "auto":
        if runtime not in ("auto", "torch"):
            raise ConfigError(f"--postprocess auto: computes in torch; leave --runtime {runtime} out")
        print(f"note: {keep_best_steps(model, data, threads)}", file=sys.stderr)
    elif postprocess != "card":
        steps = read_steps(postprocess, onenet.Segmenter(model, runtime, threads, names))
    evaluation = scoring.evaluate(
        model,
        data,
        split,
        authors=authors,
        classes=names,
        tolerance=tolerance,
        steps=steps,
        runtime=runtime,
        threads=threads,
    )
    for note in evaluation.notes:
        print(f"note: {note}", file=sys.stderr)
    for hint in hints(evaluation.report):
        print(f"hint: {hint}", file=sys.stderr)
    print(json_.dumps(evaluation.to_dict(), indent=2, allow_nan=False) if json else evaluation.to_markdown())
    if report:
        page = scoring.write_report(evaluation, report)
        if not json:
            print(f"\nreport  {page}")


def read_steps(text: str, segmenter: "Segmenter") -> dict[str, list[int]] | None:
    """What --postprocess says of a model of volumes.

    Raises:
        ConfigError: an unknown word, or a model of images.
    """
    from onenet.cli.volumes import parse_steps
    from onenet.errors import ConfigError

    if not segmenter.card.volume:
        raise ConfigError(f"--postprocess {text}: is for volumes; leave it out")
    return parse_steps(text, segmenter)


def keep_best_steps(model: str, data: str, threads: int | None = None) -> str:
    """Choose the post-processing on the validation cases, write it into the model's card, and say in a line what it is.

    Raises:
        ConfigError: a model of images, several of them, or one that is no .safetensors file.
        DataError: there are no validation cases, or one cannot be read.
    """
    import onenet
    from onenet.cases import chosen_steps
    from onenet.checkpoint import save
    from onenet.data import VolumeDataset
    from onenet.deploy.ensemble import refuse_folds
    from onenet.errors import ConfigError
    from onenet.models.eager import card_of
    from onenet.scoring import open_data

    path = Path(model)
    refuse_folds(path)
    path = path / "model.safetensors" if path.is_dir() else path
    if path.suffix != ".safetensors" or not path.is_file():
        raise ConfigError(f"--postprocess auto: is written into a .safetensors file, and {model} is none; use one, and "
                          "export it afterwards")  # fmt: skip
    network = onenet.load(path)
    card = card_of(network)
    if not card.volume:
        raise ConfigError("--postprocess auto: is for volumes; leave it out")
    if card.training.get("split", {}).get("train_with_val"):
        raise ConfigError(f"--postprocess auto: {model} was trained on its validation cases, too, so that none is left "
                          "to choose on; name the steps")  # fmt: skip
    dataset, _ = open_data(card, model, data)
    if not isinstance(dataset, VolumeDataset):
        raise ConfigError("--postprocess auto: is for volumes, but the data are images; leave it out")
    steps, line = chosen_steps(onenet.Segmenter(path, "torch", threads), dataset)
    save(network, path, card.replace(volume={**card.volume, "postprocess": steps}))
    return line
