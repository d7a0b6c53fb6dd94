"""How long a training step takes in float32 and in bf16 on this processor: python docs/results/bf16_steps.py

One thread, twelve images of 128x128, both precisions in turns; the least of six steps each.
"""

import time

import torch
from torch.nn import functional

from onenet.models.catalog import create_model

NETWORKS = {
    "onenet-x-n": {},
    "onenet-x-s": {},
    "onenet-ed-4": {},
    "unet-4": {},
    "unet-4,width=16": {"width": 16},
    "mobilenet-unet-4,width=16": {"width": 16},
    "dabnet": {},
    "u-lite": {},
}


def least_seconds(name: str, sizes: dict[str, int]) -> tuple[float, float]:
    """Of a step in float32 and in bf16."""
    model = create_model(name, num_classes=3, **sizes).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters())
    images = torch.rand(12, 3, 128, 128).contiguous(memory_format=torch.channels_last)
    masks = torch.randint(0, 3, (12, 128, 128))
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(7):
        for bf16, seconds in found.items():
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = model(images)
            optimiser.zero_grad()
            functional.cross_entropy(logits.float(), masks).backward()
            optimiser.step()
            seconds.append(time.perf_counter() - began)
    return min(found[False][1:]), min(found[True][1:])


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| network | float32, s | bf16, s | bf16 / float32 |\n|---|---:|---:|---:|")
    for shown, sizes in NETWORKS.items():
        full, half = least_seconds(shown.partition(",")[0], sizes)
        print(f"| {shown} | {full:.2f} | {half:.2f} | {half / full:.2f} |", flush=True)
