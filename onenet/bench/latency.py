"""How long models take from photo to mask, against each other and against what this machine could do.

All rows are timed in turns in one process, so that they meet the same load; so are the reference products. Memory and
the first mask are measured in a fresh process for each row.
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.bench.candidates import Candidate, find_candidates, literal_candidate, open_candidate
from onenet.bench.fresh import Photo, measure_fresh
from onenet.bench.photos import photo_in_memory, prepared
from onenet.bench.rates import LARGE, PRECISIONS, operations, own_rate, ready_product
from onenet.bench.turns import Timed, in_turns, spread, timed, times_as_fast
from onenet.bench.where import where_time_goes
from onenet.bench.work import Work, work_of
from onenet.deploy.runner import Runner
from onenet.deploy.runtime import RUNTIMES, installed, usable_cores
from onenet.deploy.segmenter import Segmenter
from onenet.errors import ConfigError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be measured.

    Attributes:
        sizes: heights and widths of the photos.
        runtimes: those to use; empty for all that are installed.
        threads: CPU threads of each row; None for all cores.
        repeats: rounds; fewer, but at least 3, where they take longer than `seconds` for a size.
        data, split: images to score the models on, as a SPEC; none where empty.
        literal: the authors' formulation is the first row.
        layers: say where the time goes.
        fresh: measure memory and first mask, in a process for each row.
        classes: names for the classes of files that were not written by onenet.
        random: the models are files, but of networks that were not trained.
    """

    sizes: tuple[int, ...] = (256,)
    runtimes: tuple[str, ...] = ()
    threads: int | None = None
    repeats: int = 10
    seconds: float = 120.0
    data: str = ""
    split: str = "test"
    literal: bool = False
    layers: bool = False
    fresh: bool = True
    random: bool = False
    classes: tuple[str, ...] = ()


