"""A heart (MSD) from NIfTI to NIfTI: seconds of the whole command, on two threads.

python docs/results/volume_times.py DATA FOLDER

DATA holds msd/Task02_Heart. The networks are trained for a few minutes first (runs that FOLDER has are kept), so that
INT8 is calibrated on what it meets; what they score is not the question here. Prints JSON, for record.py.
"""

import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NETWORKS = ("onenet-ed-4", "onenet-x-s")
FILES = ("model.onnx", "model.int8.onnx")
SCAN = "imagesTr/la_s01.nii.gz"
REPEATS = 3


def main() -> None:
    """Train and export what is missing, then time every file in turns."""
    heart, folder = Path(sys.argv[1]) / "msd" / "Task02_Heart", Path(sys.argv[2])
    waiting = {name: trained(name, heart, folder / name) for name in NETWORKS}
    seconds: dict[tuple[str, str], list[float]] = {(name, file): [] for name in NETWORKS for file in FILES}
    for _ in range(REPEATS):
        for (name, file), found in seconds.items():
            started = time.perf_counter()
            words = ["--threads", "2", "--out", folder / "masks", "--save", "mask"]
            command("predict", folder / name / file, heart / SCAN, *words)
            found.append(round(time.perf_counter() - started, 2))
    rows = [
        {
            "network": name, "file": file, "seconds": statistics.median(found), "all": found,
            "network_share": network_share(folder / name / file, heart / SCAN), "waiting_in_training": waiting[name],
        }
        for (name, file), found in seconds.items()
    ]  # fmt: skip
    print(json.dumps({"shape": shape_of(heart / SCAN), "rows": rows}))


def trained(name: str, heart: Path, run: Path) -> float:
    """Share of the time for which training waited for slices, in the last epoch of a run that is exported, too."""
    if not (run / FILES[-1]).is_file():
        data = f"msd:{heart},axis=2,test=0.28"
        words = [f"model.name={name}", "train.samples=160", "train.epochs=3", "train.validate_every=3"]
        begun = ["--resume"] if (run / "config.toml").is_file() else []
        command("train", "volumes", "--data", data, *words, "--out", run, *begun)
        command("export", run, "--to", "onnx,int8", "--max-drop", "100")
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        return float(list(csv.DictReader(file))[-1]["waiting"])


def network_share(file: Path, scan: Path) -> float:
    """Share of the network in the time from file to file, in this process."""
    import onenet
    from onenet.deploy.volume import segment_volume
    from onenet.volumes import nifti_bytes, read_volume

    started, inside = time.perf_counter(), 0.0
    segmenter = onenet.Segmenter(file, threads=2)
    run = segmenter.runner.run

    def timed(images: Any) -> Any:
        nonlocal inside
        begun = time.perf_counter()
        logits = run(images)
        inside += time.perf_counter() - begun
        return logits

    segmenter.runner.run = timed  # type: ignore[method-assign]
    volume = read_volume(scan)
    nifti_bytes(segment_volume(segmenter, volume), volume)
    return round(inside / (time.perf_counter() - started), 3)


def shape_of(scan: Path) -> list[int]:
    """How many voxels along each axis."""
    from onenet.volumes import read_header

    return list(read_header(scan)[0])


def command(*words: object) -> None:
    """Run a command in a process of its own, and show what it says beside the result."""
    subprocess.run([sys.executable, "-m", "onenet", *map(str, words)], check=True, stdout=sys.stderr)


def table(result: dict) -> str:
    """Markdown."""
    lines = [
        "| network | file | seconds | in the network | waiting for slices in training |",
        "|---|---|---:|---:|---:|",
    ]
    for row in result["rows"]:
        waited = f"{100 * row['waiting_in_training']:.1f} %"
        span = f"{min(row['all']):.1f} to {max(row['all']):.1f}"
        inside = f"{100 * row['network_share']:.0f} %"
        lines.append(f"| {row['network']} | {row['file']} | {row['seconds']:.1f} ({span}) | {inside} | {waited} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
