import pytest

from onenet.deploy.description import Description
from onenet.deploy.runner import Halo
from onenet.errors import DataError


@pytest.mark.parametrize(
    "description",
    [
        Description(),
        Description("conv", "bytes", "classes", "int8", 0, Halo(4, 8, 12, 16, True), ("conv_1", "conv_2")),
        Description("flat", "pixels", tile=16, halo=Halo()),
    ],
)
def test_what_is_written_is_read_back(description):
    assert Description.from_json(description.to_json(), "x") == description


def test_keys_of_a_later_version_are_passed_over():
    assert Description.from_json('{"form": "conv", "colour": "blue"}', "x") == Description("conv")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"halo": {"up": 1}}', '{"halo": 4}', '{"kept_float": 4}'])
def test_what_is_none_is_refused_by_the_files_name(text):
    with pytest.raises(DataError, match=r"^a\.onnx: its description cannot be read"):
        Description.from_json(text, "a.onnx")
