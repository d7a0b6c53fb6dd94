"""Graphs whose input lies ready and whose output is not fetched: nothing but the computing is timed or profiled."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from onenet.deploy.runtime import need, openvino_core


class Step(NamedTuple):
    """One operator as a runtime computes it, after it has joined all that it can: milliseconds of one run."""

    name: str
    kind: str
    ms: float


class Bound(Protocol):
    """A graph with its input."""

    def run(self) -> None:
        """Compute it."""
        ...

    def steps(self, runs: int) -> list[Step]:
        """Compute it several times and say what each operator took on average; only where profiling was asked for."""
        ...


def bound(
    source: str | Path | bytes, array: NDArray, runtime: str, threads: int, profiled: bool = False
) -> "OnnxRuntimeBound | OpenVinoBound":
    """A graph with its input, in one of onenet.deploy.runtime.RUNTIMES, with the settings of the sessions there."""
    kind = OnnxRuntimeBound if runtime == "onnxruntime" else OpenVinoBound
    return kind(source, array, threads, profiled)


class OnnxRuntimeBound:
    """In ONNX Runtime."""

    def __init__(self, source: str | Path | bytes, array: NDArray, threads: int, profiled: bool) -> None:
        need("onnxruntime")
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False
        self._folder = tempfile.TemporaryDirectory() if profiled else None
        if self._folder:
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(self._folder.name) / "steps")
        given = source if isinstance(source, bytes) else str(source)
        self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        self._array, self._binding = array, self._session.io_binding()
        self._binding.bind_cpu_input(self._session.get_inputs()[0].name, array)
        self._binding.bind_output(self._session.get_outputs()[0].name)

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def steps(self, runs: int) -> list[Step]:
        assert self._folder is not None
        for _ in range(runs + 1):
            self.run()
        events = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        self._folder.cleanup()
        kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
        kernels = kernels[len(kernels) // (runs + 1) :]  # the first run warms up
        return _summed([_kernel(event) for event in kernels], runs)


class OpenVinoBound:
    """In OpenVINO."""

    def __init__(self, source: str | Path | bytes, array: NDArray, threads: int, profiled: bool) -> None:
        need("openvino")
        import openvino

        core = openvino_core()
        model = core.read_model(source if isinstance(source, bytes) else str(source))
        model.reshape(list(array.shape))
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False, "PERF_COUNT": profiled,
        }  # fmt: skip
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        self._array = array
        self._request.set_input_tensor(openvino.Tensor(array, shared_memory=True))

    def run(self) -> None:
        self._request.start_async()
        self._request.wait()

    def steps(self, runs: int) -> list[Step]:
        found = []
        for turn in range(runs + 1):
            self.run()
            if turn:  # the first run warms up
                done = [one for one in self._request.get_profiling_info() if one.real_time.total_seconds() > 0]
                found += [Step(one.node_name, one.node_type, 1000 * one.real_time.total_seconds()) for one in done]
        return _summed(found, runs)


def _kernel(event: dict[str, Any]) -> Step:
    return Step(event["name"].removesuffix("_kernel_time"), event["args"]["op_name"], event["dur"] / 1000)


def _summed(steps: Sequence[Step], runs: int) -> list[Step]:
    totals: dict[tuple[str, str], float] = {}
    for step in steps:
        totals[step.name, step.kind] = totals.get((step.name, step.kind), 0.0) + step.ms / runs
    return [Step(name, kind, ms) for (name, kind), ms in totals.items()]
