"""A model and a set of images with masks -> a report, and the page that shows it."""

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onenet
from onenet.card import Card
from onenet.cases import segmented_cases
from onenet.config import DataConfig
from onenet.data import JOINED, Dataset, Item, VolumeDataset
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError, DataError
from onenet.images import atomic_write
from onenet.metrics.case_scoring import score_cases
from onenet.metrics.cases import CaseReport
from onenet.metrics.evaluation import predicted_mask, score
from onenet.metrics.page import Strip, write_page
from onenet.metrics.report import Report
from onenet.metrics.volume import TOLERANCE
from onenet.scoring.opening import few, open_data, open_for

if TYPE_CHECKING:
    from torch import nn

_WITHOUT_SCIPY = (
    "without scipy there are no boundary F, objects, calibration and intervals: pip install 'onenet-seg[scores]'"
)
_DECIDED = "the file gives classes without logits: no cross-entropy, average precision and calibration"
_COARSE = "images are scaled for it and its classes scaled back, whose outlines are coarser than those of scaled logits"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A report with what it was made from, so that pictures can be drawn of it.

    Attributes:
        report: of images the scores of all of them together; of volumes the same of all their voxels, without what
            follows from certainty.
        notes: what a reader of the scores should know, a line each.
        cases: of volumes, the scores of every case in its own grid.
        pictured: of volumes, a slice of the best and of the worst cases.
    """

    report: Report
    segmenter: Segmenter
    dataset: Dataset
    notes: tuple[str, ...] = ()
    cases: CaseReport | None = None
    pictured: tuple[Strip, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report and what computed it, ready for JSON, with the cases where there are volumes."""
        cases = {"cases": self.cases.to_dict()} if self.cases is not None else {}
        return self.report.to_dict() | {"runtime": self.segmenter.runtime} | cases

    def to_markdown(self) -> str:
        """The table of the report, of volumes that of the cases; of an exported file also what computed it."""
        table = (self.report if self.cases is None else self.cases).to_markdown()
        runtime = self.segmenter.runtime
        return table if runtime == "torch" else f"{table}\ncomputed by {runtime}"

    def strips(self, count: int = 8) -> list[Strip]:
        """The best and the worst images with truth and prediction, from best to worst."""
        if self.cases is not None:
            return list(self.pictured)
        pairs = _scored_items(self.dataset.split(self.report.split), self.report.per_image)
        ranked = sorted((pair for pair in pairs if not math.isnan(pair[1])), key=lambda pair: -pair[1])
        half = count // 2
        strips = []
        for item, value in ranked if len(ranked) <= count else ranked[:half] + ranked[-(count - half) :]:
            try:
                sample = self.dataset.read(item)
            except DataError:  # an unreadable image with the name of one in another split
                if not self.dataset.skip_unreadable:
                    raise
                continue
            result, overlapping = self.segmenter(sample.image), self.segmenter.card.overlapping
            prediction = predicted_mask(result, sample.mask.shape, overlapping)
            strips.append(Strip(item.name, sample.image, sample.mask, prediction, value))
        return strips


def evaluate(
    model: "str | Path | nn.Module",
    data: DataConfig | str = "",
    split: str = "test",
    details: bool = True,
    authors: bool = False,
    classes: Sequence[str] = (),
    tolerance: float | None = None,
    steps: Mapping[str, Sequence[int]] | None = None,
    runtime: str = "auto",
    threads: int | None = None,
) -> Evaluation:
    """Score a model on a split of a data set.

    Args:
        model: a file, the folder of a run, or a module with a card.
        data: a configuration, or a SPEC such as "folder:photos"; where a SPEC does not say how to split or how masks
            are read, it is as in the model's training. Left out, the data of the run that the model is from.
        split: "train", "val", "test" or "all".
        details: also what takes longer: boundary F-score, AP of objects, calibration, confidence intervals; without
            scipy they are left out, and a note says so.
        authors: also the figures of the paper's authors, as their evaluator computes them.
        classes: names for the classes of an `.onnx` file that was not written by onenet.
        tolerance: of volumes, millimetres of surface Dice; None: 2.
        steps: of volumes, the post-processing; None: that of the card.
        runtime: what computes an exported file, as of `onenet.Segmenter`.
        threads: CPU threads, which torch keeps afterwards; None leaves the choice to the runtime.

    Raises:
        DataError: the data has other classes than the model, or cannot be read.
        ConfigError: no data and no run, no such split, `tolerance` of images, `authors` of a model that has no use for
            them.
    """
    segmenter = onenet.Segmenter(model, runtime, threads, classes)
    if segmenter.decided and authors:
        raise ConfigError(f"{model}: gives classes without logits, of which the authors' figures cannot be computed; "
                          "export it without --output classes")  # fmt: skip
    card = segmenter.card
    dataset, reading = open_data(card, model, data) if isinstance(data, str) else (open_for(card, data), ())
    if isinstance(dataset, VolumeDataset):
        if authors:
            raise ConfigError("the authors' figures are of images, but the data are volumes; leave --authors out")
        return _of_cases(segmenter, dataset, split, TOLERANCE if tolerance is None else tolerance, steps, reading)
    if tolerance is not None:
        raise ConfigError(f"tolerance={tolerance:g}: is for volumes, but the data are images; leave it out")
    samples = dataset.samples(split)
    plain = () if not details or find_spec("scipy") else (_WITHOUT_SCIPY,)
    report = score(segmenter, samples, card, dataset.name, split, details and not plain, authors, dataset.absent)
    if segmenter.decided:
        report = report.of_decisions()
    notes = (
        *_notes(dataset, split),
        *reading,
        *_cautions(card, dataset, split),
        *_skipped(dataset.split(split), report),
    )
    decided = (_DECIDED, *((_COARSE,) if card.fit == "cover" else ())) if segmenter.decided else ()
    return Evaluation(report, segmenter, dataset, (*notes, *plain, *decided))


