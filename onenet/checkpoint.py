"""A trained model as one `.safetensors` file: the weights, and the card in its metadata. Reading it runs no code."""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import onenet
from onenet.card import Card
from onenet.deploy.ensemble import refuse_folds
from onenet.errors import ConfigError, DataError, describe_os_error, did_you_mean
from onenet.images import SUFFIXES, atomic_write
from onenet.models.catalog import arguments_of, create_model, list_models
from onenet.models.eager import card_of, unwrapped
from onenet.models.network import Network
from onenet.weights import shipped_file, shipped_names

_ADVICE = (  # on weights alone, which do not say what network they are of
    "of a network of onenet, use create_model(...), load_state_dict(...) and onenet.save; of the authors' code, "
    "`onenet convert`"
)


def save(model: nn.Module, path: str | Path, card: Card | None = None) -> None:
    """Write weights and card to `path` (.safetensors), completely or not at all.

    Args:
        model: a network of `create_model` or `load`, or what `torch.compile`, `DataParallel`, `AveragedModel` and the
            like made of it.
        card: what the model is; left out, the one that the model carries.

    Raises:
        ConfigError: the path ends otherwise, neither the model nor the caller has a card, it is another network's, or
            parts of the network were changed, so that it could not be read back as what it is.
        OneNetError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ConfigError(f"{path}: weights are saved as .safetensors; change the ending")
    card = (card or card_of(model)).replace(version=onenet.__version__)
    model = unwrapped(model)
    weights = {name.replace("_orig_mod.", ""): tensor for name, tensor in model.state_dict().items()}
    try:
        _check_card(card, model, weights, path)
        Card.from_json(card.to_json(), str(path))
    except ConfigError:
        raise
    except (DataError, TypeError, ValueError) as error:
        reason = str(error.__cause__ or error)
        raise ConfigError(f"{path}: the card could not be read back ({reason}); mend it (onenet.card.Card)") from None
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic_write(path) as file:
        file.write(safetensors.torch.save(tensors, metadata={"card": card.to_json()}))


def load(path: str | Path) -> Network:
    """Read a model: on the CPU, in evaluation mode, with its card as `.card`.

    Raises:
        DataError: the file is missing, damaged, or not written by onenet.
        ConfigError: the path names an exported file or an architecture, which have no torch weights, or several models.
    """
    file = _weights_file(path)
    card, tensors = _read(file, weights=True)
    try:
        model = _shapes_of(card)
    except (ConfigError, TypeError) as error:
        raise DataError(f"{file}: its card cannot be used here: {error}") from None
    load_weights(model, tensors, str(file))
    model.card = card
    return model.eval()


def read_card(path: str | Path) -> Card:
    """The card of a model, without its weights.

    Raises:
        DataError, ConfigError: as `load`.
    """
    return _read(_weights_file(path), weights=False)[0]


def _read(file: Path, weights: bool) -> tuple[Card, dict[str, Tensor]]:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys() if weights else ()
            tensors = {name: opened.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise DataError(f"{file}: not a complete .safetensors file ({error}); copy or train it again") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({describe_os_error(error)})") from None
    if "card" not in metadata:
        raise DataError(f"{file}: holds weights but no card, so it was not saved by onenet; {_ADVICE}")
    return Card.from_json(metadata["card"], str(file)), tensors


def load_weights(model: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Put `tensors` into a model; every name and shape must fit.

    Raises:
        DataError: one does not; the message names the first one and `source`.
    """
    wanted = model.state_dict()
    difference = _difference(tensors, wanted)
    if difference:
        raise DataError(f"{source}: {difference}; it belongs to another architecture")
    # Copied, because what safetensors gives is a view of the file, which may be overwritten.
    copies = {name: tensor.to(wanted[name].dtype, copy=True) for name, tensor in tensors.items()}
    model.load_state_dict(copies, assign=True)


