"""The folder of a run: it tells its story alone.

config.toml        every key of the run; `onenet train config.toml` repeats it
environment.json   versions and machine
log.csv            a line per epoch
model.safetensors  the best weights with their card
last.ckpt          all that is needed to go on after an interruption
report.json/.html  the scores of the best weights, and pictures
examples/          some validation images with truth and prediction, after each validation
tensorboard/       curves, with train.tensorboard=true
"""

import csv
import io
import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import onenet
from onenet.config import Config, load_config
from onenet.errors import ConfigError, DataError
from onenet.images import SUFFIXES, atomic_write

FILES = ("config.toml", "environment.json", "log.csv", "model.safetensors", "last.ckpt", "report.json", "report.html")
COLUMNS = (
    "epoch", "train_loss", "learning_rate", "val_mean_iou", "val_foreground_iou", "val_cross_entropy",
    "seconds", "validation_seconds", "images_per_second", "waiting", "skipped",
)  # fmt: skip
_PICTURES = {"examples": "epoch-*.jpg", "tensorboard": "events.out.tfevents.*"}  # sub-folders and what we put there
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.part")  # what a kill leaves of `atomic_write`


class RunFolder:
    """Reads and writes the files of one run; each is complete or not there."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def model(self) -> Path:
        return self.path / "model.safetensors"

    def begin(self, config: Config, replaced: bool = False) -> None:
        """Write what is known before the first step; `replaced`: an earlier run's folder, by `clear_earlier`.

        Raises:
            ConfigError: the folder holds a run already.
            OneNetError: it cannot be written.
        """
        taken = ("model.safetensors", "last.ckpt") if self._was_begun() else FILES  # else it is not ours to overwrite
        present = next((name for name in taken if (self.path / name).exists()), None)
        if present:
            raise ConfigError(
                f"{self.path}: holds a run already ({present}); choose another --out, or continue it with --resume"
            )
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: is a file, not a folder; choose another --out")
        if self._was_begun():
            self._clear_pictures()
        elif not replaced:
            self._refuse_images()
        self.sweep()
        self._write_text("config.toml", config.to_toml())
        self._write_text("environment.json", json.dumps(environment(), indent=2))

    def _refuse_images(self) -> None:
        """Keep the files of a run out of a folder of photos, where its pictures would be among theirs."""
        inside = _inside(self.path)
        found = next((path.name for path in inside if path.suffix.lower() in SUFFIXES and path.suffix != ".npy"), None)
        if found or any((path / "images").is_dir() for path in (self.path, *inside)):
            why = f"holds images ({found})" if found else "holds folders of images"
            raise ConfigError(f"{self.path}: {why}, so it is no place for a run; choose another --out")

    def sweep(self) -> None:
        """Remove half-written files that a kill has left."""
        for folder in (self.path, *(self.path / name for name in _PICTURES)):
            for path in folder.glob(".*.part"):
                if _UNFINISHED.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _was_begun(self) -> bool:
        try:
            self.config()
        except ConfigError:
            return False
        return True

    def clear_earlier(self, config: Config) -> bool:
        """Remove the files of an earlier run on the same data and its ONNX exports; returns whether there was one.

        Raises:
            ConfigError: the folder holds a run on other data.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: is a file, not a folder; choose another --out")
        if not self._was_begun():
            return False
        if self.config().anchored().data.root != config.anchored().data.root:
            raise ConfigError(f"{self.path}: holds a run on other data; choose another --out")
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
        for exported in self.path.glob("model.*onnx"):  # of the earlier weights
            exported.unlink()
        self._clear_pictures()
        return True

    def _clear_pictures(self) -> None:
        for name, pattern in _PICTURES.items():
            for path in (self.path / name).glob(pattern):
                path.unlink()

    def config(self) -> Config:
        """What the run was told to do."""
        path = self.path / "config.toml"
        if not path.is_file():
            raise ConfigError(f"{self.path}: holds no run to resume (it has no config.toml); give the --out of the run "
                              "that was begun")  # fmt: skip
        return load_config(str(path))

    def write_log(self, rows: Sequence[dict[str, float]]) -> None:
        """Write all epochs' lines."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
        self._write_text("log.csv", text.getvalue())

    def read_log(self) -> list[dict[str, float]]:
        """The epochs' lines, or none where nothing was logged."""
        path = self.path / "log.csv"
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def write_state(self, state: dict[str, Any]) -> None:
        """Write last.ckpt."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with atomic_write(self.path / "last.ckpt") as file:
            file.write(buffer.getbuffer())

    def read_state(self) -> dict[str, Any] | None:
        """Read last.ckpt, running no code in it; None where the run was stopped before its first epoch ended.

        Raises:
            DataError: it is damaged.
        """
        path = self.path / "last.ckpt"
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # torch raises many kinds for a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise DataError(f"{path}: cannot be read ({reason})") from None

    def _write_text(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode())


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def environment() -> dict[str, Any]:
    """Versions and machine, without anything personal."""
    return {
        "onenet": onenet.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def next_folder(recipe: str) -> Path:
    """runs/RECIPE-1, or the next number that is free."""
    number = 1
    while (Path("runs") / f"{recipe}-{number}").exists():
        number += 1
    return Path("runs") / f"{recipe}-{number}"