def _of_cases(
    segmenter: Segmenter,
    dataset: VolumeDataset,
    split: str,
    tolerance: float,
    steps: Mapping[str, Sequence[int]] | None,
    reading: Sequence[str],
) -> Evaluation:
    """Score volumes, each segmented whole and compared in its own grid."""
    cases, card = dataset.sources(split), segmenter.card
    segmented = segmented_cases(segmenter, dataset, cases, steps)
    of_cases, report, strips = score_cases(segmented, card, dataset.name, split, tolerance)
    notes = (*_notes(dataset, split), *reading, *_cautions(card, dataset, split), *_skipped(cases, report, "cases"))
    return Evaluation(report, segmenter, dataset, notes, of_cases, tuple(strips))


def fingerprint(item: Item) -> str:
    """Eight characters that stand for an image in a card, so that a score on trained images is noticed.

    They are of its name and of the two folders above it: train/images/1.jpg and test/images/1.jpg are two images.
    """
    place = item.image.parent.resolve() / item.image.name
    return hashlib.sha256("/".join(place.parts[-3:]).encode(errors="replace")).hexdigest()[:8]


def _scored_items(items: Iterable[Item], scores: Iterable[tuple[str, float]]) -> Iterator[tuple[Item, float]]:
    """The items that were scored, each with its score: both in one order, but unreadable items have no score."""
    left = iter(scores)
    name, value = next(left, (None, math.nan))
    for item in items:
        if item.name == name:
            yield item, value
            name, value = next(left, (None, math.nan))


def _skipped(items: Sequence[Item], report: Report, unit: str = "images") -> list[str]:
    """How many images were left out because they cannot be read, and which."""
    missing = Counter(item.name for item in items) - Counter(name for name, _ in report.per_image)
    if not missing:
        return []
    return [f"{missing.total()} of {len(items)} {unit} cannot be read and were left out: {few(list(missing))}"]


def _notes(dataset: Dataset, split: str) -> list[str]:
    """What the data set says of itself; that validation images were trained on matters to their own scores alone."""
    return [note for note in dataset.notes if note != JOINED or split == "val"]


def _cautions(card: Card, dataset: Dataset, split: str) -> list[str]:
    cautions = []
    if dataset.classes != card.classes:
        theirs, ours = _differing(dataset.classes, card.classes)
        cautions.append(f"the data calls its classes {theirs}; the model calls them {ours}")
    known_sets = {card.training.get("data"), *card.training.get("seen_in", ())}
    seen = set(card.training.get("seen", ())) if dataset.name in known_sets else set()
    scored = dataset.sources(split)
    known = sum(fingerprint(item) in seen for item in scored)
    unit = "case" if isinstance(dataset, VolumeDataset) else "image"
    joined = split == "val" and "networks" in card.training  # of folds: all but one trained on each case
    if known and (joined or split in ("test", "all")):
        why = "; the split differs from the one the model was trained with" if split == "test" else ""
        which = f"{known} of these {len(scored)} {unit}s were" if len(scored) > 1 else f"this {unit} was"
        cautions.append(f"{which} used in training or validation, so the score is too good{why}")
    return cautions


def _differing(theirs: Sequence[str], ours: Sequence[str]) -> tuple[str, str]:
    """The names that differ, of two lists of one length."""
    pairs = [pair for pair in zip(theirs, ours, strict=True) if pair[0] != pair[1]]
    return few([a for a, _ in pairs]), few([b for _, b in pairs])


def write_report(
    evaluation: Evaluation,
    folder: Path,
    log: Sequence[Mapping[str, float]] = (),
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write report.json and report.html into `folder`; returns the page's path."""
    with atomic_write(folder / "report.json") as file:
        file.write(json.dumps(evaluation.to_dict(), indent=2, allow_nan=False).encode())
    card, runtime = evaluation.segmenter.card, evaluation.segmenter.runtime
    computed = {} if runtime == "torch" else {"computed by": runtime}
    page = folder / "report.html"
    title = f"{card.architecture} on {evaluation.report.data}"
    write_page(
        page,
        title=title,
        report=evaluation.report,
        card=card,
        log=log,
        strips=evaluation.strips(),
        facts={**(facts or {}), **computed},
        cases=evaluation.cases,
    )
    return page
