"""OneNet-X: the paper's rule kept, a bound on how far it looks and on what it costs, and what its layouts mean."""

import pytest
import safetensors.torch
import torch
from torch import nn

import onenet
from onenet.bench.complexity import measure
from onenet.errors import ConfigError
from onenet.export.conv import conv_form
from onenet.models.catalog import create_model
from onenet.models.onenet_x import FARTHEST, Strips, parse_layout, reach_of
from onenet.models.probing import probed_halo

NAMES = [name for name in onenet.list_models() if name.startswith("onenet-x")]


def kernels(module):
    return [part.kernel_size for part in module.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]


def test_there_are_three_sizes_and_the_first_layout():
    assert NAMES == ["onenet-x-n", "onenet-x-s", "onenet-x-m", "onenet-x-s-decoder"]


@pytest.mark.parametrize("name", NAMES)
def test_no_kernel_is_larger_than_one_in_both_directions(name):
    found = kernels(create_model(name))
    assert found and all(1 in size for size in found)
    assert {max(size) for size in found} >= {1, 3}
    others = {type(part) for part in create_model(name).modules() if not list(part.children())}
    mixing = {kind.__name__ for kind in others} - {
        "Conv2d", "BatchNorm2d", "ReLU", "Identity", "Sequential", "Unshuffle", "Shuffle", "Standardise", "PadToStride"
    }  # fmt: skip
    assert not mixing  # nothing else that could look at a neighbour


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_at_most_96_pixels_far(name):
    network = create_model(name, width=8, deepest=16)
    halo = probed_halo(network, network.stride, 3)  # from NaN in an image
    assert 0 < max(halo.top, halo.bottom, halo.left, halo.right) <= FARTHEST
    assert halo.left > 16 and halo.top > 16  # it does see beyond a tile, in both directions


def test_s_stays_within_its_budget():
    small = measure(lambda: create_model("onenet-x-s"), (256, 256))
    whole = measure(lambda: create_model("unet-4"), (256, 256))
    assert small.parameters <= 1_500_000
    assert small.flops * 20 <= whole.flops


def test_sizes_grow():
    counts = [sum(parameter.numel() for parameter in create_model(name).parameters()) for name in NAMES[:3]]
    assert counts == sorted(counts) and counts[0] < counts[-1] / 4


def test_branches_and_norms_are_one_convolution_each_after_training():
    network = create_model(
        "onenet-x-n", width=8, deepest=16, encoder="9+3+1|3+1|3", decoder="|", num_classes=3, logits="finest"
    )
    network.train()(torch.rand(2, 3, 64, 64))
    form = conv_form(network.eval(), torch.float64)
    strips = [size for size in kernels(form) if max(size) > 2]
    assert sorted(strips) == [(1, 3), (1, 3), (1, 3), (1, 9), (3, 1), (3, 1), (3, 1), (9, 1)]  # and the enlargement
    assert not [part for part in form.modules() if isinstance(part, nn.BatchNorm2d)]
    image = torch.rand(1, 3, 48, 64, dtype=torch.float64)
    assert torch.allclose(form(image), network.double()(image), atol=1e-12)


def test_a_layout_is_read():
    assert parse_layout("encoder", "3r|9+3 3x2|3x2r", 3) == [
        (Strips((3,), relu=True),), (Strips((9, 3)), Strips((3,), 2)), (Strips((3,), 2, relu=True),)
    ]  # fmt: skip


def test_the_levels_logits_are_enlarged_and_summed():
    network = create_model("onenet-x-n", width=8, deepest=16, num_classes=3, decoder="").double().eval()
    for parameter in network.decoder.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    image = torch.rand(1, 3, 64, 48, dtype=torch.float64)
    with torch.no_grad():
        _, quarter, eighth, sixteenth = network.encoder(network.standardise(image))
        of_quarter, of_eighth, of_sixteenth = (
            torch.einsum("kc,bchw->bkhw", layer.weight[:, :, 0, 0], x) + layer.bias[:, None, None]
            for layer, x in zip(network.decoder.logits, (quarter, eighth, sixteenth), strict=True)
        )
        once = of_eighth + network.decoder.enlarge[0](of_sixteenth)
        twice = of_quarter + network.decoder.enlarge[1](once)
        assert torch.allclose(network(image), network.head(twice), atol=1e-12)


