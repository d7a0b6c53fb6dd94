"""The authors' checkpoints. The fixtures are state dicts written by their modules, with the logits these gave."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import onenet
from onenet.checkpoint import load_weights, read_torch_file
from onenet.errors import DataError
from onenet.models.authors import from_authors, read_arguments, to_authors
from onenet.models.network import Network

FIXTURES = Path(__file__).parent.parent / "fixtures"
KINDS = ["e", "ed"]
UNUSED = ("decoder.convs.head_2.conv.weight", "decoder.convs.head_2.conv.bias")


def state_dict(kind: str) -> dict[str, torch.Tensor]:
    return read_torch_file(FIXTURES / f"authors_onenet_{kind}_2_w8.pth")


def converted(state: dict[str, torch.Tensor]) -> Network:
    name, arguments = read_arguments(state, "a.pth")
    model = onenet.create_model(name, **arguments)
    load_weights(model, from_authors(state, model, "a.pth"), "a.pth")
    return model.eval()


def check_refused(state: dict[str, torch.Tensor], *named: str) -> None:
    """One line, which names the file and what is wrong."""
    with pytest.raises(DataError) as caught:
        converted(state)
    message = str(caught.value)
    assert message.startswith("a.pth: ")
    assert "\n" not in message
    for word in named:
        assert word in message


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_the_authors(kind):
    with np.load(FIXTURES / f"authors_onenet_{kind}_2_w8.npz") as recorded:
        image, logits = torch.from_numpy(recorded["image"]), recorded["logits"]
    with torch.inference_mode():
        ours = converted(state_dict(kind))(image).numpy()
    np.testing.assert_allclose(ours, logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kind", "name"), [("e", "onenet-e-4-spatial"), ("ed", "onenet-ed-4-spatial")])
def test_sizes_are_read_from_the_shapes(kind, name):
    found, arguments = read_arguments(state_dict(kind), "a.pth")
    assert found == name
    assert arguments == {
        "in_channels": 3,
        "num_classes": 3,
        "width": 8,
        "depth": 2,
        "stem_repeat": 2,
        "spatial_kernel": 9,
        "spatial_in": "both",
        "replaced": kind,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_keys_shapes_and_values_are_the_same(kind):
    theirs, again = state_dict(kind), to_authors(converted(state_dict(kind)))
    assert again.keys() == theirs.keys()
    for key, tensor in theirs.items():
        assert again[key].shape == tensor.shape, key
        assert again[key].dtype == tensor.dtype, key
        assert torch.equal(again[key], torch.zeros_like(tensor) if key in UNUSED else tensor), key


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "onenet-ed-4"},
        {"name": "onenet-e-4"},
        {"name": "onenet-ed-5", "in_channels": 1},
        {"name": "onenet-ed-4-spatial", "spatial_kernel": 5},
        {"name": "onenet-ed-4-spatial", "spatial_in": "decoder", "num_classes": 4},
        {"name": "onenet-ed-4-spatial", "spatial_in": "encoder", "depth": 3},
        {"name": "onenet-e-4-spatial", "depth": 1, "stem_repeat": 1},
    ],
    ids=str,
)
def test_back_and_there_every_network_of_theirs_is_recognised(arguments):
    torch.manual_seed(0)
    ours = onenet.create_model(**{"width": 4, **arguments}).eval()
    again = converted(to_authors(ours))
    assert again.card.arguments.items() >= {**arguments, "width": 4, "name": None}.items() - {("name", None)}
    assert "spatial" in again.card.architecture or "spatial" not in arguments["name"]
    image = torch.rand(1, again.card.in_channels, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again(image), ours(image))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unet-4", {}),
        ("resnet34-unet", {}),
        ("onenet-d-4", {}),
        ("onenet-ed-4-half", {}),
        ("onenet-ed-4", {"plain_top": True}),
        ("onenet-ed-4-spatial", {"spatial_order": "channel"}),
        ("onenet-ed-4-spatial", {"spatial_place": "between"}),
    ],
)
def test_a_network_that_they_do_not_have_is_refused(name, arguments):
    model = onenet.create_model(name, width=4, **arguments)
    with pytest.raises(DataError, match=f"{name}: the authors' code has no such network"):
        to_authors(model)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "key",
    [
        "encoder.bottleneck.blocks.0.conv.weight",
        "encoder.bottleneck.blocks.1.bn.running_var",
        "encoder.convs.spatial_1.conv.bias",
        "encoder.convs.channel_1_1.conv.weight",
        "encoder.convs.channel_2_0.bn.num_batches_tracked",
        "decoder.convs.head_1.conv.weight",
        "decoder.convs.head_1.conv.bias",
    ],
)
def test_a_missing_weight_is_named(kind, key):
    state = state_dict(kind)
    del state[key]
    check_refused(state, *([] if key.endswith("channel_1_1.conv.weight") else [key]))  # this one counts the levels


def test_a_decoder_without_its_first_convolution_is_refused():
    state = state_dict("ed")
    del state["decoder.bottleneck.conv.weight"]
    check_refused(state, "decoder.bottleneck.conv.weight")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("ed", "encoder.bottleneck.blocks.0.conv.bias"),
        ("ed", "encoder.convs.channel_1_1.conv.weight"),
        ("ed", "encoder.convs.channel_2_0.bn.running_mean"),
        ("ed", "encoder.convs.spatial_1.conv.weight"),
        ("ed", "decoder.convs.channel_2_1.conv.weight"),
        ("e", "decoder.convs.channel_2_1.conv.conv.weight"),
        ("e", "decoder.convs.up_2.conv.weight"),
    ],
)
@pytest.mark.parametrize("change", ["longer", "a number", "no rows"])
def test_a_weight_of_another_shape_is_named(kind, key, change):
    state = state_dict(kind)
    tensor = state[key]
    state[key] = {"longer": torch.cat([tensor, tensor]), "a number": torch.tensor(1.0), "no rows": tensor[:0]}[change]
    check_refused(state, key)


@pytest.mark.parametrize(
    "key",
    [
        "encoder.bottleneck.blocks.0.conv.weight",
        "encoder.convs.spatial_0.conv.weight",
        "decoder.convs.spatial_1.conv.weight",
        "decoder.convs.head_1.conv.weight",
    ],
)
def test_a_number_in_place_of_a_weight_that_sizes_are_read_from_is_refused(key):
    state = state_dict("ed")
    state[key] = torch.tensor(1.0)
    check_refused(state)


def test_a_weight_with_its_axes_in_another_order_is_refused():
    state, key = state_dict("e"), "decoder.convs.channel_1_2.conv.conv.weight"
    state[key] = state[key].permute(0, 2, 3, 1)  # as Keras has them
    check_refused(state, key)


def test_a_weight_that_they_do_not_have_is_named():
    check_refused({**state_dict("ed"), "decoder.attention.weight": torch.zeros(1)}, "decoder.attention.weight")


def test_the_weights_of_another_network_are_refused():
    torchvisions = {"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3)}
    check_refused(torchvisions, "not a checkpoint of the authors' OneNet")


class RunsWhenUnpickled:
    """What a hostile file holds."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def hostile(path: Path) -> None:
    torch.save({"weight": RunsWhenUnpickled(f"touch {path}.ran")}, path)


