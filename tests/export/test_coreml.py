import json
import shutil

import numpy as np
import pytest
import torch

import onenet
from onenet.card import Card
from onenet.deploy.description import Description
from onenet.errors import ExportError, FailedCheckError
from onenet.export import coreml
from onenet.export.coreml import PackageInTorch, make_package, write_package

coremltools = pytest.importorskip("coremltools", reason="in an environment of its own: test_phone_environment.py")

CONV = Description(form="conv")


@pytest.mark.parametrize("name", ["onenet-ed-4", "onenet-e-4", "unet-4", "onenet-x-n"])
def test_networks_convert_with_their_shuffles(name, tmp_path):
    network = onenet.create_model(name, width=4).eval()
    write_package(network, network.card, CONV, tmp_path / "x.mlpackage")
    program = coremltools.models.MLModel(str(tmp_path / "x.mlpackage"), skip_model_load=True)
    (block,) = program.get_spec().mlProgram.functions["main"].block_specializations.values()
    kinds = {operation.type for operation in block.operations} - {"const"}
    assert kinds <= {"conv", "relu", "concat", "pixel_shuffle", "max_pool", "add"}
    assert Card.from_json(program.user_defined_metadata["onenet.card"], "x") == network.card
    computed = PackageInTorch(tmp_path / "x.mlpackage")
    for shape in ((1, 3, 16, 48), (2, 3, 32, 16)):
        image = torch.rand(shape)
        with torch.no_grad():
            assert np.abs(computed(image.numpy()) - network(image).numpy()).max() < 1e-5


def test_the_input_takes_any_size(conv, tmp_path):
    write_package(conv.network, conv.card, CONV, tmp_path / "x.mlpackage")
    spec = coremltools.models.MLModel(str(tmp_path / "x.mlpackage"), skip_model_load=True).get_spec()
    (image,) = spec.description.input
    ranges = [(size.lowerBound, size.upperBound) for size in image.type.multiArrayType.shapeRange.sizeRanges]
    assert image.name == "image" and ranges == [(1, 1), (3, 3), (4, 2048), (4, 2048)]
    assert [output.name for output in spec.description.output] == ["logits"]


def test_a_single_wrong_weight_is_caught(conv, monkeypatch):
    real = coreml.conv_form

    def mistaken(network):
        form = real(network)
        next(form.parameters()).data.view(-1)[0] += 0.5
        return form

    monkeypatch.setattr(coreml, "conv_form", mistaken)
    with pytest.raises(FailedCheckError, match=r"onenet-e-4\.mlpackage is not the network: .*; nothing was written"):
        make_package(conv.network, conv.graphs[""], None)


def test_what_cannot_be_compared_is_refused():
    network = onenet.create_model("onenet-e-4-spatial", width=4, depth=1, stem_repeat=1).eval()
    graph = onenet_graph(network)
    with pytest.raises(ExportError, match=r"the Core ML program holds .*reshape.*, which cannot be compared here"):
        make_package(network, graph, None)


def onenet_graph(network):
    from onenet.export.exporting import Wanted, make_graphs

    return make_graphs(network, Wanted())[0]


def test_the_command_writes_a_package_and_says_what_was_compared(onenet_command, exported_files, tmp_path):
    shutil.copy(exported_files / "ed.safetensors", tmp_path / "small.safetensors")
    done = onenet_command("export", "small.safetensors", "--to", "coreml")
    assert done.code == 0, done.err
    assert "small.mlpackage: Core ML runs on Apple's machines only; compared was its program" in done.out
    assert "onenet predict" not in done.err
    done = onenet_command("export", "small.safetensors", "--to", "onnx,coreml", "--json")  # in the place of the first
    row = json.loads(done.out)["files"][-1]
    assert row["file"] == "small.mlpackage" and row["form"] == "conv" and row["megabytes"] > 0
    assert row["largest_difference"] < 1e-5 and row["images"] >= 8
    assert sorted(path.name for path in (tmp_path / "small.mlpackage").iterdir()) == ["Data", "Manifest.json"]