def test_every_level_of_the_decoder_adds_its_logits():
    network = create_model("onenet-x-s", width=8, deepest=16, num_classes=3).double().eval()
    parts = network.decoder
    assert len(parts.ups) == 3 and [layer.in_channels for layer in parts.fused.logits] == [4, 8, 16, 16]
    image = torch.rand(1, 3, 64, 48, dtype=torch.float64)
    with torch.no_grad():
        half, quarter, eighth, x = network.encoder(network.standardise(image))
        total = parts.fused.logits[3](x)
        for level, up, enlarge, skip in zip(
            (2, 1, 0), parts.ups, parts.fused.enlarge, (eighth, quarter, half), strict=True
        ):
            x = up.blocks(up.channel(torch.cat([nn.functional.pixel_shuffle(x, 2), skip], dim=1)))
            total = parts.fused.logits[level](x) + enlarge(total)
        assert total.shape[2:] == (32, 24)
        assert torch.allclose(network(image), network.head(total), atol=1e-12)


def test_the_finest_level_alone_has_logits_where_the_layout_says_so():
    sizes = dict(width=8, deepest=16, num_classes=3, expansion=1)
    network = create_model("onenet-x-s", logits="finest", **sizes)
    heads = [part for part in network.modules() if isinstance(part, nn.Conv2d) and part.out_channels == 3]
    assert heads == [network.head[0]] and heads[0].in_channels == 4
    network.eval()
    image = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        *finer, x = network.encoder(network.standardise(image))
        for block, skip in zip(network.decoder.blocks, finer[::-1], strict=True):
            x = block.blocks(block.channel(torch.cat([nn.functional.pixel_shuffle(x, 2), skip], dim=1)))
        assert torch.allclose(network(image), network.head[1](network.head[0](x)), atol=1e-6)


def test_a_block_without_expansion_has_one_channel_convolution():
    block = create_model("onenet-x-s", width=8, deepest=16).encoder.stem[-1].eval()
    assert [part.kernel_size for part in block.modules() if isinstance(part, nn.Conv2d)] == [(1, 3), (3, 1), (1, 1)]
    x = torch.rand(2, 4, 6, 5)
    with torch.no_grad():
        assert torch.equal(block(x), (x + block.narrow(block.strip(x).relu())).relu())


def test_a_fourth_level_adds_its_logits_at_half_the_size():
    sizes = dict(width=8, deepest=16, num_classes=3, decoder="")
    network = create_model("onenet-x-n", encoder="3r|3r|3r|3r", **sizes).double().eval()
    assert [layer.in_channels for layer in network.decoder.logits] == [4, 8, 16, 16]
    image = torch.rand(1, 3, 64, 48, dtype=torch.float64)
    with torch.no_grad():
        half = network.encoder(network.standardise(image))[0]
        assert half.shape == (1, 4, 32, 24) and len(network.encoder.stem) == 5  # its last part is a strip block
        before = network(image)
        layer = network.decoder.logits[0]
        added = torch.einsum("kc,bchw->bkhw", layer.weight[:, :, 0, 0], half) + layer.bias[:, None, None]
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
        assert torch.allclose(before - network(image), network.head(added), atol=1e-12)


def test_without_what_training_learns_the_coarsest_level_alone_is_bilinear():
    network = create_model("onenet-x-n", width=8, deepest=16, decoder="").double().eval()
    for layer in network.decoder.logits[:2]:
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    with torch.no_grad():
        image = torch.rand(1, 3, 160, 160, dtype=torch.float64)
        coarse = network.decoder.logits[2](network.encoder(network.standardise(image))[3])
        x = coarse
        for factor in (2, 2, 4):
            x = nn.functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
        assert torch.allclose(network(image)[:, :, 48:-48, 48:-48], x[:, :, 48:-48, 48:-48], atol=1e-12)


def test_a_card_of_the_layout_with_a_decoder_still_builds_that_network():
    layout = dict(encoder="3|3 3 3|3 3", decoder="3|3", width=64, deepest=160, expansion=2)
    old = create_model("onenet-x-s", **layout, logits="finest")
    named = create_model("onenet-x-s-decoder")
    assert [p.shape for p in old.parameters()] == [p.shape for p in named.parameters()]
    assert sum(parameter.numel() for parameter in old.parameters()) == 666_506
    assert len(old.decoder.blocks) == 2
    assert not [name for name, part in old.named_modules() if name.endswith("strip_act") and isinstance(part, nn.ReLU)]


