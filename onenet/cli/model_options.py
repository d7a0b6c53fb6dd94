"""`--classes`: names for the classes of an .onnx file that says nothing of its own."""

from typing import Annotated

import typer

Classes = Annotated[str, typer.Option(help="Names for the classes of a foreign .onnx, separated by commas.")]


def class_names(text: str) -> tuple[str, ...]:
    """The names that `--classes` holds."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
