import inspect

import numpy as np
import pytest
import torch
from torch import nn

import onenet
from onenet.errors import ConfigError
from onenet.layers.spatial import SpatialConv, SpatialConvChannelMajor
from onenet.models.network import Network

IN_ORDER = [
    "unet-4", "unet-5", "resnet34-unet", "resnet50-unet", "mobilenet-unet-4",
    "onenet-e-4", "onenet-e-5", "onenet-ed-4", "onenet-ed-5",
    "onenet-e-4-spatial", "onenet-e-5-spatial", "onenet-ed-4-spatial", "onenet-ed-5-spatial",
    "onenet-e-4-half", "onenet-ed-4-half", "onenet-d-4",
]  # fmt: skip
X = ["onenet-x-n", "onenet-x-s", "onenet-x-m", "onenet-x-s-decoder"]
RIVALS = ["dabnet", "erfnet", "lraspp-mobilenet-v3-small", "lraspp-mobilenet-v3-large", "u-lite"]  # test_rivals.py


def small(name: str, **arguments) -> Network:
    """A narrow network in evaluation mode; the same seed gives variants the same weights where they fit."""
    torch.manual_seed(0)
    return onenet.create_model(name, num_classes=3, **{"width": 8, **arguments}).eval()


@torch.inference_mode()
def logits(model: nn.Module, h: int = 32, w: int = 48) -> torch.Tensor:
    return model(torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(0)))


def spatial_places(model: Network) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, SpatialConv)]


def order_of_calls(model: Network, name: str) -> list[str]:
    """The parts of one block in the order in which they run."""
    calls = []
    for part, module in model.get_submodule(name).named_children():
        if not isinstance(module, nn.Identity):
            module.register_forward_hook(lambda *_, part=part: calls.append(part))
    logits(model)
    return calls


