"""What a finished run leaves beside its weights: report.json and report.html."""

import dataclasses
import math
from pathlib import Path

from onenet.checkpoint import parameter_count
from onenet.config import VOLUMES, Config
from onenet.metrics.evaluation import score
from onenet.scoring import Evaluation, evaluate, write_report
from onenet.training.folder import RunFolder, next_folder
from onenet.training.network import card_of
from onenet.training.run import Run
from onenet.training.validation import validate

MUCH_WAITING = 0.2


def train_silently(config: Config, out: str | Path | None = None, resume: bool = False) -> Path:
    """Do a whole run with its report, or what is left of one, and return the folder that it filled.

    Raises:
        OneNetError: as `Run` and its epochs do.
    """
    run = Run(config, RunFolder(out or next_folder(config.name)), resume=resume)
    for _ in run.epochs():
        pass
    if run.is_first:
        write_results(run)
    return run.folder.path


def write_results(run: Run) -> tuple[Evaluation, Path]:
    """Score the best weights on the images that the run was validated on, and write the report; the page's path.

    Raises:
        OneNetError: the folder cannot be written, or the weights are gone.
    """
    evaluation = evaluate(run.folder.model, run.config.data, "val")
    if run.config.train.overfit:  # another val than that of the data
        few, card = run.dataset, evaluation.segmenter.card
        name = f"{few.name} (the training images of train.overfit)"
        report = score(evaluation.segmenter, few.samples("val"), card, name, "val", details=True, absent=few.absent)
        evaluation = dataclasses.replace(evaluation, report=report, dataset=few, cases=None)
    return evaluation, write_report(evaluation, run.folder.path, run.folder.read_log(), facts(run))


def iou_as_it_came(run: Run) -> float | None:
    """IoU without the background, on the validation images, of the model that a run starts from.

    None where some of its weights are new, where the run is past its first epoch, and where there is no such IoU.
    """
    if not run.starts_whole or run.finished_epochs:
        return None
    report, _ = validate(run.network, run.dataset, examples=0, picture=run.folder.path)
    return None if math.isnan(report.foreground_iou) else report.foreground_iou


def facts(run: Run) -> dict[str, str]:
    """Lines for the page about how the model came to be."""
    lines = {
        "network": f"{run.config.model['name']}, {parameter_count(run.network) / 1e6:.2f} million parameters",
        "images": image_counts(run),
        "training": f"{run.finished_epochs} epochs in {_total(run, 'seconds') / 60:.1f} minutes on "
        f"{run.fabric.device.type} ({run.precision})",
        "recipe": run.config.name,
    }
    if run.skipped:
        lines["left out"] = describe_skipped(run)
    return lines


def image_counts(run: Run) -> str:
    """ "70 train, 15 val, 15 test"."""
    return ", ".join(f"{len(items)} {split}" for split, items in run.dataset.items.items() if items)


def describe_classes(run: Run) -> str:
    """One line: the share of each class in the training masks, and the weights that follow."""
    pixels = run.class_pixels or ()
    total, weights = max(1, sum(pixels)), card_of(run.network).training["class_weights"]
    parts = [
        f"{name} {100 * count / total:.3g} % (weight {weight:.3g})"
        for name, count, weight in zip(run.dataset.classes, pixels, weights, strict=True)
    ]
    return f"pixels of the training masks, and weights by loss.balance={run.config.loss.balance}: {', '.join(parts)}"


def describe_time(run: Run) -> str:
    """One line: where the time of a run went, and what would help where much of it was waiting."""
    seconds, validation = _total(run, "seconds"), _total(run, "validation_seconds")
    waiting = sum(row["seconds"] * row["waiting"] for row in run.rows) / max(seconds, 1e-9)
    rate = sum(row["seconds"] * row["images_per_second"] for row in run.rows) / max(seconds, 1e-9)
    line = (
        f"{_duration(seconds)} training at {rate:.3g} images/s, {_duration(validation)} validating; "
        f"waited for images {100 * waiting:.0f} % of the time"
    )
    beside = run.batches.beside / run.rows[-1]["seconds"] if run.rows else 0.0
    if beside >= 0.01:
        line += f", and read them beside it for {100 * beside:.0f} %"
    if waiting > MUCH_WAITING:
        return f"{line}; {_quicker(run)} may help"
    return f"{line}; data.cache=memory may help" if beside > MUCH_WAITING and run.config.data.cache == "none" else line


def _quicker(run: Run) -> str:
    workers, cache = run.config.train.workers, run.config.data.cache
    ways = [f"train.workers={2 * workers or 2}"] if cache != "device" else []
    if cache == "none":
        ways.append("data.cache=memory")
    elif cache == "memory" and run.fabric.device.type != "cpu":
        ways.append("data.cache=device")
    return " or ".join(ways or ["a smaller data.size"])


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _total(run: Run, key: str) -> float:
    return sum(row[key] for row in run.rows)


def describe_skipped(run: Run) -> str:
    """One line: how many images, or cases of volumes, were left out as unreadable, the first names and why."""
    names, unit = sorted(run.skipped), "image"
    why = run.skipped[names[0]].replace(f"{run.config.data.root}/", "")
    if run.config.data.format in VOLUMES:
        names, unit = sorted({name.rpartition("/")[0] for name in names}), "case"  # a slice is CASE/NUMBER
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    plural = "s" if len(names) > 1 else ""
    return f"{len(names)} {unit}{plural} that cannot be read: {', '.join(names[:3])}{more} ({why})"
