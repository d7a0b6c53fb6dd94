"""Print how long a training step takes on this device, per network and layout in memory (docs/notebook.md).

python docs/results/gpu_steps.py [SIZE...] such as 360x480; on a GPU, with nothing beside it
"""

import sys
import time

import torch
from torch.nn.functional import cross_entropy

from onenet.models.catalog import create_model

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
NETWORKS = ("onenet-x-s", "dabnet", "unet-4", "onenet-e-4", "onenet-ed-4")
BATCH, CLASSES, WARM, STEPS = 12, 11, 3, 8


def main() -> None:
    """Print a line per network, layout and size."""
    for size in sys.argv[1:] or ["360x480"]:
        h, w = (int(length) for length in size.split("x"))
        for name in NETWORKS:
            for layout in LAYOUTS:
                step, host = seconds(name, layout, (h, w))
                print(f"{size} {name:12} {layout:15} {1e3 * step:7.1f} ms a step, host {1e3 * host:7.1f} ms, "
                      f"{BATCH / step:6.0f} images/s", flush=True)  # fmt: skip


def seconds(name: str, layout: str, size: tuple[int, int]) -> tuple[float, float]:
    """Seconds of a step in bf16 with AdamW, and those until the host had launched it."""
    torch.manual_seed(0)
    network = create_model(name, num_classes=CLASSES).to(DEVICE, memory_format=LAYOUTS[layout]).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    image = torch.rand(BATCH, 3, *size, device=DEVICE).contiguous(memory_format=LAYOUTS[layout])
    mask = torch.randint(0, CLASSES, (BATCH, *size), device=DEVICE)

    def step() -> None:
        with torch.autocast(DEVICE, torch.bfloat16):
            logits = network(image)
        cross_entropy(logits.float(), mask).backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(WARM):
        step()
    wait()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    launched = time.perf_counter() - began
    wait()
    return (time.perf_counter() - began) / STEPS, launched / STEPS


def wait() -> None:
    """Until the device has done what it was told."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