class TestNames:
    def test_they_stand_in_the_order_of_table_2(self):
        assert onenet.list_models() == IN_ORDER + X + RIVALS

    def test_the_list_is_the_callers_own(self):
        onenet.list_models().clear()
        assert onenet.list_models() == IN_ORDER + X + RIVALS

    @pytest.mark.parametrize("name", IN_ORDER)
    def test_each_says_what_is_built(self, name):
        """In its full width; on torch's meta device, which holds shapes only."""
        with torch.device("meta"):
            model = onenet.create_model(name)
        arguments = model.card.arguments
        assert model.card.architecture == name
        assert arguments["width"] == 64
        assert (arguments["in_channels"], arguments["num_classes"]) == (3, 2)
        if "resnet" in name:
            assert arguments["layers"] == int(name[6:8])
            assert len(model.encoder.layer3) == 6
            return
        assert arguments["depth"] == (5 if "-5" in name else 4)
        assert arguments["stem_repeat"] == (2 if name.startswith("unet") else 3)
        assert arguments.get("spatial_kernel", 0) == (9 if "spatial" in name else 0)
        assert arguments.get("half", False) == ("half" in name)
        one_d_encoder = name.startswith(("onenet-e-", "onenet-ed-"))
        one_d_decoder = name.startswith(("onenet-d-", "onenet-ed-"))
        assert any(isinstance(module, nn.PixelUnshuffle) for module in model.encoder.modules()) == one_d_encoder
        assert any(isinstance(module, nn.PixelShuffle) for module in model.decoder.modules()) == one_d_decoder
        assert any(isinstance(module, nn.MaxPool2d) for module in model.encoder.modules()) != one_d_encoder
        assert any(isinstance(module, nn.ConvTranspose2d) for module in model.decoder.modules()) != one_d_decoder

    @pytest.mark.parametrize(
        ("name", "levels"),
        [
            ("unet-4", [8, 16, 32, 64, 128]),
            ("onenet-e-5", [8, 16, 32, 64, 128, 256]),
            ("onenet-ed-4-half", [8, 16, 32, 64]),
            ("resnet34-unet", [8, 8, 16, 32, 64]),
            ("resnet50-unet", [8, 32, 64, 128, 256]),
        ],
    )
    def test_the_width_doubles_from_level_to_level_as_the_size_halves(self, name, levels):
        model = small(name)
        features = model.encoder(torch.zeros(1, 3, 32, 64))
        first = 2 if "half" in name or "resnet" in name else 1
        sizes = [(32 // first // 2**level, 64 // first // 2**level) for level in range(len(levels))]
        assert [tuple(level.shape[1:]) for level in features] == [
            (c, *size) for c, size in zip(levels, sizes, strict=True)
        ]


class TestWrongArguments:
    @pytest.mark.parametrize(
        ("name", "nearest"),
        [("onenet-ed4", "onenet-ed-4"), ("unet_4", "unet-4"), ("resnet34", "resnet34-unet"), ("UNET-4", "unet-4")],
    )
    def test_an_unknown_name_suggests_the_nearest(self, name, nearest):
        with pytest.raises(ConfigError, match=f"unknown model '{name}': did you mean .*{nearest}") as caught:
            onenet.create_model(name)
        assert "\n" not in str(caught.value)

    def test_a_trained_model_is_told_from_an_architecture(self):
        with pytest.raises(ConfigError, match=r"'pet' is a trained model of the package: onenet\.load\('pet'\)"):
            onenet.create_model("pet")

    def test_a_name_unlike_any_lists_them_all(self):
        with pytest.raises(ConfigError, match=r"choose from unet-4, unet-5, .*, onenet-d-4, .*, u-lite$"):
            onenet.create_model("xyz")

    @pytest.mark.parametrize(
        ("name", "argument", "nearest"),
        [
            ("onenet-ed-4", "spatial_kernal", "spatial_kernel"),
            ("onenet-ed-4", "widht", "width"),
            ("unet-4", "stem_repeats", "stem_repeat"),
        ],
    )
    def test_an_unknown_argument_suggests_the_nearest(self, name, argument, nearest):
        with pytest.raises(ConfigError, match=f"{name} has no argument '{argument}': did you mean {nearest}"):
            onenet.create_model(name, **{argument: 3})

    def test_an_argument_of_another_network_is_unknown(self):
        with pytest.raises(ConfigError, match="unet-4 has no argument 'spatial_kernel'"):
            onenet.create_model("unet-4", spatial_kernel=9)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"width": "64"},
            {"width": 8.0},
            {"depth": True},
            {"half": 1},
            {"replaced": None},
            {"spatial_place": 3},
        ],
        ids=str,
    )
    def test_a_size_of_the_wrong_type_names_itself_and_the_right_type(self, arguments):
        (key,) = arguments
        with pytest.raises(ConfigError, match=f"{key}=.*expected (int|bool|str)"):
            onenet.create_model("onenet-ed-4", **arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"num_classes": "3"},
            {"num_classes": 3.0},
            {"num_classes": True},
            {"in_channels": "3"},
            {"in_channels": None},
            {"in_channels": 1.0},
        ],
        ids=str,
    )
    def test_so_do_the_numbers_of_channels_and_classes(self, arguments, request):
        if request.config.getoption("jaxtyping_packages"):
            pytest.skip("the annotations are checked first")
        (key,) = arguments
        with pytest.raises(ConfigError, match=f"{key}="):
            onenet.create_model("onenet-ed-4", **arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"width": 0},
            {"width": -8},
            {"depth": 0},
            {"depth": 9},
            {"stem_repeat": 0},
            {"num_classes": 0},
            {"num_classes": 255},  # 255 is the label that is not counted
            {"in_channels": 0},
            {"spatial_kernel": -1},
            {"spatial_kernel": 8},
        ],
        ids=str,
    )
    def test_a_number_out_of_range_is_refused(self, arguments):
        ((key, value),) = arguments.items()
        with pytest.raises(ConfigError, match=f"{key}={value}: .*must be") as caught:
            onenet.create_model("onenet-ed-4", **arguments)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "sizes", [{"width": 4096}, {"depth": 8, "width": 256}, {"width": 65536, "depth": 8}], ids=str
    )
    def test_a_giant_is_refused_with_its_number_of_parameters_before_it_takes_memory(self, sizes):
        with pytest.raises(ConfigError, match=r"these sizes make [\d,]{13,} parameters; lower width") as caught:
            onenet.create_model("onenet-ed-4", **sizes)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("kind", [np.int64, np.uint8, torch.tensor])
    def test_whole_numbers_of_numpy_and_torch_are_whole_numbers(self, kind):
        arguments = onenet.create_model(
            "onenet-ed-4", in_channels=kind(1), num_classes=kind(3), width=kind(4)
        ).card.arguments
        assert [arguments[key] for key in ("in_channels", "num_classes", "width")] == [1, 3, 4]
        assert {type(arguments[key]) for key in ("in_channels", "num_classes", "width", "depth")} == {int}

    def test_checking_sizes_draws_no_random_numbers(self):
        torch.manual_seed(0)
        with torch.device("meta"):
            onenet.create_model("onenet-ed-4")
        first = torch.rand(1)
        torch.manual_seed(0)
        assert torch.equal(torch.rand(1), first)

    @pytest.mark.parametrize("argument", ["replaced", "spatial_in", "spatial_place", "spatial_order"])
    def test_a_choice_that_does_not_exist_lists_the_choices(self, argument):
        with pytest.raises(ConfigError, match=f"{argument}='everywhere': choose from .*, "):
            onenet.create_model("onenet-ed-4", **{argument: "everywhere"})

    def test_resnet_has_34_or_50_layers(self):
        with pytest.raises(ConfigError, match="layers=18: choose from 34, 50"):
            onenet.create_model("resnet34-unet", layers=18)

    def test_half_needs_a_1d_encoder_and_two_levels(self):
        with pytest.raises(ConfigError, match="half=True: only the 1D encoder"):
            onenet.create_model("onenet-d-4", half=True)
        with pytest.raises(ConfigError, match="depth must be at least 2"):
            onenet.create_model("onenet-ed-4-half", depth=1)

    @pytest.mark.parametrize(
        ("name", "arguments", "complaint"),
        [
            ("onenet-ed-4", {"spatial_place": "between"}, "spatial_place='between': there is no spatial convolution"),
            ("onenet-e-4", {"spatial_order": "channel"}, "spatial_order='channel': there is no spatial convolution"),
            ("onenet-ed-4", {"spatial_in": "decoder"}, "spatial_in='decoder': there is no spatial convolution"),
            ("onenet-ed-4-spatial", {"spatial_in": "encoder", "spatial_place": "between"}, "concerns the decoder"),
            ("onenet-e-4", {"spatial_place": "between"}, "concern the 1D decoder"),
            ("onenet-e-4", {"spatial_in": "decoder"}, "the decoder is 2D and has no such part"),
            ("onenet-ed-4", {"full_size": False}, "full_size=False: only networks with half=True"),
        ],
    )
    def test_an_argument_that_would_do_nothing_is_refused(self, name, arguments, complaint):
        with pytest.raises(ConfigError, match=complaint):
            onenet.create_model(name, **arguments)

    def test_pretrained_says_where_trained_weights_are(self):
        with pytest.raises(ConfigError, match=r"onenet\.load\('pet'\) gives a trained model"):
            onenet.create_model("onenet-x-s", pretrained=True)
        for name in onenet.list_models(trained=True):
            assert onenet.load(name).card.about["knows"]

    def test_every_argument_of_the_networks_is_documented(self):
        from onenet.models.onenet import onenet as build

        arguments = [key for key in inspect.signature(build).parameters if key not in ("in_channels", "num_classes")]
        assert [key for key in arguments if f"{key}: " not in build.__doc__] == []


