import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import onenet
from onenet.card import Card
from onenet.deploy.runner import Halo
from onenet.errors import ConfigError, ExportError, FailedCheckError
from onenet.export import exporting
from onenet.export.exporting import Wanted, make_graphs, model_file


def run(graph, array):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: array})[0]


@pytest.mark.parametrize("family", ["flat", "conv"])
def test_the_image_graph_answers_to_plain_onnxruntime_for_any_batch_and_whole_strides(family, request):
    exports = request.getfixturevalue(family)
    graph = exports.graphs[""].graph
    for batch, height, width in ((1, 4, 4), (3, 8, 20), (2, 64, 4)):
        image = torch.rand(batch, 3, height, width)
        with torch.no_grad():
            expected = exports.network(image).numpy()
        assert np.abs(run(graph, image.numpy()) - expected).max() < 1e-5


def test_a_flat_form_is_written_twice_a_convolution_form_once(flat, conv):
    assert set(flat.graphs) == {"", ".flat", ".int8", ".flat.int8"}
    assert set(conv.graphs) == {"", ".int8"}
    rows = flat.graphs[".flat"]
    assert (rows.description.input, rows.description.tile, rows.description.form) == ("pixels", 4, "flat")
    assert {node.op_type for node in rows.graph.graph.node} == {"Gemm", "Relu", "Reshape", "Concat"}


def test_card_and_description_are_in_the_file(conv):
    entries = {entry.key: entry.value for entry in conv.graphs[".int8"].graph.metadata_props}
    assert Card.from_json(entries["onenet.card"], "x") == conv.card
    description = conv.graphs[".int8"].description
    assert description.from_json(entries["onenet.export"], "x") == description
    assert description.precision == "int8" and description.halo == conv.graphs[""].description.halo


def test_how_far_it_looks_is_in_the_description(flat, conv):
    assert flat.graphs[""].description.halo == Halo()
    halo = conv.graphs[""].description.halo
    assert halo.top % 4 == halo.left % 4 == 0 and 0 < halo.left < 32


def test_in_another_format_only_its_own_comparison_is_known(conv):
    made, exact = conv.graphs[".int8"], conv.graphs[""]
    other = made.in_other_format("", exact.description, exact.parity)
    assert (other.suffix, other.description, other.parity) == ("", exact.description, exact.parity)
    assert other.score is other.score_before is other.speed is None and other.islands == () and other.scored_on == ""
    assert other.graph is made.graph and other.compared_on == made.compared_on


def test_every_graph_was_compared_and_scored(flat, conv):
    for made in (*flat.graphs.values(), *conv.graphs.values()):
        assert made.parity.images >= 8 and made.parity.sizes[0] < made.parity.sizes[1]
        assert made.score_before is not None and made.score is not None
        if made.description.precision == "float":
            assert made.parity.failure() is None and made.score == pytest.approx(made.score_before, abs=1e-4)
        else:
            assert made.parity.equal > 0.9 and made.speed > 0


