"""Loaded LiteRT models (.tflite): an array in, an array out, computed on the CPU; no torch is needed."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.deploy.runtime import need, unreadable, usable_cores
from onenet.deploy.silence import silent
from onenet.errors import DataError


class LitertSession:
    """A model with one input and one output, for images of any size that it takes, one at a time.

    Raises:
        OneNetError: ai-edge-litert is not installed.
        DataError: the file is missing, damaged or no model.
    """

    name = "litert"

    def __init__(self, source: Path | bytes, threads: int | None = None) -> None:
        need("ai_edge_litert")
        with silent():
            from ai_edge_litert.interpreter import Interpreter

            given: dict[str, Any] = (
                {"model_content": source} if isinstance(source, bytes) else {"model_path": str(source)}
            )
            try:
                self._interpreter = Interpreter(**given, num_threads=threads or usable_cores())
                self._interpreter.allocate_tensors()  # now, since it tells of its delegate once
            except Exception as error:  # the runtime has no common class for what it raises
                raise unreadable(source, error) from None
        (image,), (logits,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._output = image["index"], logits["index"]
        self._shape: tuple[int, ...] | None = None
        self._lock = threading.Lock()  # an interpreter has one memory

    def __call__(self, array: NDArray) -> NDArray:
        return np.concatenate([self._one(image[None]) for image in array])

    def _one(self, image: NDArray) -> NDArray:
        with self._lock:
            try:
                if image.shape != self._shape:
                    self._shape = None
                    self._interpreter.resize_tensor_input(self._input, image.shape)
                    self._interpreter.allocate_tensors()
                    self._shape = image.shape
                self._interpreter.set_tensor(self._input, image)
                self._interpreter.invoke()
                return self._interpreter.get_tensor(self._output)
            except (RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())[-160:]
                raise DataError(
                    f"the model cannot be computed for an array of shape {image.shape} ({reason})"
                ) from None
