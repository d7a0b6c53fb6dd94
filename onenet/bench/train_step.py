"""A training step of onenet-ed-4 against its literal formulation, in turns in one process."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onenet.bench.literal import LiteralOneNet
from onenet.models.catalog import create_model
from onenet.training.machine import gains_by_bf16

CLASSES = 3


def compare(batch: int = 8, size: int = 128, repeats: int = 7, threads: int | None = None) -> dict[str, Any]:
    """Time one step (forward, cross-entropy, backward, AdamW) of each form, interleaved, after one warm-up round.

    The bf16 forms are left out where `train.precision=auto` would not take bf16, either.

    Returns:
        Rows with the median, minimum and maximum in ms, and the median over rounds of literal time / form time.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(batch, 3, size, size, generator=generator)
    mask = torch.randint(0, CLASSES, (batch, size, size), generator=generator)
    builds: dict[str, tuple[Callable[[], nn.Module], torch.memory_format]] = {
        "literal: flattened, strided Conv1d": (
            lambda: LiteralOneNet(CLASSES, spatial_kernel=0),
            torch.contiguous_format,
        ),
        "onenet-ed-4, channels first": (_ours, torch.contiguous_format),
        "onenet-ed-4": (_ours, torch.channels_last),  # as `onenet train` runs it
    }
    precisions = {"float32": False, "bf16": True} if gains_by_bf16("cpu") else {"float32": False}
    forms = {
        (name, precision): _step(build(), image, mask, bf16, layout)
        for precision, bf16 in precisions.items()
        for name, (build, layout) in builds.items()
    }
    seconds: dict[tuple[str, str], list[float]] = {form: [] for form in forms}
    for round_ in range(repeats + 1):
        for form, step in forms.items():
            started = time.perf_counter()
            step()
            if round_:
                seconds[form].append(time.perf_counter() - started)
    peer = next(iter(seconds.values()))
    rows = [
        {
            "form": form,
            "precision": precision,
            "median_ms": round(1000 * statistics.median(times), 1),
            "min_ms": round(1000 * min(times), 1),
            "max_ms": round(1000 * max(times), 1),
            "speedup": round(statistics.median(a / b for a, b in zip(peer, times, strict=True)), 2),
        }
        for (form, precision), times in seconds.items()
    ]
    return {"batch": batch, "size": size, "repeats": repeats, "threads": torch.get_num_threads(), "rows": rows}


def _ours() -> nn.Module:
    return create_model("onenet-ed-4", num_classes=CLASSES)


def _step(model: nn.Module, image: Tensor, mask: Tensor, bf16: bool, layout: torch.memory_format) -> Callable[[], None]:
    model, image = model.to(memory_format=layout), image.to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(image)
        F.cross_entropy(logits.float(), mask).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