@pytest.mark.parametrize(
    ("sizes", "unsaid"),
    [
        (dict(encoder="3|3 3 3|3 3", decoder="3|3", logits="finest", expansion=2), ("logits",)),
        (dict(encoder="3|3 3 3|3 3", decoder="3|3", logits="finest", expansion=2), ("logits", "expansion")),
        (dict(encoder="3r|3r|3r 3r|3r", decoder="", expansion=2), ("logits",)),
    ],
)
def test_files_made_before_a_choice_existed_are_what_they_were(sizes, unsaid, tmp_path):
    network = create_model("onenet-x-s", width=8, deepest=16, **sizes).eval()
    file = tmp_path / "now.safetensors"
    onenet.save(network, file)
    said = {key: value for key, value in network.card.arguments.items() if key not in unsaid}
    card = network.card.replace(arguments=said)
    (tmp_path / "old.safetensors").write_bytes(
        safetensors.torch.save(safetensors.torch.load_file(file), metadata={"card": card.to_json()})
    )
    image = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(onenet.load(tmp_path / "old.safetensors").eval()(image), network(image))


@pytest.mark.parametrize(
    ("encoder", "decoder", "logits"),
    [
        ("3r|3r|3r|3r 3r", "3r|3r|3r", "every"),
        ("3r|3r|3r 3r", "3r|3r", "every"),
        ("|||", "||", "every"),
        ("|||", "9|9|9", "every"),
        ("|||", "9||", "every"),
        ("3|3|3|", "|3|9", "finest"),
        ("3|3x2|3", "3|5", "every"),
        ("||", "", "finest"),
        ("3r|3r 3r 3r|3r 3r", "", "finest"),
        ("|||", "", "finest"),
        ("3r|3r|3r 3r 3r|3r 3r", "", "finest"),
        ("3x3|9|3x2|3", "", "finest"),
        ("9|3x2|3", "", "finest"),
        ("||", "|", "finest"),
        ("3|3 3|3 3", "3|3", "finest"),
        ("3|3 3 3|3 3", "3|3", "finest"),
        ("9|3x2|3", "|3 3", "finest"),
        ("|3|3 3 3", "3 3|", "finest"),
    ],
)
def test_how_far_it_looks_is_known_to_the_pixel(encoder, decoder, logits):
    layout = dict(encoder=encoder, decoder=decoder, logits=logits)
    network = create_model("onenet-x-n", width=4, deepest=4, **layout).double().eval()
    for parameter in network.parameters():
        parameter.data.abs_().add_(0.1)  # so that nothing cancels and no ReLU is closed
    image = torch.ones(1, 3, 272, 16, dtype=torch.float64, requires_grad=True)
    network(image)[:, :, 128:144].sum().backward()  # of one tile
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    up = parse_layout("decoder", decoder, 2, 3) if decoder else []
    reach = reach_of(parse_layout("encoder", encoder, 3, 4), up, logits == "every" or not up)
    assert (128 - int(rows[0]), int(rows[-1]) - 143) == (reach, reach)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (dict(encoder="3|3"), "encoder='3|3': has 2 levels, separated by |; it needs 3 or 4"),
        (
            dict(encoder="nonsense"),
            "='nonsense': has 1 level, separated by |; it needs 3 or 4, for example 3r|3r|3r",
        ),
        (dict(decoder="nonsense"), "='nonsense': has 1 level, separated by |; it needs 2 or 3, for example 3r|3r"),
        (dict(decoder="3|3"), "='3|3': has 2 levels; beside the 4 of encoder='3r|3r|3r|3r 3r' it needs one fewer"),
        (dict(encoder="3|3|3"), "has 3 levels; beside the 3 of encoder='3|3|3' it needs one fewer, as 3r|3r, or none"),
        (dict(logits="evry"), "logits='evry': did you mean every?"),
        (dict(encoder="3 3|3 3 3|3 3 3", decoder=""), "look 112 pixels far; at most 96"),
        (dict(encoder="3|3|3", decoder="3|4"), "'4' is no block; odd lengths as 3 or 9"),
        (dict(encoder="3|3x0|3", decoder=""), "'3x0' is no block"),
        (dict(encoder="9|9 9 9|9", decoder=""), "look 208 pixels far; at most 96"),
        (dict(encoder="3|3 3 3|3 3 3", decoder="3 3|3", logits="finest"), "look 108 pixels far; at most 96"),
        (dict(width=6), "width=6: must be a multiple of 4"),
    ],
)
def test_what_cannot_be_built_is_one_line(sizes, says):
    with pytest.raises(ConfigError) as caught:
        create_model("onenet-x-s", **sizes)
    assert says in str(caught.value)
