"""Loaded ExecuTorch programs: an array in, an array out, computed by XNNPACK on the CPU.

This is for trying a program where it was made: ExecuTorch's Python runtime imports torch. A phone runs model.pte.
"""

import math
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.deploy.runtime import need, unreadable, usable_cores
from onenet.deploy.silence import silent
from onenet.errors import DataError

LARGEST = 2048 * 2048  # pixels that a program of images has memory for
_LOCK = threading.Lock()
_SIZED: list[bool] = []  # filled once the pool of threads has its size: programs keep pointers to it


class ExecutorchSession:
    """A program with one method, `forward`, for one image at a time, or for as many rows as it was written for.

    All programs of a process share the threads that the first one asked for.

    Raises:
        OneNetError: executorch is not installed.
        DataError: the file is missing, damaged or no program.
    """

    name = "executorch"

    def __init__(self, source: Path | bytes, threads: int | None = None) -> None:
        need("executorch")
        with _LOCK, silent():
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime

            if not _SIZED and portable_lib._threadpool_get_thread_count() != (threads or usable_cores()):
                portable_lib._unsafe_reset_threadpool(threads or usable_cores())
            _SIZED.append(True)
            try:
                self._method = Runtime.get().load_program(source).load_method("forward")
            except Exception as error:  # the runtime has no common class for what it raises
                raise unreadable(source, error) from None
            if self._method is None:
                raise unreadable(source, ValueError("it has no method forward"))
        self.sizes = tuple(self._method.metadata.input_tensor_meta(0).sizes())

    def __call__(self, array: NDArray) -> NDArray:
        if array.ndim != len(self.sizes) or array.shape[1] != self.sizes[1]:
            raise DataError(f"the model takes arrays like {self.sizes}, not {array.shape}")
        if array.ndim == 2:
            return self._one(array)
        if array[:1].size > math.prod(self.sizes):
            most = math.prod(self.sizes[2:])
            raise DataError(f"the model has memory for images of {most:,} pixels, not of {array.shape[2]}x"
                            f"{array.shape[3]}; let them be cut into tiles (--tile)")  # fmt: skip
        return np.concatenate([self._one(image[None]) for image in array])

    def _one(self, array: NDArray) -> NDArray:
        import torch

        tensor = torch.from_numpy(np.require(array, np.float32, ["C", "W"]))
        with _LOCK:  # a method has one memory, and all have one pool
            try:
                return self._method.execute([tensor])[0].numpy()
            except RuntimeError as error:
                raise DataError(f"the model cannot be computed for an array of shape {array.shape} ({error})") from None
