"""Loaded graphs: an array in, an array out, computed by ONNX Runtime or OpenVINO, imported when needed.

Both compute in float32 where the graph says float, whatever the processor could do with less.
"""

import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from onenet.errors import ConfigError, DataError, OneNetError

RUNTIMES = ("onnxruntime", "openvino")
EXTRAS = {
    "onnxruntime": "deploy", "openvino": "openvino", "executorch": "executorch", "coremltools": "coreml",
    "ai_edge_litert": "litert",
}  # fmt: skip
_KEPT = 8  # shapes that OpenVINO keeps compiled
_LOCK, _CORES = threading.Lock(), list[Any]()


@runtime_checkable
class Session(Protocol):
    """A graph with one input and one output; any number of threads may call it at once."""

    def __call__(self, array: NDArray) -> NDArray:
        """Compute the output."""
        ...


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(runtime: str) -> bool:
    """Whether a runtime is there to be imported."""
    return find_spec(runtime) is not None


def need(runtime: str) -> None:
    """Make sure that a runtime is there.

    Raises:
        OneNetError: it is not; the message names the extra that brings it.
    """
    if not installed(runtime):
        raise OneNetError(f"this needs {runtime}, which is not installed: pip install 'onenet-seg[{EXTRAS[runtime]}]'")


class OnnxRuntimeSession:
    """A graph in ONNX Runtime on the CPU, for arrays of any size that the graph takes.

    Raises:
        DataError: the file is missing, damaged or no ONNX graph.
    """

    name = "onnxruntime"

    def __init__(self, source: str | Path | bytes, threads: int | None = None) -> None:
        need("onnxruntime")
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not take the cores
        options.enable_mem_pattern = False  # a plan for each size of image would be kept
        given = source if isinstance(source, bytes) else str(source)
        try:
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime has no common class for what it raises
            raise unreadable(source, error) from None
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.inputs = [(node.name, node.shape, node.type) for node in self._session.get_inputs()]
        self.outputs = [(node.name, node.shape, node.type) for node in self._session.get_outputs()]

    def __call__(self, array: NDArray) -> NDArray:
        try:
            return self._session.run([self.outputs[0][0]], {self.inputs[0][0]: array})[0]
        except Exception as error:  # the runtime has no common class for what it raises
            reason = " ".join(str(error).split())[-160:]
            raise DataError(f"the model cannot be computed for an array of shape {array.shape} ({reason})") from None


class OpenVinoSession:
    """A graph in OpenVINO on the CPU, compiled anew for each shape of array; a few shapes are kept.

    Raises:
        DataError: the file is missing, damaged or no graph.
    """

    name = "openvino"

    def __init__(self, source: str | Path | bytes, threads: int | None = None, streams: int = 1) -> None:
        need("openvino")
        self._core = openvino_core()
        try:
            self._model = self._core.read_model(source if isinstance(source, bytes) else str(source))
        except Exception as error:
            raise unreadable(source, error) from None
        self._settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",  # else processors that have bfloat16 use it, unasked
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._lock, self._local = threading.Lock(), threading.local()

    def __call__(self, array: NDArray) -> NDArray:
        request = self._request(array.shape)
        return request.infer({0: array}, share_inputs=True)[0].copy()

    def _request(self, shape: tuple[int, ...]) -> Any:
        """This thread's request for arrays of one shape."""
        requests = self._local.__dict__.setdefault("requests", {})
        if shape not in requests:
            if len(requests) >= _KEPT:
                requests.pop(next(iter(requests)))
            requests[shape] = self._for_shape(shape).create_infer_request()
        return requests[shape]

    def _for_shape(self, shape: tuple[int, ...]) -> Any:
        with self._lock:
            if shape not in self._compiled:
                if len(self._compiled) >= _KEPT:
                    self._compiled.pop(next(iter(self._compiled)))
                model = self._model.clone()
                model.reshape(list(shape))
                self._compiled[shape] = self._core.compile_model(model, "CPU", self._settings)
            return self._compiled[shape]


def openvino_core() -> Any:
    """The one `openvino.Core` of this process.

    A second one would leave the stack on which Python's signals are handled (child processes, ctrl-c) pointing to freed
    memory, once both are gone: the next signal would end the process.
    """
    with _LOCK:
        if not _CORES:
            import openvino

            openvino.Type.f32.to_dtype()  # its first call hangs where two threads make it at once, as `infer` does
            _CORES.append(openvino.Core())
        return _CORES[0]


def unreadable(source: str | Path | bytes, error: Exception) -> DataError:
    """What to say of a file that a runtime does not take."""
    name = "the model" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes) and not Path(source).exists():
        return DataError(f"{name}: no such file")
    reason = " ".join(str(error).split())[-160:]  # what went wrong comes last
    return DataError(f"{name}: cannot be loaded ({reason}); is it whole, and an exported graph?")


def open_session(source: str | Path | bytes, runtime: str, threads: int | None, streams: int = 1) -> Session:
    """A graph in the runtime named.

    Raises:
        ConfigError: unknown runtime.
        OneNetError: it is not installed.
        DataError: the file cannot be loaded.
    """
    if runtime == "onnxruntime":
        return OnnxRuntimeSession(source, threads if streams == 1 else 1)
    if runtime == "openvino":
        return OpenVinoSession(source, threads, streams)
    raise ConfigError(f"unknown runtime {runtime!r}: choose from {', '.join(RUNTIMES)}")
