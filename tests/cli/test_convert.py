"""`onenet convert`: the authors' weights into ours and back."""

import pytest
import torch

import onenet
from onenet.models.authors import to_authors


@pytest.fixture(params=["onenet-ed-4", "onenet-e-4-spatial"])
def network(request):
    torch.manual_seed(0)
    return onenet.create_model(request.param, num_classes=3, width=4, depth=2, stem_repeat=2).eval()


@pytest.fixture
def authors(network, tmp_path):
    torch.save(to_authors(network), tmp_path / "authors.pth")
    return "authors.pth"


def test_the_converted_model_computes_what_the_authors_did(onenet_command, network, authors):
    done = onenet_command("convert", authors, "ours.safetensors")
    assert done.code == 0, done.err
    assert "width=4, depth=2, stem_repeat=2" in done.out and "num_classes=3" in done.out
    image = torch.rand(1, 3, 13, 18, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(onenet.load("ours.safetensors")(image), network(image))


def test_there_and_back_the_weights_are_the_same(onenet_command, authors):
    onenet_command("convert", authors, "ours.safetensors")
    assert onenet_command("convert", "--to-authors", "ours.safetensors", "back.pth").code == 0
    before, after = (torch.load(name, weights_only=True) for name in (authors, "back.pth"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_network_that_the_authors_do_not_have_is_refused(onenet_command, tmp_path):
    onenet.save(onenet.create_model("unet-4", width=4, depth=2), tmp_path / "unet.safetensors")
    assert (
        "the authors' code has no such network"
        in onenet_command("convert", "--to-authors", "unet.safetensors", "unet.pth").error
    )
    assert not (tmp_path / "unet.pth").exists()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file or directory"),
        (b"", "weights.pth: "),
        (b"not a checkpoint", "weights.pth: "),
        ({"epoch": 3}, "holds no state dict"),
        ([1, 2], "holds no state dict"),
        ({"conv1.weight": torch.zeros(3)}, "not a checkpoint of the authors' OneNet"),
        ({"encoder.bottleneck.blocks.0.conv.weight": torch.zeros(4, 1, 3)}, "not a checkpoint of the authors' OneNet"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(onenet_command, tmp_path, content, complaint):
    if content is not None:
        path = tmp_path / "weights.pth"
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert complaint in onenet_command("convert", "weights.pth", "ours.safetensors").error
    assert not (tmp_path / "ours.safetensors").exists()


def test_code_in_a_file_is_not_run(onenet_command, tmp_path):
    torch.save({"weight": Harmful(str(tmp_path / "harm-was-done"))}, tmp_path / "weights.pth")
    assert (
        "weights.pth: holds objects that only running their code could read"
        in onenet_command("convert", "weights.pth", "ours.safetensors").error
    )
    assert not (tmp_path / "harm-was-done").exists()


def test_a_file_is_not_converted_onto_itself(onenet_command, authors):
    assert "the same file" in onenet_command("convert", authors, f"./{authors}").error


def test_a_file_that_will_be_written_over_is_named(onenet_command, authors):
    assert onenet_command("convert", authors, "ours.safetensors").err == ""
    line = "note: ours.safetensors of before will be written over; to keep it, choose another name\n"
    assert onenet_command("convert", authors, "ours.safetensors").err == line


def test_a_model_of_the_package_is_known_by_its_name(onenet_command):
    line = onenet_command("convert", "--to-authors", "pet", "pet.pth").error
    assert line.startswith("onenet-x-s: the authors' code has no such network")


def test_the_ending_says_what_is_written(onenet_command, authors, tmp_path):
    assert "saved as .safetensors" in onenet_command("convert", authors, "ours.pt").error
    assert not (tmp_path / "ours.pt").exists()
    onenet_command("convert", authors, "ours.safetensors")
    for name in ("back.safetensors", "back", "back.ckpt"):
        line = onenet_command("convert", "--to-authors", "ours.safetensors", name).error
        assert line == f"{name}: the result is saved as .pth or .pt; change the ending"
        assert not (tmp_path / name).exists()
    assert onenet_command("convert", "--to-authors", "ours.safetensors", "back.pt").code == 0


def test_the_ending_is_looked_at_before_the_file(onenet_command):
    assert "ours.pt: the result is saved as" in onenet_command("convert", "gone.pth", "ours.pt").error
    assert "back.bin: " in onenet_command("convert", "--to-authors", "gone.safetensors", "back.bin").error


def test_an_exported_file_cannot_be_converted(onenet_command):
    line = onenet_command("convert", "--to-authors", "model.onnx", "back.pth").error
    assert (
        "model.onnx: an exported file has no torch weights; onenet.Segmenter and `onenet predict` run it, for all else"
        in line
    )
