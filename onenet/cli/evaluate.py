"""`onenet evaluate`: a model and images with masks in, scores out."""

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
) -> None:
    """Score a model over a whole split at each image's own size, and hint at why a score is low.

    For example: onenet evaluate runs/demo --data folder:my-photos --split all
    """
    from onenet import scoring
    from onenet.metrics.hints import hints

    evaluation = scoring.evaluate(model, data, split, authors=authors, classes=class_names(classes))
    for note in evaluation.notes:
        print(f"note: {note}", file=sys.stderr)
    for hint in hints(evaluation.report):
        print(f"hint: {hint}", file=sys.stderr)
    print(evaluation.report.to_json() if json else evaluation.report.to_markdown())
    if report:
        page = scoring.write_report(evaluation, report)
        if not json:
            print(f"\nreport  {page}")
