"""OneNet: image segmentation with networks small enough to live on the device.

    model = onenet.create_model("onenet-ed-4", num_classes=3)     # where a U-Net stood
    result = onenet.Segmenter("model.safetensors")("photo.jpg")   # result.mask, result.overlay()

Importing this costs nothing; torch is imported when a network is first made or loaded.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from onenet.checkpoint import load as load
    from onenet.checkpoint import save as save
    from onenet.deploy.segmenter import Segmenter as _Segmenter
    from onenet.models.catalog import create_model as create_model
    from onenet.models.catalog import list_models as list_models

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__", "create_model", "list_models", "load", "save"]

_DOORS = {
    "create_model": "onenet.models.catalog",
    "list_models": "onenet.models.catalog",
    "load": "onenet.checkpoint",
    "save": "onenet.checkpoint",
}
RUNTIMES = ("auto", "torch")


def Segmenter(model: "str | Path | nn.Module", runtime: str = "auto", threads: int | None = None) -> "_Segmenter":  # noqa: N802
    """Open a trained model to draw masks with; call what is returned with an image.

    Args:
        model: a `.safetensors` file, the folder of a run, or a module from `onenet.load` or `create_model`.
        runtime: what computes it: "torch", or "auto" for the best one for the file.
        threads: CPU threads; None leaves the choice to the runtime.

    Raises:
        ConfigError: unknown runtime, a number of threads that is none, a module without a card, or an exported file.
        DataError: the file is missing, damaged, or not a model of onenet.
    """
    from onenet.deploy.segmenter import Segmenter as Drawer
    from onenet.errors import ConfigError, did_you_mean

    if runtime not in RUNTIMES:
        raise ConfigError(f"unknown runtime {runtime!r}: {did_you_mean(runtime, RUNTIMES)}")
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ConfigError(f"threads={threads!r}: must be at least 1, a whole number")
    if isinstance(model, (str, Path)) and Path(model).suffix.lower() == ".onnx":
        raise ConfigError(
            f"{model}: an exported file; running those is not part of this version, "
            "give the .safetensors file that it was made from"
        )
    _need_torch()
    from torch import nn

    from onenet.checkpoint import load as load_model
    from onenet.models.eager import EagerRunner, card_of

    if not isinstance(model, (str, Path, nn.Module)):
        raise ConfigError(f"Segmenter takes a .safetensors file, the folder of a run or a module, not {model!r}")
    module = load_model(model) if isinstance(model, (str, Path)) else model
    return Drawer(EagerRunner(module, threads), card_of(module))


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        _need_torch()
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"module 'onenet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _need_torch() -> None:
    from importlib.util import find_spec

    from onenet.errors import OneNetError

    if find_spec("torch") is None or find_spec("jaxtyping") is None:
        raise OneNetError("this needs torch, which is not installed: pip install 'onenet-seg[train]'")
