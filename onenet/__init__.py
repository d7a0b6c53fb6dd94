"""OneNet: image segmentation with networks small enough to live on the device.

    model = onenet.create_model("onenet-ed-4", num_classes=3)                    # where a U-Net stood
    run = onenet.train(onenet.load_config("default", data="folder:my-photos"))   # the folder of the run
    report = onenet.evaluate(run, "folder:my-photos").report                     # report.mean_iou, report.to_json()
    result = onenet.Segmenter(run)("photo.jpg")                                  # result.mask, result.overlay()

Importing this costs nothing; torch is imported when a network is first made, trained or loaded.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from onenet.checkpoint import load as load
    from onenet.checkpoint import save as save
    from onenet.config import Config, DataConfig
    from onenet.config import load_config as load_config
    from onenet.deploy.segmenter import Segmenter as _Segmenter
    from onenet.models.catalog import create_model as create_model
    from onenet.models.catalog import list_models as list_models
    from onenet.scoring import Evaluation

__version__ = "0.1.0"
__all__ = [
    "Segmenter", "__version__", "create_model", "evaluate", "list_models", "load", "load_config", "save", "train",
]  # fmt: skip

_DOORS = {
    "create_model": "onenet.models.catalog",
    "list_models": "onenet.models.catalog",
    "load": "onenet.checkpoint",
    "load_config": "onenet.config",
    "save": "onenet.checkpoint",
}
_WITHOUT_TORCH = ("load_config",)
RUNTIMES = ("auto", "torch", "onnxruntime", "openvino", "executorch", "litert")


def Segmenter(  # noqa: N802
    model: "str | Path | nn.Module",
    runtime: str = "auto",
    threads: int | None = None,
    classes: "Sequence[str]" = (),
) -> "_Segmenter":
    """Open a trained model to draw masks with; call what is returned with an image.

    Args:
        model: a `.safetensors` file, the folder of a run, an exported file (`.onnx`, `.openvino`, `.litert`, which need
            no torch, or `.executorch`), a module from `onenet.load` or `create_model`, or the folder of a study of
            folds, whose networks are then used together.
        runtime: what computes it: "torch", "onnxruntime", "openvino", "executorch", "litert", or "auto" for the best
            one for the file.
        threads: CPU threads; None leaves the choice to the runtime.
        classes: names for the classes of an `.onnx` file that was not written by onenet.

    Raises:
        ConfigError: unknown runtime, one that cannot run this file, a number of threads that is none, a module
            without a card, or folds that are not of one study.
        DataError: the file is missing, damaged, or not a model of onenet; or folds are missing or not trained to
            their end.
        OneNetError: the runtime is not installed.
    """
    from onenet.deploy.ensemble import EnsembleRunner, files_of_folds, joined_card, refuse_folds
    from onenet.deploy.opening import is_exported, open_exported
    from onenet.deploy.segmenter import Segmenter as Drawer
    from onenet.errors import ConfigError, did_you_mean

    if runtime not in RUNTIMES:
        raise ConfigError(f"unknown runtime {runtime!r}: {did_you_mean(runtime, RUNTIMES)}")
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ConfigError(f"threads={threads!r}: must be at least 1, a whole number")
    model = _file_of_shipped(model, runtime)
    if isinstance(model, (str, Path)) and is_exported(model):
        if runtime == "torch":
            raise ConfigError(f"{model}: an exported file, which torch does not run; leave the runtime out")
        return Drawer(*open_exported(model, runtime, threads, classes))
    if runtime not in ("auto", "torch"):
        if isinstance(model, (str, Path)):
            refuse_folds(model)
        raise ConfigError(f"{model}: {runtime} runs exported files; make one with: onenet export {model}")
    if classes:
        raise ConfigError("classes are for .onnx files that were not written by onenet; this model knows its own")
    _need_torch(model)
    from torch import nn

    from onenet.checkpoint import load as load_model
    from onenet.models.eager import EagerRunner, card_of

    if not isinstance(model, (str, Path, nn.Module)):
        raise ConfigError(f"Segmenter takes a .safetensors file, the folder of a run or a module, not {model!r}")
    if isinstance(model, (str, Path)) and (folds := files_of_folds(model)):
        networks = [load_model(file) for file in folds]
        card = joined_card([card_of(network) for network in networks], folds)
        return Drawer(EnsembleRunner([EagerRunner(network, threads) for network in networks], card.overlapping), card)
    module = load_model(model) if isinstance(model, (str, Path)) else model
    card = card_of(module)  # first, since a module of somebody else's may have any attributes
    return Drawer(EagerRunner(module, threads), card)


def train(config: "Config | str | Path", out: "str | Path | None" = None, resume: bool = False) -> Path:
    """Train a network as `onenet train` does, silently, and return the folder of the run.

        config = onenet.load_config("default", ["train.epochs=50"], data="folder:my-photos")
        folder = onenet.train(config, out="runs/mine")
        onenet.Segmenter(folder)("photo.jpg")

    The folder then holds model.safetensors (the best weights), report.json and report.html (their scores on the
    validation images), log.csv (a line per epoch), config.toml, last.ckpt and examples/. With train.devices above 1 the
    script is started once more for every further device; what follows this call then runs in each of them.

    Args:
        config: what to do: a configuration, the name of a shipped recipe, or a `.toml` file.
        out: the folder; left out, runs/RECIPE-N.
        resume: continue the run in `out` after an interruption, as if it had never stopped.

    Raises:
        ConfigError: the recipe, the device or the folder cannot be used, or the recipe has changed since `resume`'s
            run was begun.
        DataError: images are missing, unreadable or do not fit the masks; or they have changed.
        TrainError: the loss is no number, or the memory does not suffice (the message says for which batch it does).
    """
    from onenet.config import Config, load_config
    from onenet.errors import ConfigError

    if not isinstance(config, (Config, str, Path)):
        raise ConfigError(f"train takes a configuration, a recipe's name or a .toml file, not {config!r}")
    if resume and out is None:
        raise ConfigError("resume continues the run in a folder: give it as out")
    config = config if isinstance(config, Config) else load_config(str(config))
    _need_torch()
    from onenet.training.results import train_silently

    return train_silently(config, out, resume)


def evaluate(
    model: "str | Path | nn.Module",
    spec: "DataConfig | str" = "",
    split: str = "test",
    authors: bool = False,
    classes: "Sequence[str]" = (),
    runtime: str = "auto",
    threads: int | None = None,
) -> "Evaluation":
    """Score a model as `onenet evaluate` does.

        evaluation = onenet.evaluate("runs/mine")       # on the test images of its own data
        evaluation.report.mean_iou
        print(evaluation.report.to_markdown())

    Args:
        model: a `.safetensors` file, the folder of a run or of a study of folds, an exported file, or a module with a
            card.
        spec: the data: FORMAT:PATH[,key=value...], a recipe's name, or `config.data`; left out, the data of the run
            that the model is from.
        split: "train", "val", "test" or "all".
        authors: also the figures of the paper's authors, as their evaluator computes them: `.report.authors`.
        classes: names for the classes of an `.onnx` file that was not written by onenet.
        runtime: what computes an exported file, as of `Segmenter`.
        threads: CPU threads, which torch keeps afterwards; None leaves the choice to the runtime.

    Returns:
        An evaluation: `.report` with all figures, `.notes` with what a reader should know.

    Raises:
        ConfigError: no data and no run, an unknown format or split, or `authors` of a model whose classes overlap.
        DataError: the data has other classes than the model, or cannot be read.
    """
    from onenet.config import DataConfig
    from onenet.errors import ConfigError

    if not isinstance(spec, (str, DataConfig)):
        raise ConfigError(f"evaluate takes data as FORMAT:PATH, a recipe's name or config.data, not {spec!r}")
    from onenet.deploy.opening import is_exported

    model = _file_of_shipped(model, runtime)
    if not (isinstance(model, (str, Path)) and is_exported(model)):
        _need_torch(model)
    from onenet.scoring import evaluate as score

    return score(model, spec, split, authors=authors, classes=classes, runtime=runtime, threads=threads)


def _file_of_shipped(model: "str | Path | nn.Module", runtime: str) -> "str | Path | nn.Module":
    """The file of a model that is named as one that comes with the package, for the runtime; all else as it is."""
    from onenet.deploy.runtime import installed
    from onenet.weights import shipped_file

    for_device = installed("onnxruntime") or installed("openvino") if runtime == "auto" else runtime != "torch"
    return shipped_file(model, for_device) or model


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        if name not in _WITHOUT_TORCH:
            _need_torch()
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"module 'onenet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _need_torch(model: object = None) -> None:
    """Refuse what torch alone can do; of a model, name a file beside it that runs without."""
    from importlib.util import find_spec

    from onenet.deploy.opening import exported_beside
    from onenet.errors import OneNetError

    if find_spec("torch") is not None and find_spec("jaxtyping") is not None:
        return
    file = exported_beside(model) if isinstance(model, (str, Path)) else None
    without = f"; {file} runs without it" if file else ""
    raise OneNetError(f"this needs torch, which is not installed: pip install 'onenet-seg[train]'{without}")
