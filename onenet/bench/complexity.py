"""Parameters, operations and activations of a network, as the paper's Table 2 counts them and as they are.

The paper's figures come from torchinfo: "mult-adds" are, for every module that holds parameters, the parameters
(biases too) times the places of its output, so that a 2x2 transposed convolution counts four times what it
computes; FLOPs are twice that. "Memory" is the outputs of these modules, 4 bytes each, times two for the backward
pass. The true figure beside it is 2 x multiply-adds of the convolutions (torch's FlopCounterMode).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from onenet.models.backbones import ResNetEncoder
from onenet.models.catalog import create_model
from onenet.models.network import Network


@dataclass(frozen=True)
class Complexity:
    """Figures of one network at one input size.

    Attributes:
        parameters: of what runs.
        unused: of what the paper's row counts besides: the authors' unused heads, ResNet's 1000-class layer.
        flops_paper: as the paper counts them.
        flops: 2 x multiply-adds of the convolutions.
        activations: bytes, as the paper counts them.
    """

    parameters: int
    unused: dict[str, int]
    flops_paper: int
    flops: int
    activations: int

    @property
    def parameters_paper(self) -> int:
        return self.parameters + sum(self.unused.values())

    @property
    def megabytes(self) -> float:
        """Of the parameters that run, 4 bytes each, in 1e6 bytes."""
        return self.parameters * 4 / 1e6


def measure(build: Callable[[], Network], size: tuple[int, int] = (256, 256)) -> Complexity:
    """Count a network for one image of `size`; nothing is computed (torch's meta device), so any size is quick."""
    with torch.device("meta"):
        model = build().eval()
        image = torch.zeros(1, model.in_channels, *size)
    adds, outputs = [0], [0]

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        places = output.shape[0] * prod(output.shape[2:]) if isinstance(module, _CONVS) else output.shape[0]
        adds[0] += sum(p.numel() for p in module.parameters(recurse=False)) * places
        outputs[0] += output.numel()

    for module in model.modules():
        if any(True for _ in module.parameters(recurse=False)):
            module.register_forward_hook(count)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(image)
    parameters = sum(p.numel() for p in model.parameters())
    return Complexity(parameters, _unused(model), 2 * adds[0], counter.get_total_flops(), 2 * 4 * outputs[0])


_CONVS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def _unused(model: Network) -> dict[str, int]:
    """What the paper's "# Param" holds although it never runs; nothing for networks that are not in its table."""
    card = model.card
    assert card is not None
    if not {"depth", "layers"} & card.arguments.keys():
        return {}
    head = next(m for m in model.head.modules() if isinstance(m, nn.Conv2d))
    per_channel = head.weight[:, 0].numel()
    if isinstance(model.encoder, ResNetEncoder):  # one level more
        channels = model.encoder.channels[:-1]
        classifier = 1000 * (model.encoder.channels[-1] + 1)
    else:
        width, depth, one_d = card.arguments["width"], card.arguments["depth"], card.arguments.get("replaced") == "ed"
        channels = [width * 2 ** (i if one_d else i - 1) for i in range(2, depth + 1)]
        classifier = 0
    heads = sum(per_channel * c + head.out_channels for c in channels)
    unused = {"unused heads": heads}
    return unused | {"classifier": classifier} if classifier else unused


@dataclass(frozen=True)
class Row:
    """A row of Table 2: what to build, and what the paper prints (parameters in M, MB, FLOPs in G, memory in MB)."""

    label: str
    model: str
    sizes: dict[str, Any]
    paper: tuple[float, float, float, float] | None
    remark: str = ""


TABLE_2 = (
    Row("U-Net_4", "unet-4", {}, (31.04, 124.03, 104.72, 509.61)),
    Row("U-Net_5", "unet-5", {}, (124.42, 497.41, 130.80, 524.29)),
    Row("ResNet_34", "resnet34-unet", {}, (25.05, 98.07, 29.40, 241.17)),
    Row("ResNet_50", "resnet50-unet", {}, (74.07, 287.83, 84.98, 450.36)),
    Row("MobileNet", "mobilenet-unet-4", {}, (14.40, 57.47, 83.96, 671.09), "U-Net with separable convolutions"),
    Row("OneNet_e,4", "onenet-e-4-spatial", {}, (16.39, 65.42, 78.42, 639.63)),
    Row("OneNet_e,5", "onenet-e-5-spatial", {}, (65.73, 262.63, 98.82, 656.41)),
    Row("OneNet_ed,4", "onenet-ed-4-spatial", {}, (9.08, 36.30, 22.92, 799.01), "the paper mixes two variants here"),
    Row("OneNet_ed,4 mixed", "onenet-ed-4-spatial", {"spatial_in": "decoder"}, (9.08, 36.30, 22.92, 799.01),
        "spatial convolution in the decoder only: what the paper's row is"),
    Row("OneNet_ed,5", "onenet-ed-5-spatial", {}, (36.38, 145.47, 39.00, 885.00), "39.00 is a misprint of 29.00"),
    Row("OneNet_e,4-C", "onenet-e-4", {}, None, "without the spatial convolution; not in Table 2"),
    Row("OneNet_ed,4-C", "onenet-ed-4", {}, None, "without the spatial convolution; not in Table 2"),
)  # fmt: skip


def table2(size: tuple[int, int] = (256, 256), num_classes: int = 4) -> list[dict[str, Any]]:
    """Table 2 of the paper, counted anew: one dictionary per row, ready for JSON. Defaults are the paper's (k = 4)."""
    rows = []
    for row in TABLE_2:
        cost = measure(lambda row=row: create_model(row.model, num_classes=num_classes, **row.sizes), size)  # type: ignore[misc]
        paper = dict(zip(("parameters_m", "mb", "gflops", "memory_mb"), row.paper, strict=True)) if row.paper else None
        rows.append(
            {
                "row": row.label,
                "model": row.model,
                "sizes": row.sizes,
                "parameters": cost.parameters,
                "unused": cost.unused,
                "parameters_as_paper": cost.parameters_paper,
                "mb": round(cost.megabytes, 2),
                "gflops_as_paper": round(cost.flops_paper / 1e9, 2),
                "gflops_true": round(cost.flops / 1e9, 2),
                "memory_mb": round(cost.activations / 1e6, 2),
                "paper": paper,
                "remark": row.remark,
            }
        )
    return rows
