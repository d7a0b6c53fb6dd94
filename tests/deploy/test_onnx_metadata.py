import onnx
import pytest

from onenet.deploy.onnx_metadata import read_metadata
from onenet.errors import DataError


def graph(**entries):
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, "n"]) for name in "xy"]
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [500], [0.0] * 500)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:], [weights]))
    onnx.helper.set_model_props(model, entries)
    return model.SerializeToString()


def test_entries_are_those_that_the_library_reads(tmp_path):
    entries = {"onenet.card": '{"a": "ä€😀"}', "long": "x" * 70_000, "empty": ""}
    (tmp_path / "a.onnx").write_bytes(graph(**entries))
    assert read_metadata(tmp_path / "a.onnx") == entries
    (tmp_path / "b.onnx").write_bytes(graph())
    assert read_metadata(tmp_path / "b.onnx") == {}


def test_a_file_cut_anywhere_is_refused_unless_it_ends_between_two_fields(tmp_path):
    whole = graph(key="value")
    refused = 0
    for length in range(len(whole)):
        (tmp_path / "cut.onnx").write_bytes(whole[:length])
        try:
            assert read_metadata(tmp_path / "cut.onnx") in ({}, {"key": "value"})
        except DataError as error:
            assert "cut.onnx: no ONNX file, or a truncated one; export it again" in str(error)
            refused += 1
    assert refused > 0.98 * len(whole) - 50


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"hello, I am a text\n" * 9, b"\xff" * 99])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.onnx: no ONNX file"):
        read_metadata(tmp_path / "x.onnx")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.onnx: cannot be read \(No such file or directory\)"):
        read_metadata(tmp_path / "no.onnx")
