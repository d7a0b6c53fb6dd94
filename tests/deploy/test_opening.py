import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import onenet
from onenet.deploy import opening
from onenet.deploy.exported import FlatRunner, ImageRunner
from onenet.deploy.opening import is_exported, open_exported
from onenet.deploy.runtime import OnnxRuntimeSession, OpenVinoSession
from onenet.errors import ConfigError, DataError, OneNetError


def test_exported_files_are_known_by_their_endings():
    assert is_exported("a.onnx") and is_exported("b.ONNX") and is_exported("c.openvino")
    assert not is_exported("a.safetensors") and not is_exported("runs/mine")


def test_runner_and_card_are_those_of_the_file(exported_files, flat):
    runner, card = open_exported(exported_files / "ed.flat.onnx", "onnxruntime")
    assert isinstance(runner, FlatRunner) and card == flat.card and runner.stride == 4
    runner, _ = open_exported(exported_files / "ed.onnx", "openvino")
    assert isinstance(runner, ImageRunner) and isinstance(runner.session, OpenVinoSession)


def test_without_the_other_runtime_nothing_is_measured(exported_files, monkeypatch):
    monkeypatch.setattr(opening, "installed", lambda name: name == "onnxruntime")
    monkeypatch.setattr(opening, "remembered_choice", None)
    runner, _ = open_exported(exported_files / "e.onnx")
    assert isinstance(runner.session, OnnxRuntimeSession)


def test_a_missing_runtime_is_named_with_its_extra(exported_files, monkeypatch):
    monkeypatch.setattr("onenet.deploy.runtime.installed", lambda name: False)
    with pytest.raises(OneNetError, match=r"openvino, which is not installed: pip install 'onenet-seg\[openvino\]'"):
        open_exported(exported_files / "e.onnx", "openvino")
    with pytest.raises(OneNetError, match=r"onnxruntime, which is not installed: pip install 'onenet-seg\[deploy\]'"):
        open_exported(exported_files / "e.onnx", "onnxruntime")


def foreign(path, shape=("b", 3, "h", "w"), outputs=2, then=""):
    """A graph that somebody else wrote: a 1x1 convolution, and an operator after it."""
    weights = np.random.default_rng(0).normal(size=(outputs, 3, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["z" if then else "y"])]
    if then:
        axis = {"axis": 1} if then in ("Softmax", "ArgMax") else {}
        nodes.append(helper.make_node(then, ["z"], ["y"], **axis))
    kind = TensorProto.INT64 if then == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "theirs", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", kind, ["b", 1 if then == "ArgMax" else outputs, "h", "w"])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return weights[:, :, 0, 0]


def test_a_foreign_file_is_used_with_names_for_its_classes(tmp_path):
    weights = foreign(tmp_path / "theirs.onnx")
    segmenter = onenet.Segmenter(tmp_path / "theirs.onnx", runtime="onnxruntime", classes=["background", "cat"])
    image = np.random.default_rng(1).random((33, 50, 3), dtype=np.float32)
    assert np.array_equal(segmenter(image).mask, (image @ weights.T).argmax(-1))
    assert segmenter.card.classes == ("background", "cat")


def test_a_foreign_file_with_one_output_has_two_classes(tmp_path):
    weights = foreign(tmp_path / "theirs.onnx", outputs=1)
    segmenter = onenet.Segmenter(tmp_path / "theirs.onnx", runtime="onnxruntime", classes=["background", "cat"])
    image = np.random.default_rng(1).random((33, 50, 3), dtype=np.float32)
    result = segmenter(image)
    logit = (image @ weights.T)[..., 0]
    assert np.array_equal(result.mask, logit > 0)
    np.testing.assert_allclose(result.probability[1], 1 / (1 + np.exp(-logit)), rtol=1e-5)


