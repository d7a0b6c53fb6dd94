"""Trials of OneNet-X on validation images that are no part of the package: docs/notebook.md has their figures.

python docs/results/x_trials.py SET DATA FOLDER KIND [KEY=VALUE...]

SET is pet, camvid, msrc, pet-binary or nuclei, DATA its folder. KIND:

plain    the network as it is, onenet-x-s or model.name=NAME; model.name=onenet-x-m is the teacher
pixelwise, undilated  model.name=dabnet with 1x1 for its modules' 3x3 convolutions, or without dilation
shift    for each strip block 2x2 places are unshuffled, mixed and shuffled back, in every other block on a grid that is
         rolled by one place: matrix products only
taught   beside the labels by the runs of onenet-x-m that FOLDER has

Prints the mean IoU and the cross-entropy on the validation images and the minutes that it took.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import onenet
from onenet.config import load_config
from onenet.models import dabnet, onenet_x
from onenet.study.plan import load_plan
from onenet.training import learner

RECIPE = (
    "data.cache=memory", "train.ema=0.99", "train.validate_every=1000", "model.name=onenet-x-s",
    "train.learning_rate=6e-3", "train.examples=0",
)  # fmt: skip
SETS = {one.name: one.overrides for one in load_plan("pareto", "cpu").sets}  # as the small comparison reads them


def main() -> None:
    """Train and score one network."""
    of_set, data, folder, kind, *changes = sys.argv[1:]
    if kind == "shift":
        onenet_x.StripBlock = ShiftBlock  # type: ignore[misc]
    elif kind == "undilated":
        dabnet._FIRST, dabnet._SECOND = (1,) * 3, (1,) * 6
    elif kind == "pixelwise":
        dabnet.DABModule = PixelwiseModule  # type: ignore[misc]
    elif kind == "taught":
        teach([onenet.load(run).eval() for run in sorted(Path(folder).glob(f"{of_set}-plain-*onenet-x-m*"))])
    started = time.perf_counter()
    trial = "-".join([of_set, kind, *changes]).replace("=", "-").replace("|", "_")
    config = load_config("default", [*RECIPE, *SETS[of_set], f"data.root={data}", *changes])
    run = onenet.train(config, Path(folder) / trial)
    report = onenet.evaluate(run, f"{config.data.format}:{data}", split="val").report
    print(json.dumps({
        "trial": trial, "mean_iou": round(report.mean_iou, 4), "cross_entropy": round(report.cross_entropy, 4),
        "minutes": round((time.perf_counter() - started) / 60, 1),
    }))  # fmt: skip


class PixelwiseModule(dabnet.DABModule):
    """A DAB module that enters by a 1x1 convolution."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__(channels, dilation)
        self.enter[1] = dabnet.conv(channels, channels // 2, kernel=1)


class ShiftBlock(nn.Module):
    """In the place of a strip block, with as many multiply-adds."""

    count = itertools.count()

    def __init__(self, channels: int, strips: onenet_x.Strips, expansion: int) -> None:
        super().__init__()
        self.rolled = 1 - next(ShiftBlock.count) % 2
        self.widen = nn.Sequential(*onenet_x.conv_norm_act(4 * channels, expansion * channels, kernel=1))
        self.narrow = nn.Sequential(*onenet_x.conv_norm_act(expansion * channels, 4 * channels, kernel=1)[:2])
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        by = self.rolled
        whole = F.pad(x, (by, by + w % 2, by, by + h % 2))
        mixed = F.pixel_shuffle(self.narrow(self.widen(F.pixel_unshuffle(whole, 2))), 2)
        return self.act(x + mixed[:, :, by : by + h, by : by + w])


def teach(teachers: list[nn.Module]) -> None:
    """Let every step learn from the teachers' mean softmax on the same images, too."""
    if not teachers:
        sys.exit("no runs of onenet-x-m in FOLDER; make one with: plain model.name=onenet-x-m")

    def gradients(self: learner.Learner, image: Tensor, mask: Tensor, loss: nn.Module, share: float) -> float:
        image = image.contiguous(memory_format=self.layout)
        logits = self.model(image)
        value = loss(logits, mask)
        with torch.no_grad():
            soft = torch.stack([teacher(image).softmax(1) for teacher in teachers]).mean(0)
        counted = (mask != 255).float()
        apart = -(soft * logits.float().log_softmax(1)).sum(1)
        self.fabric.backward((value + (apart * counted).sum() / counted.sum()) * share)
        return value.item()

    learner.Learner.gradients = gradients  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