def hostile_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(RunsWhenUnpickled(f"touch {path}.ran")))


def truncated(path: Path) -> None:
    path.write_bytes((FIXTURES / "authors_onenet_ed_2_w8.pth").read_bytes()[:30_000])


def of_a_list(path: Path) -> None:
    torch.save([torch.zeros(3)], path)


def of_a_module_of_numbers(path: Path) -> None:
    torch.save({"epoch": 3, "loss": 0.5}, path)


def of_nothing(path: Path) -> None:
    torch.save({}, path)


BAD_FILES = {
    "hostile": hostile,
    "hostile pickle": hostile_pickle,
    "truncated": truncated,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("these are not weights\nnor is this"),
    "an image": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "a list": of_a_list,
    "numbers": of_a_module_of_numbers,
    "nothing": of_nothing,
    "a tensor": lambda path: torch.save(torch.zeros(1), path),
    "none": lambda path: torch.save(None, path),
    "a pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
    "a page": lambda path: path.write_text("<!DOCTYPE html>\n<html>404</html>"),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "a folder": Path.mkdir,
    "missing": lambda path: None,
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_named_in_one_line_and_runs_nothing(kind, tmp_path):
    file = tmp_path / "weights.pth"
    BAD_FILES[kind](file)
    with pytest.raises(DataError) as caught:
        read_torch_file(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    assert not (tmp_path / "weights.pth.ran").exists()
    assert ("save its weights alone" in message) == (kind == "hostile")


def test_the_hostile_file_would_run_where_code_is_allowed(tmp_path):
    """So that the test above can fail."""
    file = tmp_path / "weights.pth"
    hostile(file)
    torch.load(file, weights_only=False)
    assert (tmp_path / "weights.pth.ran").exists()


def test_a_pickled_module_says_what_to_save_instead(tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "weights.pth")
    with pytest.raises(DataError, match=r"save its weights alone: torch\.save\(model\.state_dict\(\), FILE\)$"):
        read_torch_file(tmp_path / "weights.pth")


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "model.module.", "model._orig_mod.", "module.model."])
def test_names_of_wrappers_are_taken_off(prefix, tmp_path):
    wrapped = {f"{prefix}{key}": value for key, value in state_dict("ed").items()}
    torch.save({"state_dict": wrapped | {"n_averaged": torch.tensor(3)}}, tmp_path / "a.ckpt")
    found, expected = read_torch_file(tmp_path / "a.ckpt"), state_dict("ed")
    assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def test_two_networks_in_one_file_are_refused(tmp_path):
    torch.save({"model.a": torch.zeros(1), "a": torch.ones(1)}, tmp_path / "a.ckpt")
    with pytest.raises(DataError, match="holds two weights called a, one of them as a; save one network alone"):
        read_torch_file(tmp_path / "a.ckpt")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_inside_a_training_checkpoint_is_found(key, tmp_path):
    inner = {f"module.{name}": tensor for name, tensor in state_dict("ed").items()}  # saved by DataParallel
    torch.save({key: inner, "epoch": 3}, tmp_path / "checkpoint.pth")
    found = read_torch_file(tmp_path / "checkpoint.pth")
    assert found.keys() == state_dict("ed").keys()