@pytest.mark.parametrize(("then", "outputs"), [("Sigmoid", 1), ("Softmax", 3)])
def test_probabilities_are_taken_for_what_they_are(tmp_path, then, outputs):
    names = ["a", "b", "c"][: max(2, outputs)]
    foreign(tmp_path / "plain.onnx", outputs=outputs)
    foreign(tmp_path / "theirs.onnx", outputs=outputs, then=then)
    image = np.random.default_rng(1).random((33, 50, 3), dtype=np.float32)
    plain, theirs = (
        onenet.Segmenter(tmp_path / f"{name}.onnx", runtime="onnxruntime", classes=names)(image)
        for name in ("plain", "theirs")
    )
    assert 0 < (plain.mask == 0).mean() < 1
    assert np.array_equal(theirs.mask, plain.mask)
    np.testing.assert_allclose(theirs.probability, plain.probability, atol=1e-5)


def test_a_foreign_file_without_names_says_what_to_do(tmp_path):
    foreign(tmp_path / "theirs.onnx")
    with pytest.raises(DataError, match=r"theirs.onnx: has no card.*--classes background,\.\.\. \(2 names\)"):
        open_exported(tmp_path / "theirs.onnx")
    with pytest.raises(ConfigError, match=r"--classes names 3 classes, but .*theirs\.onnx has 2 outputs"):
        open_exported(tmp_path / "theirs.onnx", classes=["a", "b", "c"])
    with pytest.raises(ConfigError, match="name at least two classes"):
        open_exported(tmp_path / "theirs.onnx", classes=["a"])
    with pytest.raises(ConfigError, match="names a twice"):
        open_exported(tmp_path / "theirs.onnx", classes=["a", "a"])


def test_a_file_of_ours_takes_no_names(exported_files):
    with pytest.raises(ConfigError, match=r"e\.onnx: knows its classes; leave --classes out"):
        open_exported(exported_files / "e.onnx", classes=["a", "b"])
    with pytest.raises(ConfigError, match=r"x\.openvino: knows its classes"):
        open_exported("x.openvino", classes=["a", "b"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(shape=("b", 3, 64, 64)), "takes images of 64x64 only"),
        (dict(shape=("b", "c", "h", "w")), "onenet runs graphs from images"),
        (dict(then="ArgMax"), r"its output tensor\(int64\) .*onenet runs graphs from images"),
    ],
)
def test_graphs_of_other_kinds_are_refused(tmp_path, changes, says):
    foreign(tmp_path / "theirs.onnx", **changes)
    with pytest.raises(DataError, match=says):
        open_exported(tmp_path / "theirs.onnx", classes=["a", "b"])


def test_a_truncated_file_is_refused(exported_files, tmp_path):
    whole = (exported_files / "e.onnx").read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.onnx").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.onnx: no ONNX file, or a truncated one"):
            open_exported(tmp_path / "cut.onnx", "onnxruntime")


def test_a_graph_that_no_runtime_takes_is_refused_in_one_line(exported_files, tmp_path):
    model = onnx.load(exported_files / "e.onnx")
    model.graph.node[0].op_type = "NoSuchThing"
    onnx.save(model, tmp_path / "odd.onnx")
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(DataError, match=r"odd\.onnx: cannot be loaded") as caught:
            open_exported(tmp_path / "odd.onnx", runtime)[0].run(np.zeros((1, 3, 4, 4), dtype=np.float32))
        assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_openvino_model_is_refused(tmp_path):
    (tmp_path / "x.openvino").mkdir()
    with pytest.raises(DataError, match=r"x\.openvino: holds no model of onenet"):
        open_exported(tmp_path / "x.openvino")
    with pytest.raises(ConfigError, match="only openvino runs this, not onnxruntime"):
        open_exported(tmp_path / "x.openvino", "onnxruntime")


def test_logits_that_are_no_whole_fraction_of_the_image_are_refused(tmp_path):
    weights = np.ones((2, 3, 3, 3), dtype=np.float32)  # a convolution without padding
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "valid",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 2, "p", "q"])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "v.onnx")
    segmenter = onenet.Segmenter(tmp_path / "v.onnx", runtime="onnxruntime", classes=["a", "b"])
    with pytest.raises(DataError, match="gives logits of 62x62 for an image of 64x64"):
        segmenter(np.zeros((64, 64, 3), dtype=np.uint8))