def measure_latency(models: Sequence[str], wanted: Wanted, say: Say = lambda line: None) -> dict[str, Any]:
    """Measure every model in every runtime.

    Args:
        models: what onenet.bench.candidates takes: files, folders, names of networks.
        say: is told what is being done.

    Returns:
        "rows", one for each model, runtime and size, and what they were made with; ready for JSON.

    Raises:
        ConfigError, DataError: a model, a runtime or the data cannot be used.
        OneNetError: a runtime is not installed, or a model fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        candidates = find_candidates(models, wanted.runtimes, Path(folder), wanted.classes)
        if wanted.random:
            candidates = [replace(one, model=Path(one.model).name, random=True) for one in candidates]
        threads = wanted.threads or usable_cores()
        load = _load()
        scores = [_mean_iou(one, wanted, threads, say) for one in candidates]
        if wanted.literal:
            candidates, scores = [_literal(candidates, threads), *candidates], [None, *scores]
        segmenters = [open_candidate(candidate, threads) for candidate in candidates]
        _check_sizes(candidates, segmenters, wanted.sizes)
        rows: list[dict[str, Any]] = []
        rates: list[dict[str, Any]] = []
        for size in wanted.sizes:
            timed = _Timed(candidates, segmenters, size, threads, wanted, say)
            rows += [row | {"mean_iou": score} for row, score in zip(timed.rows(), scores, strict=True)]
            rates += timed.rates()
        return {
            "sizes": list(wanted.sizes), "threads": threads, "repeats": wanted.repeats, "data": wanted.data,
            "split": wanted.split if wanted.data else "", "processor": platform.processor() or platform.machine(),
            "cores": usable_cores(), "load_before": load, "load_after": _load(),
            "waiting_threads": os.environ.get("OMP_WAIT_POLICY", "").lower() or "unknown", "versions": _versions(),
            "rates": rates, "rows": rows,
        }  # fmt: skip


class _Timed:
    """All candidates at one size."""

    def __init__(
        self, candidates: Sequence[Candidate], segmenters: Sequence[Segmenter], size: int, threads: int, wanted: Wanted,
        say: Say,
    ) -> None:  # fmt: skip
        self.candidates, self.segmenters, self.size, self.threads = candidates, segmenters, size, threads
        self.wanted, self.say = wanted, lambda line: say(f"{size}x{size}: {line}")
        cards = [segmenter.card for segmenter in segmenters]
        self.photos = [photo_in_memory(card.in_channels, size, decoded=bool(card.volume)) for card in cards]
        self.arrays = [
            prepared(photo, segmenter.card) for photo, segmenter in zip(self.photos, segmenters, strict=True)
        ]
        self.fresh = [self._fresh(one, photo) for one, photo in zip(candidates, self.photos, strict=True)]
        self.products = _reference_products(threads)
        photos = [_photo_to_mask(segmenter, photo) for segmenter, photo in zip(segmenters, self.photos, strict=True)]
        functions = [*photos, *map(timed, self.products.values())]
        times = in_turns(functions, wanted.repeats, wanted.seconds, self.say)
        rounds, others = times[: len(photos)], times[len(photos) :]
        self.photo_ms = [[whole for whole, _ in one] for one in rounds]
        self.model_ms = [[model for _, model in one] for one in rounds]
        self.product_ms = {key: [ms for (ms,) in one] for key, one in zip(self.products, others, strict=True)}

    def _fresh(self, candidate: Candidate, photo: Photo) -> dict[str, float]:
        if not self.wanted.fresh:
            return {}
        self.say(f"a fresh process for {candidate.model} in {candidate.runtime}")
        found = measure_fresh(candidate, photo, self.threads)
        return {"first_mask_seconds": round(found.first_mask, 3), "peak_mb": round(found.peak_bytes / 1e6, 1)}

    def rates(self) -> list[dict[str, Any]]:
        """Reference products as they were computed in the same rounds."""
        return [
            {
                "runtime": runtime, "precision": precision, "shape": list(LARGE), "image_size": self.size,
                "ms": spread(times), "gops": round(operations(LARGE) / statistics.median(times) / 1e6, 1),
            }
            for (runtime, precision), times in self.product_ms.items()
        ]  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """A row for each candidate."""
        return [self._row(place) for place in range(len(self.candidates))]

    def _row(self, place: int) -> dict[str, Any]:
        candidate, segmenter = self.candidates[place], self.segmenters[place]
        model_ms, photo_ms = self.model_ms[place], self.photo_ms[place]
        description = getattr(segmenter.runner, "description", None)
        form = "literal" if candidate.literal else description.form if description else "torch"
        precision = description.precision if description else "float"
        work = work_of(segmenter.card, candidate.file, (self.size, self.size))
        row: dict[str, Any] = {
            "model": candidate.model, "architecture": segmenter.card.architecture,
            "form": f"{form} rows" if description and description.input == "pixels" else form,
            "precision": precision, "runtime": candidate.runtime,
            "weights": "random" if candidate.random else "trained", "megabytes": round(candidate.megabytes, 3),
            "size": self.size, "threads": self.threads, "rounds": len(model_ms), "ms": spread(model_ms),
            "photo_ms": spread(photo_ms), "images_per_second": round(1000 / statistics.median(photo_ms), 2),
            "times_as_fast": round(times_as_fast(self.model_ms[0], model_ms), 3),
            "times_as_fast_at_best": round(min(self.model_ms[0]) / min(model_ms), 3),
            "times_as_fast_photo": round(times_as_fast(self.photo_ms[0], photo_ms), 3),
            **self.fresh[place], **self._shares(work, precision, model_ms),
        }  # fmt: skip
        if self.wanted.layers:
            self.say(f"where the time of {candidate.model} in {candidate.runtime} goes")
            row["layers"] = where_time_goes(candidate, segmenter, self.arrays[place], self.threads)
        return row

    def _shares(self, work: Work | None, precision: str, times: Sequence[float]) -> dict[str, float | None]:
        """How much is computed, how fast, and which share of the products' rates that is."""
        unknown = dict.fromkeys(("gops", "gops_per_second", "share_of_rate", "own_rate", "share_of_own_rate"))
        if work is None or precision not in PRECISIONS:
            return unknown
        reached = work.operations / statistics.median(times) / 1e6
        known = unknown | {"gops": round(work.operations / 1e9, 6), "gops_per_second": round(reached, 1)}
        references = [found for (_, kind), found in self.product_ms.items() if kind == precision]
        if not references:
            return known
        best = min(references, key=statistics.median)
        ratio = times_as_fast(best, times)  # in the same rounds
        self.say(f"products of the size of its own, {precision}")
        own = own_rate(work.products, precision, self.threads) / 1e9
        return known | {
            "share_of_rate": round(ratio * work.operations / operations(LARGE), 3),
            "own_rate": round(own, 1), "share_of_own_rate": round(reached / own, 3),
        }  # fmt: skip


