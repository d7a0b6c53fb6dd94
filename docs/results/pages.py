"""What README.md and docs/findings.md say between their markers, from the records and from the models' cards."""

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.deploy.description import CARD
from onenet.deploy.onnx_metadata import read_metadata
from onenet.metrics.bootstrap import mean_interval
from onenet.study.grid import mean_iou, to_markdown
from onenet.weights import shipped_file, shipped_names

HERE = Path(__file__).parent
SETS = {
    "pet": "pets", "nuclei": "nuclei", "camvid": "CamVid", "pet-binary": "pets against background", "msrc": "MSRC",
}  # fmt: skip
RUNTIMES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}


def read(name: str) -> dict[str, Any]:
    """A record."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def quickest(result: dict[str, Any], start: str, precision: str, size: int) -> dict[str, Any]:
    """The fastest row of the files whose names begin so."""
    rows = [row for row in result["rows"] if row["model"].startswith(start) and row["size"] == size]
    return min((row for row in rows if row["precision"] == precision), key=lambda row: row["ms"]["median"])


def speed_markdown() -> str:
    """The fastest exported file of each network, in float and INT8, beside the authors' formulation."""
    result = read("latency")["result"]
    size = result["sizes"][0]
    first = next(row for row in result["rows"] if row["size"] == size)
    lines = ["| network | float, ms | INT8, ms | INT8 file, MB | INT8: times as fast as the authors' onenet-ed-4 |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name in ("onenet-ed-4", "onenet-e-4", "mobilenet-unet-4", "unet-4"):
        exact, integers = (quickest(result, f"{name}.", precision, size) for precision in ("float", "int8"))
        cells = (
            name, f"{exact['ms']['median']:.0f}", f"{integers['ms']['median']:.0f}", f"{integers['megabytes']:.1f}",
            f"{integers['times_as_fast']:.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    authors = f"{first['ms']['median']:.0f}"
    about = (
        f"{size}x{size}, {result['threads']} threads of {read('latency')['processor']}, one run, width 64, random "
        "weights; for each network its fastest form and runtime. The authors' onenet-ed-4, which takes "
        f"{authors} ms, is their formulation word for word, in float in torch, with the spatial convolutions of their "
        "code; the others have none"
    )
    ours, theirs = int8_ms("onenet-x-s")["openvino"], int8_ms("unet-4")["openvino"]
    about += (
        f". `onenet-x-s`, the default, was timed on another day: {ours:.1f} ms, INT8, where unet-4 took {theirs:.0f}"
    )
    return "\n".join(["", *lines, "", f"{about} ([which network](docs/edge.md#which-network)).", ""])


def x_s_line() -> str:
    """What onenet-x-s costs and where it leads."""
    cells = read("pareto-cpu")["result"]["cells"]
    cell = next(cell for cell in cells if cell["model"] == "onenet-x-s")
    ours, paper, narrow = (int8_ms(name) for name in ("onenet-x-s", "unet-4", "unet-4,width=16"))
    one, other = RUNTIMES
    by_paper = {key: f"{paper[key] / ours[key]:.0f}" for key in RUNTIMES}
    by_narrow = {key: f"{narrow[key] / ours[key]:.1f}" for key in RUNTIMES}
    return (
        f"`onenet-x-s` has {cell['parameters'] / 1e6:.2f} million parameters and an INT8 file of "
        f"{cell['files']['megabytes']:.1f} MB, in {RUNTIMES[one]} {by_paper[one]} times as fast as that of the paper's "
        f"U-Net and {by_narrow[one]} times as fast as that of one of width 16 (in {RUNTIMES[other]} {by_paper[other]} "
        f"and {by_narrow[other]}). Its lead over the best network of others, in points of mean IoU of INT8 files on "
        f"test images: {leads(cells)}"
    )


def train_minutes_line() -> str:
    """How long onenet-x-s takes to train on a set of photos."""
    cells = [c for c in read("pareto-cpu")["result"]["cells"] if (c["set"], c["model"]) == ("pet", "onenet-x-s")]
    minutes, first = statistics.median(cell["train_minutes"] for cell in cells), cells[0]
    return (
        f"{first['images']['train']} photos at {first['size'][0]} pixels, {first['epochs']} epochs: "
        f"{minutes:.0f} minutes on one core of a server with AVX-512."
    )


def leads(cells: list[dict[str, Any]]) -> str:
    """How far onenet-x-s is ahead, on each set, of the best network that is not OneNet-X, in INT8 and in float."""
    parts = []
    for one in dict.fromkeys(cell["set"] for cell in cells):
        integers, exact = {}, {}
        for model in dict.fromkeys(cell["model"] for cell in cells):
            own = [cell for cell in cells if (cell["set"], cell["model"]) == (one, model)]
            integers[model] = statistics.mean(cell["files"]["mean_iou"] for cell in own)
            exact[model] = statistics.mean(cell["mean_iou"] for cell in own)
        (lead, best), (in_float, best_in_float) = lead_over(integers), lead_over(exact)
        seeds = min(sum((cell["set"], cell["model"]) == (one, name) for cell in cells) for name in ("onenet-x-s", best))
        count = "one seed" if seeds == 1 else f"{seeds} seeds"
        over = f" over {best_in_float}" if best_in_float != best else ""
        parts.append(f"{SETS[one]} {lead} over {best} ({count}; in float {in_float}{over})")
    return ", ".join(parts)


def lead_over(scores: dict[str, float]) -> tuple[str, str]:
    """By how many points onenet-x-s is ahead of the best network that is not OneNet-X, and which that is."""
    best = max((model for model in scores if not model.startswith("onenet-x")), key=lambda model: scores[model])
    return f"{100 * (scores['onenet-x-s'] - scores[best]):+.1f}", best


def full_size_line() -> str:
    """The first network of the family beside DABNet at full width and size."""
    result = read("pareto-gpu25")["result"]
    cells = {cell["model"]: cell for cell in result["cells"] if cell["set"] == "camvid-train-and-val"}
    light, ours = (
        f"{cell['mean_iou']:.3f} (as INT8 {cell['files']['mean_iou']:.3f})"
        for cell in (cells["dabnet"], cells["onenet-x-s-decoder"])
    )
    return (
        f"on CamVid after {cells['dabnet']['epochs']} epochs, one seed, DABNet has a mean IoU of {light} and the first "
        f"network of this family {ours}; the present one was not trained at that size"
    )


def order_markdown() -> str:
    """Mean IoU of the paper's networks on each set, a column per network."""
    names = ("onenet-ed-4", "onenet-e-4", "unet-4", "mobilenet-unet-4")
    lines = [f"| set | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for name in ("pet-small", "camvid", "msrc", "nuclei"):
        cells = read(name)["result"]["cells"]
        reports = [[cell["report"] for cell in cells if cell["model"] == model] for model in names]
        lines.append(f"| {name} | {' | '.join(mean_iou(group) for group in reports)} |")
    return "\n" + "\n".join(lines) + "\n"


def hippocampus_markdown() -> str:
    """Dice and IoU of each network on the test cases of Hippocampus, and case by case how far from U-Net's."""
    cells = [cell for cell in read("table1-quick")["result"]["cells"] if cell["set"] == "hippocampus"]
    lines = ["| network | parameters, M | Dice | IoU | Dice less U-Net's |", "|---|---:|---:|---:|---:|"]
    theirs = next(dice_by_case(cell) for cell in cells if cell["model"].startswith("unet-4"))
    for cell in cells:
        mean = cell["report"]["cases"]["mean"]
        scores = (f"{one['mean']:.3f} ({one['interval'][0]:.3f} to {one['interval'][1]:.3f})"
                  for one in (mean["dice"], mean["iou"]))  # fmt: skip
        less = dice_by_case(cell) - theirs
        low, high = mean_interval(less) or (0.0, 0.0)
        apart = f"{less.mean():+.3f} ({low:+.3f} to {high:+.3f})" if less.any() else "-"
        lines.append(f"| {cell['model']} | {cell['parameters'] / 1e6:.2f} | {' | '.join(scores)} | {apart} |")
    count = cells[0]["images"]
    about = f"{count['test']} test cases, {count['train']} to train, {cells[0]['epochs']} epochs, one seed; mean over "
    return "\n".join(["", *lines, "", about + "cases and classes, with the 95 % interval of drawing cases again.", ""])


def dice_by_case(cell: dict[str, Any]) -> NDArray[np.float64]:
    """Mean Dice over the classes of each case."""
    cases = cell["report"]["cases"]["per_case"]
    return np.array([np.mean([one["dice"] for one in case["classes"]]) for case in cases])


def int8_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a network's INT8 file in the table of OneNet-X beside U-Net."""
    rows = read("latency-x")["result"]["rows"]
    return [row for row in rows if row["precision"] == "int8" and row["model"].startswith(f"{file_stem(name)}.")]


def int8_ms(name: str) -> dict[str, float]:
    """Milliseconds of that file by runtime."""
    return {row["runtime"]: row["ms"]["median"] for row in int8_rows(name)}


def file_stem(name: str) -> str:
    """What files of NAME[,key=value...] are called."""
    return name.replace(",", "-").replace("=", "-")


def choice_markdown() -> str:
    """What the sizes of OneNet-X cost and score, beside U-Net: times of one run, scores of the small comparison."""
    record, cells = read("latency-x"), read("pareto-cpu")["result"]["cells"]
    head = ["network", "parameters, M", "INT8 file, MB", *(f"{runtime}, ms" for runtime in RUNTIMES.values())]
    head += ["pets, mean IoU", "seeds"]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for name in ("onenet-x-n", "onenet-x-s", "onenet-x-m", "unet-4,width=16", "unet-4"):
        ms, megabytes = int8_ms(name), int8_rows(name)[0]["megabytes"]
        own = [cell for cell in cells if (cell["set"], cell["model"]) == ("pet", name)]
        score = f"{statistics.mean(cell['files']['mean_iou'] for cell in own):.3f}" if own else "-"
        parameters = next(cell["parameters"] for cell in cells if cell["model"] == name) / 1e6
        shown = (
            name, f"{parameters:.2f}", f"{megabytes:.1f}", *(f"{ms[key]:.1f}" for key in RUNTIMES), score, f"{len(own)}"
        )  # fmt: skip
        lines.append(f"| {' | '.join(shown)} |")
    result = record["result"]
    size, threads = result["sizes"][0], result["threads"]
    about = f"INT8 files at {size}x{size}, {threads} threads of {record['processor']}, random weights; "
    about += "only ratios within this table hold, for the machine is shared and not always as fast; "
    epochs = next(cell["epochs"] for cell in cells if cell["set"] == "pet")
    about += f"scores of the small comparison, whose {epochs} epochs are too few for U-Net."
    return "\n".join(["", *lines, "", about, ""])


def spatial_markdown() -> str:
    """Mean IoU of the readings of the spatial convolution, and of the other half replaced."""
    cells = read("table3-quick")["result"]["cells"]
    lines = ["| network | parameters, M | mean IoU |", "|---|---:|---:|"]
    for cell in cells:
        low, high = cell["report"]["confidence_intervals"]["mean_iou"]
        score = f"{cell['report']['mean_iou']:.3f} ({low:.3f} to {high:.3f})"
        lines.append(f"| {cell['model']} | {cell['parameters'] / 1e6:.2f} | {score} |")
    return "\n" + "\n".join(lines) + "\n"


def shipped_markdown() -> str:
    """The models that come with the package, by the cards in their files."""
    lines = [
        "| model | what it knows | INT8 file, MB | score on what it was not taught with, and as INT8 | licence |",
        "|---|---|---:|---|---|",
    ]
    integers = {row["model"]: row["int8"] for row in read("shipped")["result"]["rows"]}
    for name in shipped_names():
        file = shipped_file(name, for_device=True)
        assert file is not None
        card = Card.from_json(read_metadata(file)[CARD], name)
        test = card.scores["test"]
        if "cases" in test:
            dice, count = test["cases"]["mean"]["dice"]["mean"], test["cases"]["cases"]
            score = f"Dice {dice:.2f}, INT8 {integers[name]:.2f}, mean of {count} volumes"
        else:
            low, high = test["confidence_intervals"]["foreground_iou"]
            score = f"IoU {test['foreground_iou']:.3f} ({low:.3f} to {high:.3f}), INT8 {integers[name]:.3f}, "
            score += f"{test['images']} images"
        size = f"{file.stat().st_size / 1e6:.1f}"
        lines.append(f"| `{name}` | {card.about['knows']} | {size} | {score} | {card.about['licence']} |")
    others = next(row["object_iou"] for row in read("few-untrained")["result"]["rows"] if row["set"] == "animals")
    lines += ["", "Scores are on images like those they were taught with; that of `pet` is of three breeds. On "
              "photos of cows, horses, sheep, cats, dogs and birds (MSRC) its IoU, in float, is "
              f"{others:.2f}."]  # fmt: skip
    return "\n" + "\n".join(lines) + "\n"


def readme_lines() -> dict[str, str]:
    """What README.md says between its markers."""
    record = read("demo")
    demo, nucleus = record["result"], record["result"]["classes"][1]
    return {
        "demo-score": f"IoU {nucleus['iou']:.3f} (Dice {nucleus['dice']:.3f}) for nuclei on {demo['images']} images",
        "demo-minutes": f"{record['seconds'] / 60:.1f} minutes",
        "pet-small": "\n" + to_markdown(read("pet-small")["result"]) + "\n",
        "speed": speed_markdown(),
        "full-size": full_size_line(),
        "train-minutes": train_minutes_line(),
        "x-s": x_s_line(),
        "shipped": shipped_markdown(),
    }


def edge_lines() -> dict[str, str]:
    """What docs/edge.md says between its markers."""
    return {"choice": choice_markdown()}


def findings_lines() -> dict[str, str]:
    """What docs/findings.md says between its markers."""
    return {"order": order_markdown(), "hippocampus": hippocampus_markdown(), "spatial": spatial_markdown()}
