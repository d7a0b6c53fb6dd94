"""What networks compute, counted by hand and in two ways."""

import onnx
import pytest

from onenet.bench import rates
from onenet.bench.fresh_networks import fresh_network
from onenet.bench.work import work_of, work_of_graph, work_of_network
from onenet.deploy.description import Description
from onenet.deploy.graph import read_graph
from onenet.export.conv import conv_form, plain_form
from onenet.export.graph import image_graph

SMALL = "onenet-ed-4,width=4,depth=2,stem_repeat=1"


def test_the_products_of_a_network_written_down_by_hand():
    work = work_of_network(fresh_network(SMALL).card, (8, 12))
    assert work.products == {
        (96, 3, 4): 1,  # stem
        (24, 16, 8): 1, (24, 8, 8): 1,  # half size: four pixels of 4 channels in, 8 out
        (6, 32, 16): 1, (6, 16, 16): 1,
        (6, 16, 32): 1,  # before the first shuffle, which leaves 8 channels
        (24, 16, 16): 2,  # 8 and the 8 of the skip
        (96, 4, 4): 2,
        (96, 4, 2): 1,  # head
    }  # fmt: skip
    assert work.operations == sum(count * rates.operations(shape) for shape, count in work.products.items())
    work.products.clear()  # what is counted once is nobody's own
    assert work_of_network(fresh_network(SMALL).card, (8, 12)).products


@pytest.mark.parametrize(("name", "form"), [("unet-4", plain_form), ("mobilenet-unet-4", conv_form)])
def test_a_graph_s_work_is_that_of_the_network_it_was_made_from(name, form, tmp_path):
    fresh, path = fresh_network(f"{name},width=4,depth=2"), tmp_path / "x.onnx"
    card, size = fresh.card, (16, 24)
    onnx.save(image_graph(form(fresh), card, Description()), path)
    network, graph = work_of_network(card, size), work_of_graph(read_graph(path), size)
    assert graph.operations == network.operations > 0
    assert graph.products == network.products and len(graph.products) > 5
    foreign = card.replace(architecture="foreign")
    assert work_of(foreign, path, size) == graph
    assert work_of(foreign, path.with_suffix(".xml"), size) is None