def _photo_to_mask(segmenter: Segmenter, photo: Photo) -> Timed:
    """Draws a mask of a photo; gives the seconds that this takes, and those of them that the network takes."""
    watch = _Watch(segmenter.runner)

    def call() -> tuple[float, float]:
        watch.seconds, started = 0.0, time.perf_counter()
        segmenter(photo).mask  # noqa: B018
        return time.perf_counter() - started, watch.seconds

    return call


class _Watch:
    """How long the runs of a runner take, added up: a large image is several runs."""

    def __init__(self, runner: Runner) -> None:
        self._run, self.seconds = runner.run, 0.0
        runner.run = self.run  # type: ignore[method-assign]

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        started = time.perf_counter()
        logits = self._run(images)
        self.seconds += time.perf_counter() - started
        return logits


def _reference_products(threads: int) -> dict[tuple[str, str], Callable[[], None]]:
    """By runtime and precision; none where onnx, which writes their graphs, is not installed."""
    if not find_spec("onnx"):
        return {}
    there = [runtime for runtime in RUNTIMES if installed(runtime)]
    return {
        (runtime, precision): ready_product(LARGE, precision, runtime, threads)
        for runtime in there
        for precision in PRECISIONS
    }


def _literal(candidates: Sequence[Candidate], threads: int) -> Candidate:
    """The authors' formulation with the sizes of the first onenet-ed there is."""
    cards = (open_candidate(candidate, threads).card for candidate in candidates)
    return literal_candidate(next((card for card in cards if card.architecture.startswith("onenet-ed")), None))


def _check_sizes(candidates: Sequence[Candidate], segmenters: Sequence[Segmenter], sizes: Sequence[int]) -> None:
    for candidate, segmenter in zip(candidates, segmenters, strict=True):
        stride = segmenter.card.stride
        wrong = next((size for size in sizes if candidate.literal and size % stride), None)
        if wrong is not None:
            raise ConfigError(f"--size {wrong}: the literal form takes multiples of {stride} only; use "
                              f"{-(-wrong // stride) * stride}")  # fmt: skip


def _mean_iou(candidate: Candidate, wanted: Wanted, threads: int, say: Say) -> float | None:
    """Of a trained model in its runtime, on the images' own scale."""
    if not wanted.data or candidate.random:
        return None
    import onenet
    from onenet.metrics.evaluation import score
    from onenet.scoring import open_spec

    say(f"scoring {candidate.model} in {candidate.runtime}")
    segmenter = onenet.Segmenter(candidate.path, candidate.runtime, threads, candidate.classes)
    card = segmenter.card
    dataset, _ = open_spec(card, wanted.data)
    report = score(segmenter, dataset.samples(wanted.split), card, dataset.name, wanted.split)
    return round(report.mean_iou, 5)


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _versions() -> dict[str, str]:
    """Of what computes."""
    found = {}
    for name in ("onenet-seg", "numpy", "torch", *RUNTIMES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
