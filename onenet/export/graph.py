"""A form of a network -> an ONNX graph with its card in the metadata.

    image graph   image (b, c, h, w) float in [0, 1]  ->  logits (b, k, h, w);  h and w whole strides
    rows graph    pixels (n, c) float in [0, 1], whole tiles in Morton order  ->  logits (n, k): the flat form itself

Options put bytes (b, h, w, c) in place of the image, and class indices (b, h, w) in place of the logits.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.export import Dim

from onenet.card import Card
from onenet.deploy.description import CARD, DESCRIPTION, Description
from onenet.deploy.morton import morton_order
from onenet.export.flat import FlatForm
from onenet.export.tracing import untyped


class FlatImages(nn.Module):
    """The flat form behind an ordinary door: tiles are put in Morton order, and back, inside the graph."""

    def __init__(self, flat: FlatForm, decide: nn.Module) -> None:
        super().__init__()
        self.flat, self.decide = flat, decide
        self.tile = flat.tile
        self.left = flat.tile // 2 if flat.entering > flat.leaving else flat.tile  # side of a tile of logits
        self.order: Tensor
        self.places: Tensor
        self.register_buffer("order", torch.from_numpy(morton_order(self.tile)))
        self.register_buffer("places", torch.from_numpy(morton_order(self.left)).argsort())

    def forward(self, image: Float[Tensor, "b c h w"]) -> Tensor:
        b, c, h, w = image.shape
        rows, columns, tile, left = h // self.tile, w // self.tile, self.tile, self.left
        tiles = image.reshape(b, c, rows, tile, columns, tile).permute(0, 2, 4, 3, 5, 1)  # b rows columns tile tile c
        pixels = tiles.reshape(-1, tile * tile, c).index_select(1, self.order).reshape(-1, c)
        values = self.decide(self.flat(pixels))  # n k
        k = values.shape[1]
        tiles = values.reshape(-1, left * left, k).index_select(1, self.places).reshape(b, rows, columns, left, left, k)
        return tiles.permute(0, 5, 1, 3, 2, 4).reshape(b, k, rows * left, columns * left)


class Decide(nn.Module):
    """The class of each pixel or row, along axis 1, as a byte; where classes overlap its bit code."""

    def __init__(self, overlapping: bool) -> None:
        super().__init__()
        self.overlapping = overlapping

    def forward(self, logits: Float[Tensor, "b k *rest"]) -> UInt8[Tensor, "b 1 *rest"]:
        if not self.overlapping:
            return logits.argmax(1, keepdim=True).to(torch.uint8)
        bits = [(logits[:, index : index + 1] > 0).to(torch.int32) << index for index in range(logits.shape[1])]
        return torch.stack(bits).sum(0).to(torch.uint8)


class FromBytes(nn.Module):
    """Bytes (b, h, w, c), as decoders and cameras give them, as an image."""

    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b c h w"]:
        return pixels.permute(0, 3, 1, 2).to(torch.float32) / 255


class WithoutChannels(nn.Module):
    """Class indices without the axis of length one."""

    def forward(self, classes: UInt8[Tensor, "b 1 h w"]) -> UInt8[Tensor, "b h w"]:
        return classes.squeeze(1)


def image_graph(form: nn.Module, card: Card, description: Description) -> onnx.ModelProto:
    """The image graph of a form: "flat", "conv" or "plain" as in `description`, with its choice of input and output."""
    decide: nn.Module = Decide(card.overlapping) if description.output == "classes" else nn.Identity()
    parts = [FlatImages(form, decide)] if isinstance(form, FlatForm) else [form, decide]
    before = [FromBytes()] if description.input == "bytes" else []
    after = [WithoutChannels()] if description.output == "classes" else []
    h, w = 2 * card.stride, 3 * card.stride
    shape = (2, h, w, card.in_channels) if description.input == "bytes" else (2, card.in_channels, h, w)
    example = torch.zeros(shape, dtype=torch.uint8 if description.input == "bytes" else torch.float32)
    first = 1 if description.input == "bytes" else 2  # the axis of the height
    sizes = {
        0: Dim("b", min=1),
        first: card.stride * Dim("rows", min=1),
        first + 1: card.stride * Dim("columns", min=1),
    }
    return _graph(nn.Sequential(*before, *parts, *after), example, sizes, card, description)


def rows_graph(flat: FlatForm, card: Card, description: Description) -> onnx.ModelProto:
    """The rows graph of a flat form."""
    tile = flat.tile * flat.tile
    example = torch.zeros(2 * tile, card.in_channels)
    return _graph(flat, example, {0: tile * Dim("tiles", min=1)}, card, description)


def _graph(module: nn.Module, example: Tensor, sizes: dict, card: Card, description: Description) -> onnx.ModelProto:
    with _quiet(), untyped(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(), (example,), dynamo=True, opset_version=20, dynamic_shapes=(sizes,), verbose=False,
            input_names=[description.input], output_names=[description.output],
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    described(model, card, description)
    onnx.checker.check_model(model)
    return model


def described(model: onnx.ModelProto, card: Card, description: Description) -> None:
    """Put a card and a description into a graph's metadata, in place of what it has."""
    onnx.helper.set_model_props(model, {CARD: card.to_json(), DESCRIPTION: description.to_json()})
    model.producer_name, model.doc_string = "onenet", json.dumps({"classes": card.classes}, ensure_ascii=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks on its own insides are not for users."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
