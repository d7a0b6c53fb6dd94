"""Every form of an untrained network, as files."""

import numpy as np
import onnx

import onenet
from onenet.bench.forms import write_forms
from onenet.bench.fresh_networks import fresh_network
from onenet.bench.photos import photo_in_memory, prepared

SMALL = "onenet-ed-4,width=4,depth=2,stem_repeat=1"


def test_every_form_is_written_once(tmp_path, monkeypatch):
    paths = write_forms([SMALL], tmp_path)
    stem = "onenet-ed-4-width-4-depth-2-stem_repeat-1"
    endings = (".safetensors", ".conv.onnx", ".conv.int8.onnx", ".flat.onnx", ".flat.int8.onnx")
    assert [path.name for path in paths] == [stem + ending for ending in endings]
    array = prepared(photo_in_memory(3, 32), fresh_network(SMALL).card)
    reference = onenet.Segmenter(paths[0]).runner.run(array)
    for path in paths[1:]:
        segmenter = onenet.Segmenter(path, "onnxruntime", 1)
        logits, integers = segmenter.runner.run(array), "int8" in path.name
        assert segmenter.runner.description.precision == ("int8" if integers else "float")
        difference = np.abs(logits - reference)
        assert difference.mean() < 0.5 * reference.std() if integers else difference.max() < 1e-4
    monkeypatch.setattr("onenet.bench.forms.fresh_network", None)
    assert write_forms([SMALL], tmp_path) == paths


def test_int8_files_have_no_convolution_of_one_channel_to_several(tmp_path):
    path = next(path for path in write_forms(["onenet-x-n,width=8,deepest=16"], tmp_path) if "int8" in path.name)
    graph = onnx.load(path).graph
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    groups = [
        (attribute.i, shapes[source[node.input[1]]][0])
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "group" and attribute.i > 1
    ]
    assert groups and all(group == out for group, out in groups)
