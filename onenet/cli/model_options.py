"""Options of every command that computes with a model."""

from typing import Annotated

import typer

Runtime = Annotated[
    str,
    typer.Option(
        help="torch, onnxruntime, openvino, executorch or litert; auto: the fastest for an exported file, for a model "
        "that comes with the package its INT8 file where a runtime is installed, else torch."
    ),
]
Threads = Annotated[int | None, typer.Option(help="CPU threads.")]
Classes = Annotated[str, typer.Option(help="Names for the classes of a foreign .onnx, separated by commas.")]


def class_names(text: str) -> tuple[str, ...]:
    """The names that `--classes` holds."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
