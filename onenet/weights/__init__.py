"""Trained models that come with the package, by name: NAME.safetensors, and NAME.int8.onnx for a device."""

from importlib import resources
from pathlib import Path

_TORCH, _DEVICE = ".safetensors", ".int8.onnx"


def shipped_names() -> list[str]:
    """Their names."""
    return sorted(file.name.removesuffix(_TORCH) for file in _folder().iterdir() if file.name.endswith(_TORCH))


def shipped_file(model: object, for_device: bool = False) -> Path | None:
    """The file of a shipped model; None where `model` is no such name, or a file or folder of that name is here.

    Args:
        for_device: the INT8 file, which needs no torch, instead of the weights.
    """
    if not isinstance(model, str) or model not in shipped_names() or Path(model).exists():
        return None
    return _folder() / f"{model}{_DEVICE if for_device else _TORCH}"


def _folder() -> Path:
    return Path(str(resources.files("onenet.weights")))
