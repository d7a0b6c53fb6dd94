"""The footprint of whole networks, read off their exported graphs: a pixel of NaN in float64 says what it must be."""

import logging
import warnings

import onnx
import pytest
import torch

import onenet
from onenet.deploy.footprint import graph_footprint, halo_of_file
from onenet.deploy.runner import Halo
from onenet.errors import DataError, ExportError
from onenet.export.conv import conv_form, plain_form
from onenet.models.catalog import list_models
from onenet.models.eager import EagerRunner


def network(name, **sizes):
    torch.manual_seed(0)
    narrow = dict(width=4, deepest=4) if name.startswith("onenet-x") else dict(width=2)
    return onenet.create_model(name, **narrow, **sizes).double().eval()


def exported(model, form=plain_form):
    """The graph of a form of the network, as torch writes it."""
    stride = model.stride
    image = torch.rand(1, 3, 3 * stride, 4 * stride, dtype=torch.float64)
    sizes = {2 + axis: stride * torch.export.Dim(name, min=1) for axis, name in enumerate(("rows", "columns"))}
    logging.disable(logging.WARNING)  # of the exporter, about torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(form(model), (image,), dynamo=True, verbose=False, dynamic_shapes=(sizes,))
    finally:
        logging.disable(logging.NOTSET)
    return made.model_proto


def in_double(model):
    return conv_form(model, torch.float64)


@pytest.mark.slow
def test_kernels_between_unshuffles_are_counted_once_in_every_form():
    model = network("onenet-x-n")
    found = [graph_footprint(exported(model, form)).halo() for form in (plain_form, in_double)]
    assert found == [EagerRunner(model).halo()] * 2


def check(nan, model, footprint, tight):
    """Compare with NaN at the pixels of a diagonal, which meets each row and each column once."""
    side = 64 if model.stride <= 16 else 128
    marked, pixels = nan.seen(model, (side, side), channels=3, pixels=[(place, place) for place in range(side)])
    for step in (3, model.stride):
        for block in nan.blocks(side, step):
            everything = 0, side
            for axis, asked in enumerate([(block, everything), (everything, block)]):
                found = footprint.needs(*asked, (side, side))[axis]
                true = nan.around(marked, pixels, *asked)[axis]
                assert found[0] <= true[0] and true[1] <= found[1]
                assert not tight or _rounded(found, model.stride) == _rounded(true, model.stride)


def _rounded(interval, stride):
    return interval[0] // stride, -(-interval[1] // stride)


@pytest.mark.parametrize(
    ("name", "sizes", "halo"),
    [
        ("onenet-e-4-half", dict(depth=2, stem_repeat=1), Halo(8, 8, 8, 8)),
        pytest.param("unet-4", dict(depth=2), Halo(24, 24, 24, 24), marks=pytest.mark.slow),
        pytest.param(
            "onenet-ed-4-spatial", dict(depth=1, stem_repeat=1), Halo(4, 4, whole_rows=True), marks=pytest.mark.slow
        ),
    ],
)
def test_the_walk_holds_what_nan_reaches(nan, name, sizes, halo):
    model = network(name, **sizes)
    footprint = graph_footprint(exported(model))
    assert footprint.stride == model.stride and footprint.halo() == halo
    check(nan, model, footprint, tight=not halo.whole_rows)


AVERAGED = ("lraspp-mobilenet-v3-small", "lraspp-mobilenet-v3-large")  # over the whole image


@pytest.mark.slow
@pytest.mark.parametrize("name", AVERAGED)
def test_a_network_that_averages_the_whole_image_cannot_be_cut(name):
    model = network(name)
    with pytest.raises(ExportError, match="looks at the whole image"):
        graph_footprint(exported(model)).halo()
    with pytest.raises(ExportError, match="depend on all rows"):
        EagerRunner(model).halo()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in list_models() if name not in AVERAGED])
def test_the_walk_holds_what_nan_reaches_in_every_network(nan, name):
    model = network(name)
    footprint = graph_footprint(exported(model))
    check(nan, model, footprint, tight="spatial" not in name)
    read, tried = footprint.halo(), EagerRunner(model).halo()
    assert read.whole_rows == tried.whole_rows
    if read.whole_rows:  # the walk cannot know that a row sees no more than the end of the row above it
        assert read.top >= tried.top and read.bottom >= tried.bottom
    else:
        assert read == tried


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", ["unet-4", "onenet-e-4", "onenet-ed-4", "onenet-d-4", "onenet-ed-4-spatial"])
def test_at_every_depth(nan, name, depth):
    model = network(name, depth=depth)
    check(nan, model, graph_footprint(exported(model)), tight="spatial" not in name)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The file of a network without norms at its end, 14 kB."""
    path = tmp_path_factory.mktemp("graph") / "small.onnx"
    onnx.save(exported(network("unet-4", depth=1)), path)
    return path


def test_a_file_its_bytes_and_a_model_say_the_same(small):
    found = halo_of_file(small)
    assert found == graph_footprint(small.read_bytes()).halo() == graph_footprint(onnx.load(small)).halo()
    assert found == Halo(10, 10, 10, 10)


@pytest.mark.slow
def test_logits_at_half_size_count_their_own_pixels():
    model = network("onenet-ed-4-half", depth=2, stem_repeat=1, full_size=False)
    footprint = graph_footprint(exported(model))
    assert footprint.scale == (0.5, 0.5) and footprint.halo() == Halo()
    assert footprint.needs((2, 4), (0, 2), (16, 16)) == ((4, 8), (0, 4))


@pytest.mark.slow
def test_a_flattened_image_whose_ends_meet_is_refused():
    model = network("onenet-ed-4-spatial", depth=1, stem_repeat=1, spatial_order="channel")
    with pytest.raises(ExportError, match="each row looks at all rows of the image") as refusal:
        graph_footprint(exported(model)).halo()
    assert "Reshape" in str(refusal.value)
    with pytest.raises(ExportError, match="depend on all rows"):
        EagerRunner(model).halo()


def test_what_is_no_graph_of_images_is_refused(small, tmp_path):
    for name, data in (("empty", b""), ("text", b"not a graph"), ("cut", small.read_bytes()[:200])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=f"{name}: not an ONNX file that can be read"):
            halo_of_file(tmp_path / name)
    with pytest.raises(DataError, match=r"gone\.onnx: no such file"):
        halo_of_file(tmp_path / "gone.onnx")
    fixed = onnx.load(small)
    for dim in fixed.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = 64
    with pytest.raises(ExportError, match="takes images of 64x64 only; export it with dynamic height and width"):
        graph_footprint(fixed)
    two = onnx.load(small)
    two.graph.input.append(onnx.helper.make_tensor_value_info("more", 1, [1]))
    with pytest.raises(ExportError, match="takes 2 inputs"):
        graph_footprint(two)