def test_a_network_is_not_changed_by_exporting_it(conv):
    network = onenet.create_model("onenet-e-4", width=4, depth=1, stem_repeat=1)
    before, card = copy.deepcopy(network.state_dict()), network.card
    make_graphs(network, Wanted())
    assert network.training and network.card is card
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_bytes_in_and_classes_out(conv):
    wanted = Wanted(input="bytes", output="classes")
    (made,) = make_graphs(conv.network, wanted, None)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)
    classes = run(made.graph, pixels)
    with torch.no_grad():
        logits = conv.network(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    assert classes.dtype == np.uint8 and classes.shape == (2, 16, 24)
    assert (classes == logits.argmax(1).numpy()).mean() > 0.999
    assert np.isnan(made.parity.largest) and made.parity.equal > 0.999


@pytest.mark.slow
def test_overlapping_classes_come_out_as_bit_codes():
    network = onenet.create_model("onenet-ed-4", width=4, depth=1, stem_repeat=1, num_classes=3).eval()
    network.card = network.card.replace(overlapping=True, background=None)
    (image, _) = make_graphs(network, Wanted(output="classes"))
    pixels = torch.rand(1, 3, 6, 8)
    with torch.no_grad():
        there = network(pixels)[0].numpy() > 0
    assert np.array_equal(run(image.graph, pixels.numpy())[0], there[0] + 2 * there[1] + 4 * there[2])


def test_the_exporters_known_mistake_is_caught(conv, monkeypatch):
    """A pixel-unshuffle that was written as SpaceToDepth has its channels in another order (onnxscript issue 2891)."""
    real = exporting.image_graph

    def mistaken(form, card, description):
        graph = real(form, card, description)
        return with_space_to_depth(graph)

    monkeypatch.setattr(exporting, "image_graph", mistaken)
    network = conv.network
    with pytest.raises(FailedCheckError, match=r"onenet-e-4.onnx is not the network: its logits differ by up to"):
        make_graphs(network, Wanted(form="plain"))


def with_space_to_depth(graph):
    """Every Reshape, Transpose, Reshape that unshuffles replaced by one SpaceToDepth, as the exporter once did."""
    nodes = list(graph.graph.node)
    turned = [n for n in nodes if n.op_type == "Transpose" and list(n.attribute[0].ints) == [0, 1, 3, 5, 2, 4]]
    assert len(turned) == 2
    for transpose in turned:
        first = next(n for n in nodes if transpose.input[0] in n.output)
        last = next(n for n in nodes if transpose.output[0] in n.input)
        assert first.op_type == last.op_type == "Reshape"
        node = onnx.helper.make_node("SpaceToDepth", [first.input[0]], [last.output[0]], blocksize=2)
        place = list(graph.graph.node).index(last)
        graph.graph.node.remove(last)
        graph.graph.node.insert(place, node)
    for gone in (n for t in turned for n in (t, next(m for m in nodes if t.input[0] in m.output))):
        graph.graph.node.remove(gone)
    return graph


def test_int8_that_loses_too_much_is_refused(conv, monkeypatch):
    scores = iter([0.8, 0.8, 0.8, *[0.5] * 50])  # the network, its float graph twice, INT8
    monkeypatch.setattr(exporting, "scored_mean_iou", lambda runner, card, dataset: next(scores))
    with pytest.raises(FailedCheckError, match=r"INT8 loses .* points of mean IoU on \d+ val images"):
        make_graphs(conv.network, Wanted(int8=True), conv.dataset)


@pytest.mark.parametrize(
    ("wanted", "kind", "says"),
    [
        (Wanted(form="flatt"), ConfigError, "--form flatt: did you mean flat"),
        (Wanted(input="byte"), ConfigError, "--input byte: did you mean bytes"),
        (Wanted(output="logit"), ConfigError, "--output logit: did you mean logits"),
        (Wanted(int8=True), ExportError, "calibrated on real images: name them with --data"),
        (Wanted(form="flat"), ExportError, "onenet-e-4 has 2D convolutions.*use the conv form"),
    ],
)
def test_what_cannot_be_made_is_refused(conv, wanted, kind, says):
    with pytest.raises(kind, match=says):
        make_graphs(conv.network, wanted, None)


def test_int8_is_not_made_of_the_plain_form(conv):
    with pytest.raises(ExportError, match="INT8 is made of the flat or the conv form"):
        make_graphs(conv.network, Wanted(int8=True, form="plain"), conv.dataset)


@pytest.mark.slow
def test_int8_that_decides_gives_the_classes_of_int8_logits(conv):
    wanted = Wanted(float_=False, int8=True, output="classes", max_drop=100.0)
    (made,) = make_graphs(conv.network, wanted, conv.dataset)
    image = np.random.default_rng(3).random((2, 3, 16, 24), dtype=np.float32)
    classes = run(made.graph, image)
    logits = run(conv.graphs[".int8"].graph, image)
    assert classes.dtype == np.uint8 and classes.shape == (2, 16, 24)
    assert (classes == logits.argmax(1)).mean() > 0.99
    assert made.score == pytest.approx(conv.graphs[".int8"].score, abs=0.01)
    assert made.parity.equal == pytest.approx(conv.graphs[".int8"].parity.equal, abs=0.01)


@pytest.mark.slow
def test_bytes_are_compared_on_bytes_whatever_the_images_are():
    network = onenet.create_model("onenet-ed-4", in_channels=5, width=4, depth=2, stem_repeat=1)
    made = make_graphs(network.eval(), Wanted(input="bytes"))[0]  # smooth noise, floats of any value
    assert made.parity.largest < 1e-4


def test_what_is_done_is_said(conv):
    said = []
    make_graphs(conv.network, Wanted(int8=True, max_drop=100.0), conv.dataset, said.append)
    assert said[0] == "writing the conv form of onenet-e-4"
    assert said[1].startswith("scoring it on the ") and said[-1] == "calibrating and scoring INT8"


def test_files_stand_beside_the_model(tmp_path):
    assert model_file(str(tmp_path)) == (tmp_path, "model")
    assert model_file("a/b.safetensors") == (exporting.Path("a"), "b")
