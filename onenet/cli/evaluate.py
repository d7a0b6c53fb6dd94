"""`onenet evaluate`: a model and images with masks in, scores out."""

import json as json_
import sys
from pathlib import Path
from typing import Annotated

import typer

from onenet.cli.classes import Classes, class_names


def evaluate(
    model: Annotated[str, typer.Argument(help="A .safetensors file, the folder of a run, or an exported file.")],
    data: Annotated[str, typer.Option(help="FORMAT:PATH[,key=value...] or a recipe.")],
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    classes: Classes = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for report.json and report.html.")] = None,
    authors: Annotated[
        bool, typer.Option("--authors", help="Add the figures of the paper's tables, which are not IoU or Dice.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Of volumes: millimetres that surfaces may differ by in surface Dice.")
    ] = 2.0,
) -> None:
    """Score a model over a whole split at each image's own size, and hint at why a score is low.

    For example: onenet evaluate runs/demo --data folder:my-photos --split all

    Volumes are segmented whole and scored case by case, each in its own grid: Dice, IoU, HD95, surface Dice, lesions
    and volume, with means over cases and their 95 % intervals. JSON: the figures of all voxels, and in "cases" mean and
    interval of every score, per class too, and per_case.
    """
    from onenet import scoring
    from onenet.metrics.hints import hints

    names = class_names(classes)
    evaluation = scoring.evaluate(model, data, split, authors=authors, classes=names, tolerance=tolerance)
    for note in evaluation.notes:
        print(f"note: {note}", file=sys.stderr)
    for hint in hints(evaluation.report):
        print(f"hint: {hint}", file=sys.stderr)
    print(json_.dumps(evaluation.to_dict(), indent=2, allow_nan=False) if json else evaluation.to_markdown())
    if report:
        page = scoring.write_report(evaluation, report)
        if not json:
            print(f"\nreport  {page}")
