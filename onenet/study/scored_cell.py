"""What a finished run of a comparison costs and scores, in float and in INT8."""

import json
from pathlib import Path
from typing import Any

import onenet
from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count
from onenet.config import Config
from onenet.errors import FailedCheckError, OneNetError
from onenet.models.catalog import arguments_of, create_model
from onenet.scoring import evaluate
from onenet.study.timing import COUNTED_AT
from onenet.training.folder import RunFolder

MAX_DROP = 0.5  # points of mean IoU that INT8 may lose, as in `onenet export`


def scored(folder: RunFolder, config: Config, split: str) -> dict[str, Any]:
    """Parameters, multiply-adds, minutes and scores of a finished run, and the files that were exported for it.

    Args:
        config: of the run, with the data where they are now.
    """
    network = onenet.load(folder.path)
    card = network.card
    assert card is not None
    cost = measure(lambda: create_model(card.architecture, **arguments_of(card)), COUNTED_AT)
    evaluation = evaluate(folder.model, config.data, split)
    report = evaluation.report.to_dict()
    return {
        "epochs": config.train.epochs, "size": list(config.data.size),
        "precision": card.training.get("precision"), "parameters": parameter_count(network),
        "gmacs": round(cost.flops / 2e9, 4),
        "train_minutes": round(sum(row["seconds"] for row in folder.read_log()) / 60, 2),
        "trained_on": json.loads((folder.path / "environment.json").read_text(encoding="utf-8")),
        "images": {split: len(items) for split, items in evaluation.dataset.items.items()},
        "mean_iou": report["mean_iou"], "interval": report["confidence_intervals"].get("mean_iou"),
        "mean_boundary_f": report["mean_boundary_f"], "files": _exported(folder, config, split),
    }  # fmt: skip


def _exported(folder: RunFolder, config: Config, split: str) -> dict[str, Any]:
    """The ONNX files of a run by precision, with the score of the INT8 one on the same images; or why there are none.

    INT8 as `onenet export` makes it, with layers left in float where it would lose more than half a point; where even
    that does not hold, as it is.
    """
    from onenet.export.exporting import Wanted, make_graphs
    from onenet.export.files import write_onnx
    from onenet.scoring import open_for

    network = onenet.load(folder.path)
    assert network.card is not None
    data = open_for(network.card, config.data)
    try:
        try:
            graphs = make_graphs(network, Wanted(int8=True, max_drop=MAX_DROP), data)
        except FailedCheckError:
            graphs = make_graphs(network, Wanted(int8=True, max_drop=100.0), data)
    except OneNetError as error:
        return {"failed": str(error)}
    names = {
        made.suffix: path.name for made, path in zip(graphs, write_onnx(graphs, folder.path, "model"), strict=True)
    }
    exact, integers = (
        next(made for made in reversed(graphs) if (made.description.precision == "int8") == wanted)
        for wanted in (False, True)
    )
    file = folder.path / names[integers.suffix]
    found = evaluate(file, config.data, split, details=False).report
    return {
        "float": [name for suffix, name in names.items() if "int8" not in suffix],
        "int8": [name for suffix, name in names.items() if "int8" in suffix],
        "megabytes": _megabytes(file), "float_megabytes": _megabytes(folder.path / names[exact.suffix]),
        "mean_iou": found.mean_iou,
        "islands": len(integers.islands), "kept_float": list(integers.description.kept_float),
    }  # fmt: skip


def _megabytes(file: Path) -> float:
    return round(file.stat().st_size / 1e6, 3)
