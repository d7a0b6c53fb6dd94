import json
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import nn
from torch.optim.swa_utils import AveragedModel

import onenet
from onenet.checkpoint import load_weights, parameter_count
from onenet.errors import ConfigError, DataError, OneNetError
from onenet.models.network import Network
from onenet.training.starting import freeze

resource = pytest.importorskip("resource")


def small(name: str = "onenet-ed-4", seed: int = 0, **arguments) -> Network:
    torch.manual_seed(seed)
    return onenet.create_model(name, **{"width": 4, **arguments})


@pytest.fixture
def file(tmp_path):
    """A saved model."""
    onenet.save(small(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@contextmanager
def no_file_longer_than(length: int):
    """Writing more fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def check_same_weights(one: nn.Module, other: nn.Module) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), key


def check_refused(kind: type[OneNetError], file, *named: str) -> None:
    """One line that begins with the file and says what is wrong."""
    with pytest.raises(kind) as caught:
        onenet.load(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    for word in named:
        assert word in message


class TestSaveAndLoad:
    def test_weights_and_card_are_those_that_were_saved(self, tmp_path):
        model = small(num_classes=3)
        model.card = model.card.replace(classes=("background", "pet", "border"), training={"data": "pet-small"})
        onenet.save(model, tmp_path / "model.safetensors")
        loaded = onenet.load(tmp_path / "model.safetensors")
        check_same_weights(loaded, model)
        assert loaded.card == model.card.replace(version=onenet.__version__)

    def test_the_card_given_wins(self, tmp_path):
        model = small()
        onenet.save(model, tmp_path / "model.safetensors", card=model.card.replace(classes=("road", "rest")))
        assert onenet.load(tmp_path / "model.safetensors").card.classes == ("road", "rest")
        assert model.card.classes == ("background", "class 1")

    def test_it_is_loaded_on_the_cpu_in_evaluation_mode(self, file):
        model = onenet.load(file)
        assert not any(module.training for module in model.modules())
        assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}

    def test_it_can_be_trained_on(self, file):
        assert all(parameter.requires_grad for parameter in onenet.load(file).parameters())

    def test_saving_leaves_the_model_as_it_is(self, tmp_path):
        model = small().train()
        card = model.card
        onenet.save(model, tmp_path / "model.safetensors")
        assert model.training
        assert model.card == card

    def test_channels_last_and_half_precision_are_no_matter(self, tmp_path):
        model = small().half().to(memory_format=torch.channels_last)
        onenet.save(model, tmp_path / "model.safetensors")
        check_same_weights(onenet.load(tmp_path / "model.safetensors"), model.float())

    def test_what_becomes_of_the_file_is_no_matter_to_the_model(self, file):
        loaded, image = onenet.load(file), torch.rand(1, 3, 16, 16)
        with torch.no_grad():
            before = loaded(image)
            with file.open("r+b") as opened:  # in place, as a copy over it does
                opened.write(bytes(file.stat().st_size))
            assert torch.equal(loaded(image), before)
            file.write_bytes(b"")
            assert torch.equal(loaded(image), before)

    def test_a_compiled_model_is_saved_under_its_own_names(self, tmp_path):
        model = small()
        onenet.save(torch.compile(model, backend="eager"), tmp_path / "model.safetensors")
        check_same_weights(onenet.load(tmp_path / "model.safetensors"), model)

    @pytest.mark.parametrize(
        "wrap", [nn.DataParallel, AveragedModel, lambda model: AveragedModel(torch.compile(model, backend="eager"))]
    )
    def test_a_wrapped_model_is_saved_under_its_own_names(self, tmp_path, wrap):
        model = small()
        onenet.save(wrap(model), tmp_path / "model.safetensors")
        check_same_weights(onenet.load(tmp_path / "model.safetensors"), model)

    def test_a_path_may_be_a_string(self, file):
        assert onenet.load(str(file)).card == onenet.load(file).card

    def test_the_folder_of_a_run_is_its_model(self, file):
        assert onenet.load(file.parent).card == onenet.load(file).card

    def test_the_file_is_plain_safetensors(self, file):
        """Anyone can read it: the weights by name, the card as JSON in the metadata."""
        with safe_open(file, framework="np") as opened:
            assert set(opened.keys()) == set(small().state_dict())
            assert json.loads(opened.metadata()["card"])["architecture"] == "onenet-ed-4"


class WithSoftmax(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).softmax(1)


def first_norm(model):
    return next(part for part in model.modules() if isinstance(part, nn.BatchNorm2d))


class TestWriting:
    @pytest.mark.parametrize("name", ["model.pth", "model.pt", "model.onnx", "model"])
    def test_another_ending_is_refused(self, tmp_path, name):
        with pytest.raises(ConfigError, match=f"{name}: weights are saved as .safetensors"):
            onenet.save(small(), tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_a_module_without_a_card_needs_one(self, tmp_path):
        with pytest.raises(ConfigError, match="Linear without a card"):
            onenet.save(nn.Linear(2, 3), tmp_path / "model.safetensors")

    @pytest.mark.parametrize(
        ("card", "complaint"),
        [
            (lambda: small("unet-4").card, "another unet-4 than the model, which lacks the weights encoder.stem.0.0"),
            (lambda: small(width=8).card, "of shape (4, 3, 1, 1), where the network wants (8, 3, 1, 1)"),
            (lambda: small(num_classes=3).card, "where the network wants (3, 4, 1, 1)"),
            (lambda: small().card.replace(architecture="onenet-x"), "unknown model 'onenet-x'"),
            (lambda: small().card.replace(classes=("a", "b", "c")), "3 classes and 2 colours, but the model has 2"),
        ],
    )
    def test_the_card_of_another_network_is_refused(self, tmp_path, card, complaint):
        with pytest.raises(ConfigError) as caught:
            onenet.save(small(), tmp_path / "model.safetensors", card=card())
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'model.safetensors'}: the card") and "\n" not in message
        assert complaint in message
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (
                lambda m: setattr(m, "standardise", nn.Identity()),
                "has Identity() as its standardise, where the network",
            ),
            (lambda m: m.head.append(nn.Softmax(1)), "has Softmax(dim=1) as its head.2, which the network has not"),
            (lambda m: setattr(m.head[0], "padding_mode", "reflect"), "has Conv2d(4, 2, kernel_size=(1, 1), stride"),
            (lambda m: setattr(m.head[0], "__class__", WithSoftmax), "has WithSoftmax(4, 2, kernel_size=(1, 1)"),
            (lambda m: setattr(first_norm(m), "eps", 0.1), "has BatchNorm2d("),
        ],
    )
    def test_a_changed_part_that_weights_do_not_tell_of_is_refused(self, tmp_path, change, complaint):
        """The file would be read as the network as it was."""
        model = small("onenet-ed-4-half")
        onenet.save(model, tmp_path / "before.safetensors")
        change(model)
        with pytest.raises(ConfigError) as caught:
            onenet.save(model, tmp_path / "model.safetensors")
        assert complaint in str(caught.value) and "torch.save for changed ones" in str(caught.value)
        assert not (tmp_path / "model.safetensors").exists()

    def test_synchronised_frozen_and_compiled_parts_are_no_change(self, tmp_path):
        model = nn.SyncBatchNorm.convert_sync_batchnorm(small())
        onenet.save(model, tmp_path / "model.safetensors")
        model = small()
        freeze(model, "encoder")
        first_norm(model).momentum = 0.5
        model.encoder, model.head = (torch.compile(part, backend="eager") for part in (model.encoder, model.head))
        onenet.save(model, tmp_path / "model.safetensors")
        check_same_weights(onenet.load(tmp_path / "model.safetensors"), small())

    def test_files_that_say_what_does_nothing_are_read(self, tmp_path):
        """What `create_model` refuses now."""
        model = small()
        said = {"full_size": False, "spatial_place": "between", "spatial_in": "decoder", "spatial_order": "channel"}
        card = model.card.replace(arguments={**model.card.arguments, **said})
        onenet.save(model, tmp_path / "model.safetensors", card)
        check_same_weights(onenet.load(tmp_path / "model.safetensors"), model)

    def test_a_wrapper_with_a_card_is_saved_and_opened_with_it(self, tmp_path):
        wrapped = nn.DataParallel(small())
        wrapped.card = small().card.replace(classes=("sky", "cloud"))
        onenet.save(wrapped, tmp_path / "model.safetensors")
        assert onenet.load(tmp_path / "model.safetensors").card.classes == ("sky", "cloud")
        image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        expected = onenet.Segmenter(tmp_path / "model.safetensors", runtime="torch")(image).mask
        assert np.array_equal(onenet.Segmenter(AveragedModel(small().eval()))(image).mask, expected)

    @pytest.mark.parametrize(
        "values",
        [{"size": (0, 0)}, {"fit": "contain"}, {"background": 7}, {"colours": ((0, 0, 0), (0, 0, 300))}],
        ids=str,
    )
    def test_a_card_that_could_not_be_read_back_is_refused(self, tmp_path, values):
        onenet.save(small(), tmp_path / "model.safetensors")
        before = (tmp_path / "model.safetensors").read_bytes()
        card = small().card.replace(**values)
        with pytest.raises(ConfigError, match=r"model\.safetensors: the card could not be read back \("):
            onenet.save(small(), tmp_path / "model.safetensors", card)
        assert (tmp_path / "model.safetensors").read_bytes() == before

    def test_missing_folders_are_made(self, tmp_path):
        onenet.save(small(), tmp_path / "a" / "b" / "model.safetensors")
        assert onenet.load(tmp_path / "a" / "b").card.architecture == "onenet-ed-4"

    def test_a_full_disk_leaves_the_old_file_whole(self, file):
        before = file.read_bytes()
        with no_file_longer_than(1000), pytest.raises(OneNetError, match=r"model\.safetensors: cannot be written"):
            onenet.save(small(seed=1), file)
        assert file.read_bytes() == before
        assert list(file.parent.iterdir()) == [file]

    def test_a_failure_half_way_leaves_the_old_file_whole(self, file, monkeypatch):
        before = file.read_bytes()
        monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            onenet.save(small(seed=1), file)
        assert file.read_bytes() == before
        assert list(file.parent.iterdir()) == [file]

    def test_a_folder_that_is_a_file_is_refused(self, file):
        with pytest.raises(OneNetError, match="cannot be written"):
            onenet.save(small(), file / "model.safetensors")


class TestBadFiles:
    def test_missing(self, tmp_path):
        check_refused(DataError, tmp_path / "model.safetensors", "no such file")

    def test_a_folder_without_a_model(self, tmp_path):
        check_refused(DataError, tmp_path, "holds no model.safetensors")

    @pytest.mark.parametrize("kept", [0, 4, 100, 1000, -1])
    def test_truncated(self, file, kept):
        file.write_bytes(file.read_bytes()[:kept])
        check_refused(DataError, file, "not a complete .safetensors file")

    @pytest.mark.parametrize(
        "content", [b"hello", b"\xff" * 64, b"<html>404</html>" * 9], ids=["text", "bytes", "page"]
    )
    def test_not_safetensors(self, file, content):
        file.write_bytes(content)
        check_refused(DataError, file, "not a complete .safetensors file")

    def test_weights_without_a_card(self, file):
        safetensors.torch.save_file({"conv1.weight": torch.zeros(3)}, file)
        check_refused(DataError, file, "no card")

    @pytest.mark.parametrize("card", ["", "{", "[]", "{}", '{"architecture": "onenet-ed-4"}'])
    def test_a_damaged_card(self, file, card):
        safetensors.torch.save_file(small().state_dict(), file, metadata={"card": card})
        check_refused(DataError, file, "card")

    @pytest.mark.parametrize(
        "change",
        [
            {"architecture": "onenet-x"},
            {"architecture": 3},
            {"arguments": {"in_channels": 3, "num_classes": 2, "widht": 4}},
            {"arguments": {"in_channels": 3, "num_classes": 2, "width": "4"}},
            {"arguments": {"in_channels": 3, "num_classes": 2, "name": "unet-4"}},
            {"arguments": {"in_channels": 3.5, "num_classes": 2}},
            {"arguments": {"in_channels": "3", "num_classes": "2"}},
        ],
        ids=str,
    )
    def test_a_card_of_a_network_that_there_is_not(self, file, change):
        card = json.dumps({**json.loads(small().card.to_json()), **change})
        safetensors.torch.save_file(small().state_dict(), file, metadata={"card": card})
        check_refused(DataError, file, "card")

    def test_a_card_of_a_giant_network_takes_no_memory(self, file):
        """In a process of its own, which may have 4 GiB; the network would take 150."""
        giant = {"in_channels": 3, "num_classes": 2, "width": 4096}
        card = small().card.replace(arguments=giant).to_json()
        safetensors.torch.save_file(small().state_dict(), file, metadata={"card": card})
        code = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
import onenet
try:
    onenet.load({str(file)!r})
except Exception as error:
    print(type(error).__name__)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout == "DataError\n", done.stderr

    @pytest.mark.parametrize("other", ["unet-4", "onenet-e-4", "onenet-ed-5", "onenet-ed-4-spatial"])
    def test_weights_of_another_architecture(self, file, other):
        safetensors.torch.save_file(small().state_dict(), file, metadata={"card": small(other).card.to_json()})
        check_refused(DataError, file, "another")

    def test_weights_of_another_width(self, file):
        safetensors.torch.save_file(small().state_dict(), file, metadata={"card": small(width=8).card.to_json()})
        check_refused(DataError, file, "encoder.stem.1.conv.weight", "(4, 3, 1, 1)", "(8, 3, 1, 1)")

    def test_weights_too_many(self, file):
        tensors = {**small().state_dict(), "more.weight": torch.zeros(1)}
        safetensors.torch.save_file(tensors, file, metadata={"card": small().card.to_json()})
        check_refused(DataError, file, "more.weight")


class TestOtherPaths:
    def test_onnx_names_segmenter(self, tmp_path):
        check_refused(
            ConfigError, tmp_path / "model.onnx", "onenet.Segmenter", ".safetensors file that it was made from"
        )

    def test_the_state_of_a_run_names_the_model_beside_it(self, file):
        check_refused(ConfigError, file.with_name("last.ckpt"), f"the model is {file}")

    @pytest.mark.parametrize(("name", "near"), [("onenet-ed4", "onenet-ed-4"), ("unet", "unet-4")])
    def test_a_name_near_an_architecture_s_suggests_it(self, name, near, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        check_refused(DataError, name, "no such file; did you mean", near)
        check_refused(DataError, f"{name}.safetensors", "give a .safetensors file")

    @pytest.mark.parametrize("suffix", ["pth", "pt", "ckpt"])
    def test_pickled_weights_name_convert(self, tmp_path, suffix):
        check_refused(ConfigError, tmp_path / f"model.{suffix}", "onenet convert", "load_state_dict", "onenet.save")

    @pytest.mark.parametrize("name", ["photo.png", "photo.JPG"])
    def test_an_image_is_no_model(self, name, tmp_path):
        (tmp_path / name).write_bytes(b"pixels")
        check_refused(ConfigError, tmp_path / name, "is an image, not a model")

    @pytest.mark.parametrize("name", ["onenet-ed-4", "unet-4"])
    def test_an_architecture_has_no_weights(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        check_refused(ConfigError, name, "without weights", "onenet.create_model")

    def test_a_file_wins_over_a_name(self, file, monkeypatch):
        monkeypatch.chdir(file.parent)
        file.rename("unet-4")
        assert onenet.load("unet-4").card.architecture == "onenet-ed-4"


class TestLoadWeights:
    def test_the_missing_weight_and_the_source_are_named(self):
        model = small()
        tensors = {key: tensor for key, tensor in model.state_dict().items() if key != "head.bias"}
        with pytest.raises(DataError, match=r"^a\.pth: lacks the weights head\.bias"):
            load_weights(model, tensors, "a.pth")

    def test_nothing_is_loaded_where_one_does_not_fit(self):
        model, before = small(), small()
        tensors = {key: tensor.clone() + 1 for key, tensor in model.state_dict().items()}
        tensors["head.bias"] = torch.zeros(7)
        with pytest.raises(
            DataError, match=r"has the weights head\.bias of shape \(7,\), where the network wants \(2,\)"
        ):
            load_weights(model, tensors, "a.pth")
        check_same_weights(model, before)


def test_parameter_count_is_of_what_is_learnt_frozen_or_not():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert parameter_count(model) == 3 * 4 + 4 + 2 * 4  # running statistics are not learnt
    model[0].requires_grad_(False)
    assert parameter_count(model) == 3 * 4 + 4 + 2 * 4