def _difference(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> str | None:
    """The first name or shape in which weights differ from those that a network wants."""
    for name, tensor in wanted.items():
        if name not in tensors:
            return f"lacks the weights {name}"
        if tensors[name].shape != tensor.shape:
            found = f"has the weights {name} of shape {tuple(tensors[name].shape)}"
            return f"{found}, where the network wants {tuple(tensor.shape)}"
    extra = next((name for name in tensors if name not in wanted), None)
    return extra and f"holds the weights {extra}, which the network has not"


def _changed(model: nn.Module, wanted: nn.Module) -> str | None:
    """The first part that computes something else than it should, which names and shapes of weights do not tell."""
    parts, there = _parts(model), _parts(wanted)
    for name, part in there.items():
        found = parts.get(name)
        if found is None:
            return f"lacks the part {name}"
        if not _is_alike(found, part):
            return f"has {found} as its {name}, where the network has {part}"
    extra = next((name for name in parts if name not in there), None)
    return extra and f"has {parts[extra]} as its {extra}, which the network has not"


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    """Every part that has no parts of its own, by name; of a compiled part what was compiled."""
    leaves = {name: part for name, part in model.named_modules() if not any(part.children())}
    return {name.replace("_orig_mod.", "").replace("._orig_mod", ""): part for name, part in leaves.items()}


def _is_alike(found: nn.Module, part: nn.Module) -> bool:
    norms = isinstance(found, _BatchNorm) and isinstance(part, _BatchNorm)
    if norms:  # synchronised or frozen ones, with a momentum for training
        return found.eps == part.eps
    return type(found).forward is type(part).forward and found.extra_repr() == part.extra_repr()


def _shapes_of(card: Card) -> Network:
    """The network that a card describes, on the meta device: even a card that lies takes no memory."""
    with torch.device("meta"):
        return create_model(card.architecture, **arguments_of(card))


def _check_card(card: Card, model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    try:
        wanted = _shapes_of(card)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{path}: the card cannot be used: {error}") from None
    if difference := _difference(weights, wanted.state_dict()) or _changed(model, wanted):
        message = f"the card is that of another {card.architecture} than the model, which {difference}"
        advice = "onenet.save is for networks as create_model makes them, torch.save for changed ones"
        raise ConfigError(f"{path}: {message}; {advice}")
    outputs = card.arguments["num_classes"]
    if not card.num_classes == len(card.colours) == outputs:
        counts = f"{card.num_classes} classes and {len(card.colours)} colours"
        raise ConfigError(f"{path}: the card names {counts}, but the model has {outputs} outputs")


def parameter_count(model: nn.Module) -> int:
    """How many numbers are learnt, or were before they were frozen."""
    return sum(parameter.numel() for parameter in model.parameters())


def _weights_file(path: str | Path) -> Path:
    if not isinstance(path, (str, Path)):
        raise ConfigError(f"load takes a .safetensors file or the folder of a run, not {path!r}")
    file = shipped_file(path) or Path(path)
    if file.suffix.lower() == ".onnx":
        raise ConfigError(
            f"{file}: an exported file has no torch weights; onenet.Segmenter and `onenet predict` run it, "
            "for all else take the .safetensors file that it was made from"
        )
    if file.name == "last.ckpt":
        raise ConfigError(f"{file}: holds what --resume needs; the model is {file.with_name('model.safetensors')}")
    if file.suffix.lower() in SUFFIXES:
        raise ConfigError(f"{file}: is an image, not a model, which is a .safetensors file, the folder of a run, or "
                          f"{', '.join(shipped_names())}")  # fmt: skip
    if file.suffix in (".pth", ".pt", ".ckpt"):
        raise ConfigError(f"{file}: load takes .safetensors; {_ADVICE}")
    if file.is_dir():  # of a run
        refuse_folds(file)
        if not (file / "model.safetensors").is_file():
            raise DataError(f"{file}: holds no model.safetensors; give the folder of a run or a .safetensors file")
        return file / "model.safetensors"
    if not file.is_file():
        if str(path) in list_models():
            raise ConfigError(f"{path} is an architecture without weights; train it, or use onenet.create_model")
        near = did_you_mean(str(path), shipped_names())
        if not file.suffix and near.startswith("did you mean"):
            raise DataError(f"{file}: no such file; {near} (a trained model of the package)")
        near = did_you_mean(str(path), list_models())
        if not file.suffix and near.startswith("did you mean"):
            raise DataError(f"{file}: no such file; {near} (an architecture, to be trained first)")
        names = f", or a trained model: {', '.join(shipped_names())}" if not file.suffix else ""
        raise DataError(f"{file}: no such file; give a .safetensors file or the folder of a run{names}")
    return file


def read_torch_file(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` file, read without running any code in it (`weights_only=True`).

    Raises:
        DataError: missing, damaged, or it holds something else than tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    except Exception as error:  # torch raises many kinds for a foreign or hostile file
        if any(word in str(error).lower() for word in ("unsupported global", "torchscript", "unsupported class")):
            advice = "where it was made, save its weights alone: torch.save(model.state_dict(), FILE)"
            raise DataError(f"{path}: holds objects that only running their code could read; {advice}") from None
        raise DataError(f"{path}: not a file of torch weights, or damaged; copy or save it again") from None
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        kind = type(content).__name__ if not isinstance(content, dict) else "something else" if content else "nothing"
        raise DataError(f"{path}: holds no state dict (tensors by name), but {kind}")
    named: dict[str, Tensor] = {}
    for name, tensor in content.items():
        own = _own_name(str(name))
        if own in named:
            raise DataError(f"{path}: holds two weights called {own}, one of them as {name}; save one network alone")
        if own != "n_averaged":  # of AveragedModel, how many models it is the mean of
            named[own] = tensor
    return named


def _own_name(name: str) -> str:
    """A weight's name without those of what its network was wrapped in, Lightning's "model." included."""
    while prefix := next((one for one in ("module.", "model.", "_orig_mod.") if name.startswith(one)), ""):
        name = name.removeprefix(prefix)
    return name
