"""Curves for TensorBoard, for those who want them beside log.csv and report.html."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from onenet.errors import OneNetError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Curves:
    """Writes a run's rows as event files into a folder, which is made when the first one comes.

    Raises:
        OneNetError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise OneNetError(
                "train.tensorboard=true needs tensorboard, which is not installed: "
                "pip install 'onenet-seg[tensorboard]'"
            )
        self.folder = folder
        self._writer: SummaryWriter | None = None

    def write(self, row: Mapping[str, float]) -> None:
        """Write the figures of one epoch, as log.csv has them; what was not measured is left out.

        A resumed run hides what an interrupted one wrote of later epochs.
        """
        from torch.utils.tensorboard import SummaryWriter

        if self._writer is None:
            self._writer = SummaryWriter(str(self.folder), purge_step=int(row["epoch"]))
        for name, value in row.items():
            if name != "epoch" and math.isfinite(value):
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
