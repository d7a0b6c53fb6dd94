"""Networks by others go through the same doors: the convolution form as ONNX, in float and in INT8."""

import pytest
from networks import uneven

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.export.exporting import Wanted, make_graphs

pytestmark = pytest.mark.slow

WIDTHS = {"dabnet": 8, "erfnet": 4, "lraspp-mobilenet-v3-small": 4, "lraspp-mobilenet-v3-large": 4, "u-lite": 4}


@pytest.mark.parametrize("name", WIDTHS)
def test_its_onnx_file_is_the_network(name):
    (made,) = make_graphs(uneven(name, width=WIDTHS[name]).float(), Wanted())  # which compares them
    assert made.description.form == "conv"
    assert (made.description.halo is None) == name.startswith("lraspp")
    kinds = {node.op_type for node in made.graph.graph.node}
    assert "BatchNormalization" not in kinds and not kinds & {"Dropout", "Shape"}


@pytest.mark.parametrize("name", ["dabnet", "erfnet"])
def test_it_can_be_quantised(name):
    dataset = open_dataset(parse_spec("pet-small:samples:oxford_pet"))
    network = uneven(name, width=WIDTHS[name], num_classes=dataset.num_classes).float()
    _, made = make_graphs(network, Wanted(int8=True, max_drop=100.0), dataset)
    assert made.description.precision == "int8" and made.parity.equal > 0.8
    assert set(made.islands) == {"dabnet": {"PRelu"}, "erfnet": {"ConvTranspose"}}[name]
