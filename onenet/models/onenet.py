"""OneNet (paper, section 3): U-Net whose convolutions are pixel re-positioning and channel-wise 1D convolutions.

    onenet-e    1D encoder, 2D decoder        onenet-ed   1D encoder, 1D decoder
    onenet-d    2D encoder, 1D decoder: the fourth cell of the square, which the paper rules out without a figure

Where the paper's text, figures and code disagree, the argument names the choice and its default is the code's;
docs/paper-map.md lists them.
"""

from functools import partial
from typing import Any

from torch import nn

from onenet.errors import ConfigError
from onenet.layers.shuffle import Repeat
from onenet.layers.spatial import ORDERS, SpatialConv, SpatialConvChannelMajor
from onenet.models.decoder import Decoder, conv_decoder, onenet_decoder
from onenet.models.encoder import Encoder, Part, conv_encoder, onenet_encoder, plain_conv
from onenet.models.network import Network

REPLACED = ("e", "d", "ed")
PLACES = ("before", "between")
PARTS = ("encoder", "decoder", "both")


def onenet(
    in_channels: int = 3,
    num_classes: int = 2,
    width: int = 64,
    depth: int = 4,
    stem_repeat: int = 3,
    spatial_kernel: int = 0,
    replaced: str = "ed",
    spatial_in: str = "both",
    spatial_place: str = "before",
    spatial_order: str = "pixel",
    plain_top: bool = False,
    half: bool = False,
    full_size: bool = True,
) -> Network:
    """Build a OneNet.

    Args:
        width: channels of the stem; level i has width * 2^i.
        depth: number of down-scalings by 2; the stride is 2^depth.
        stem_repeat: channel convolutions in the stem ("initial bottleneck"): 3 in Table 2, 2 in their configurations.
        spatial_kernel: odd length of the spatial convolution ("-S", paper 9), 0 for none ("-C").
        replaced: "e" the encoder is 1D, "ed" both are, "d" the decoder alone.
        spatial_in: "both", "encoder" or "decoder": where the spatial convolutions stand (Table 2's ed,4 row has them
            in the decoder only).
        spatial_place: in the decoder "before" both channel convolutions (code) or "between" them (Fig. 1b).
        spatial_order: the tensor is flattened "pixel" by pixel (3.2, code) or "channel" by channel (3.3).
        plain_top: the 1D decoder's top block without norm and ReLU (Fig. 2's caption); the 2D decoder's never has them.
        half: the text's network: the stem unshuffles at once and counts as one of the `depth` levels; the decoder
            stops at half size.
        full_size: with `half`, repeat each pixel so that the logits have the image's size; False leaves them at half.
    """
    _check_choice("replaced", replaced, REPLACED)
    _check_choice("spatial_in", spatial_in, PARTS)
    _check_choice("spatial_place", spatial_place, PLACES)
    _check_choice("spatial_order", spatial_order, ORDERS)
    if spatial_kernel and spatial_kernel % 2 == 0:
        raise ConfigError(f"spatial_kernel={spatial_kernel}: the kernel's length must be odd, or 0 for none")
    missing = {"e": "decoder", "d": "encoder"}.get(replaced)
    if spatial_in == missing:
        raise ConfigError(
            f"spatial_in={spatial_in!r}: with replaced={replaced!r} the {missing} is 2D and has no such part"
        )
    if missing == "decoder" and (plain_top or spatial_place != "before"):
        raise ConfigError("plain_top and spatial_place concern the 1D decoder, which replaced='e' has not")
    _check_spatial(spatial_kernel, spatial_in, spatial_place, spatial_order)
    if half and replaced == "d":
        raise ConfigError("half=True: only the 1D encoder's stem can unshuffle; use replaced='e' or 'ed'")
    if not half and not full_size:
        raise ConfigError("full_size=False: only networks with half=True (onenet-ed-4-half) have logits at half size")
    if half and depth < 2:
        raise ConfigError(f"depth={depth}: with half=True the stem is one of the levels, so depth must be at least 2")

    conv = {"pixel": SpatialConv, "channel": SpatialConvChannelMajor}[spatial_order]
    spatial = partial(conv, spatial_kernel) if spatial_kernel else nn.Identity
    blocks = depth - 1 if half else depth
    encoder = _encoder(replaced, in_channels, width, blocks, stem_repeat, _part(spatial, spatial_in, "encoder"), half)
    decoder = _decoder(replaced, width, blocks, _part(spatial, spatial_in, "decoder"), spatial_place, plain_top)
    head: nn.Module = (
        nn.Conv2d(width, num_classes, 3, padding=1) if replaced == "e" else nn.Conv2d(width, num_classes, 1)
    )
    if half and full_size:
        head = nn.Sequential(head, Repeat())
    return Network(encoder, decoder, head, in_channels, stride=2**depth)


def _part(spatial: Part, spatial_in: str, here: str) -> Part:
    return spatial if spatial_in in ("both", here) else nn.Identity


def _encoder(
    replaced: str, in_channels: int, width: int, blocks: int, stem_repeat: int, spatial: Part, half: bool
) -> Encoder:
    if replaced == "d":
        return conv_encoder(in_channels, width, blocks, stem_repeat, plain_conv)
    return onenet_encoder(in_channels, width, blocks, stem_repeat, spatial, half)


def _decoder(replaced: str, width: int, blocks: int, spatial: Part, place: str, plain_top: bool) -> Decoder:
    if replaced == "e":
        return conv_decoder([width * 2**i for i in range(blocks + 1)], skips=blocks - 1, plain_top=True)
    return onenet_decoder(width, blocks, spatial, place == "between", plain_top)


def effective(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same network, with the default for what would do nothing: a file of before may say what is refused now."""
    defaults: dict[str, Any] = {} if arguments["half"] else {"full_size": True}
    if not arguments["spatial_kernel"]:
        defaults |= {"spatial_in": "both", "spatial_place": "before", "spatial_order": "pixel"}
    elif arguments["spatial_in"] == "encoder":
        defaults["spatial_place"] = "before"
    return arguments | defaults


def _check_spatial(kernel: int, where: str, place: str, order: str) -> None:
    """Nothing may be asked of a convolution that is not there."""
    asked = {"spatial_in": (where, "both"), "spatial_place": (place, "before"), "spatial_order": (order, "pixel")}
    given = next((f"{key}={found!r}" for key, (found, default) in asked.items() if found != default), "")
    if given and not kernel:
        raise ConfigError(f"{given}: there is no spatial convolution; give spatial_kernel=9, too")
    if place != "before" and where == "encoder":
        raise ConfigError(f"spatial_place={place!r} concerns the decoder, which spatial_in='encoder' leaves without")


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{key}={value!r}: choose from {', '.join(choices)}")