class TestHalf:
    """The text's network: the input is unshuffled at once, and decoded to half its size."""

    @pytest.mark.parametrize("name", ["onenet-e-4-half", "onenet-ed-4-half"])
    def test_the_stem_takes_12_channels(self, name):
        first = next(m for m in small(name).encoder.stem.modules() if isinstance(m, nn.Conv2d))
        assert first.in_channels == 12

    @pytest.mark.parametrize("name", ["onenet-e-4-half", "onenet-ed-4-half"])
    def test_the_stem_is_one_of_the_four_downscalings(self, name):
        model = small(name)
        downs = [m for m in model.encoder.modules() if isinstance(m, nn.PixelUnshuffle)]
        assert len(downs) == 4
        assert model.stride == 16

    @pytest.mark.parametrize("name", ["onenet-e-4-half", "onenet-ed-4-half"])
    @pytest.mark.parametrize(("h", "w"), [(32, 48), (37, 53), (1, 1), (6, 100)])
    def test_full_size_logits_repeat_those_of_half_size(self, name, h, w):
        half = logits(small(name, full_size=False), h, w)
        full = logits(small(name), h, w)
        assert half.shape == (1, 3, -(-h // 2), -(-w // 2))
        assert full.shape == (1, 3, h, w)
        rows, columns = torch.arange(h) // 2, torch.arange(w) // 2
        assert torch.equal(full, half[:, :, rows][..., columns])

    def test_it_costs_a_quarter_of_the_full_decoder_pixels(self):
        finest = {}
        for name in ("onenet-ed-4", "onenet-ed-4-half"):
            model = small(name)
            model.decoder.register_forward_hook(lambda *args, name=name: finest.update({name: args[-1].shape[2:]}))
            logits(model)
        assert finest == {"onenet-ed-4": (32, 48), "onenet-ed-4-half": (16, 24)}


class TestVariants:
    @pytest.mark.parametrize(
        ("place", "order"),
        [
            ("before", ["up", "spatial_1", "channel_1", "channel_2"]),  # the authors' code
            ("between", ["up", "channel_1", "spatial_2", "channel_2"]),  # Fig. 1b
        ],
    )
    def test_place_of_the_spatial_convolution_in_the_decoder(self, place, order):
        model = small("onenet-ed-4-spatial", spatial_place=place)
        for block in range(4):
            assert order_of_calls(model, f"decoder.blocks.{block}") == order

    @pytest.mark.parametrize("place", ["before", "between"])
    def test_in_the_encoder_it_always_comes_first(self, place):
        model = small("onenet-ed-4-spatial", spatial_place=place)
        assert order_of_calls(model, "encoder.blocks.1") == ["down", "spatial_1", "channel_1", "channel_2"]

    @pytest.mark.parametrize(("order", "kind"), [("pixel", SpatialConv), ("channel", SpatialConvChannelMajor)])
    def test_order_in_which_the_tensor_is_flattened(self, order, kind):
        model = small("onenet-ed-4-spatial", spatial_order=order)
        places = spatial_places(model)
        assert len(places) == 8
        assert {type(model.get_submodule(place)) for place in places} == {kind}

    @pytest.mark.parametrize(
        ("where", "parts"), [("both", {"encoder", "decoder"}), ("encoder", {"encoder"}), ("decoder", {"decoder"})]
    )
    def test_part_that_has_the_spatial_convolution(self, where, parts):
        places = spatial_places(small("onenet-ed-4-spatial", spatial_in=where))
        assert {place.split(".")[0] for place in places} == parts
        assert len(places) == 4 * len(parts)

    def test_the_2d_decoder_has_no_place_for_one(self):
        assert all(place.startswith("encoder.") for place in spatial_places(small("onenet-e-4-spatial")))

    @pytest.mark.parametrize("kernel", [1, 3, 9])
    def test_length_of_the_spatial_kernel(self, kernel):
        model = small("onenet-ed-4", spatial_kernel=kernel)
        assert {model.get_submodule(p).conv.kernel_size for p in spatial_places(model)} == {(kernel,)}

    def test_no_kernel_no_spatial_convolution(self):
        assert spatial_places(small("onenet-ed-4-spatial", spatial_kernel=0)) == []

    @pytest.mark.parametrize("plain", [True, False])
    def test_plain_top_leaves_norm_and_relu_out_of_the_last_block_alone(self, plain):
        blocks = small("onenet-ed-4", plain_top=plain).decoder.blocks
        bare = [not any(isinstance(m, (nn.BatchNorm2d, nn.ReLU)) for m in block.modules()) for block in blocks]
        assert bare == [False, False, False, plain]

    @pytest.mark.parametrize("name", ["unet-4", "mobilenet-unet-4", "onenet-e-4", "resnet34-unet"])
    def test_the_top_of_the_2d_decoder_is_always_plain(self, name):
        blocks = small(name).decoder.blocks
        bare = [not any(isinstance(m, (nn.BatchNorm2d, nn.ReLU)) for m in block.modules()) for block in blocks]
        assert bare == [False] * (len(blocks) - 1) + [True]

    @pytest.mark.parametrize("variant", [{"spatial_place": "between"}, {"spatial_order": "channel"}], ids=str)
    def test_with_the_same_weights_place_and_order_give_other_logits(self, variant):
        code, other = small("onenet-ed-4-spatial"), small("onenet-ed-4-spatial", **variant)
        weights = code.state_dict()
        other.load_state_dict({key: weights[key.replace("spatial_2", "spatial_1")] for key in other.state_dict()})
        assert not torch.allclose(logits(code), logits(other), atol=1e-5)
        assert other.card.arguments.items() >= variant.items()

    def test_stem_repeat_counts_the_convolutions_of_the_stem(self):
        for name in ("onenet-ed-4", "unet-4", "mobilenet-unet-4"):
            stem = small(name, stem_repeat=4).encoder.stem
            assert len([m for m in stem.modules() if isinstance(m, nn.Conv2d)]) == 4

    def test_mobilenet_is_unet_with_separable_convolutions_below_the_stem(self):
        encoder = small("mobilenet-unet-4").encoder
        grouped = [m.groups > 1 for m in encoder.modules() if isinstance(m, nn.Conv2d)]
        assert grouped == [False] * 3 + [True, False] * 8

    @pytest.mark.parametrize(
        ("name", "skips"), [("onenet-ed-4", 3), ("onenet-e-4", 3), ("unet-5", 4), ("resnet34-unet", 4)]
    )
    def test_the_last_block_of_the_decoder_gets_no_skip(self, name, skips):
        model, joined = small(name), []
        for block in model.decoder.blocks:
            block.register_forward_pre_hook(lambda _, args: joined.append(len(args) - 1))
        logits(model)
        assert joined == [1] * skips + [0]
