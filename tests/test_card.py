import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onenet.card import Card, default_classes, default_colours
from onenet.errors import DataError


@pytest.fixture
def card():
    return Card(
        architecture="onenet-ed-4",
        arguments={"in_channels": 3, "num_classes": 3, "width": 8},
        classes=("background", "cat", "Käfer 虫"),
        colours=((0, 0, 0), (230, 159, 0), (86, 180, 233)),
        background=None,
        stride=16,
        size=(192, 256),
        fit="cover",
        training={"data": "pet-small", "epochs": 3},
        scores={"miou": 0.5},
        version="0.1.0",
    )


def values(card: Card) -> dict:
    return json.loads(card.to_json())


def test_json_and_back_it_is_the_same(card):
    assert Card.from_json(card.to_json(), "m.safetensors") == card


def test_it_counts_channels_and_classes(card):
    assert (card.in_channels, card.num_classes) == (3, 3)


def test_replace_leaves_the_old_one(card):
    assert card.replace(fit="none").fit == "none"
    assert card.fit == "cover"


def test_a_field_of_a_later_version_is_passed_over(card):
    assert Card.from_json(json.dumps({**values(card), "invented": 1}), "m.safetensors") == card


def test_fields_with_a_default_may_be_missing(card):
    fewer = {key: values(card)[key] for key in ("architecture", "arguments", "classes", "colours", "size")}
    assert Card.from_json(json.dumps(fewer), "m.safetensors").stride == 1


DAMAGED = {
    "arguments": [None, [], {}, {"in_channels": "three"}, {"in_channels": 0}],
    "classes": [None, 3, [], ["background"]],
    "colours": [None, [], [[0, 0, 0]], [[0, 0], [1, 1], [2, 2]], [["red", 0, 0]] * 3, [[float("inf"), 0, 0]] * 3],
    "size": [None, 256, [], [256], ["a", "b"], {}, [float("inf"), 256], [float("nan"), 256]],
    "stride": [None, 0, -16, "16"],
    "background": ["background", 3, -1],
    "fit": [None, "bigger"],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, bad in DAMAGED.items() for value in bad], ids=lambda value: str(value)
)
def test_a_damaged_field_is_refused_in_one_line_with_the_file(card, key, value):
    with pytest.raises(DataError, match=r"^m\.safetensors: its card cannot be read") as caught:
        Card.from_json(json.dumps({**values(card), key: value}), "m.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["architecture", "arguments", "classes", "colours"])
def test_a_missing_field_is_refused(card, key):
    fewer = {name: value for name, value in values(card).items() if name != key}
    with pytest.raises(DataError, match=r"^m\.safetensors: "):
        Card.from_json(json.dumps(fewer), "m.safetensors")


def test_classes_that_are_not_those_of_the_network_are_refused(card):
    five = {**values(card), "arguments": {"in_channels": 3, "num_classes": 5}}
    with pytest.raises(DataError, match=r"^m\.safetensors: "):
        Card.from_json(json.dumps(five), "m.safetensors")


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"card"', "\x00", "{'a': 1}"])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(DataError, match=r"^m\.safetensors: its card cannot be read") as caught:
        Card.from_json(text, "m.safetensors")
    assert "\n" not in str(caught.value)


VOLUME = {
    "axis": 2,
    "spacing": [1.0, 0.5],
    "intensity": {"kind": "window", "centre": 40, "width": 400},
    "neighbours": 1,
    "postprocess": {"largest": [1, 2], "holes": []},
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spacing": None, "neighbours": 0},
        {"intensity": {"kind": "percentiles"}},
        {"intensity": {"kind": "percentiles", "low": 1, "high": 99.5}},
        {"intensity": {"kind": "zscore", "reach": 2}},
        {"intensity": {"kind": "window", "low": -100, "high": 200}},
    ],
)
def test_a_model_of_volumes_says_how_slices_are_made(card, changes):
    volume = {**VOLUME, **changes}
    assert Card.from_json(card.replace(volume=volume).to_json(), "m.safetensors").volume == volume


@pytest.mark.parametrize(
    "changes",
    [
        {"axis": 3},
        {"axis": None},
        {"spacing": [1.0]},
        {"spacing": [1.0, 0.0]},
        {"spacing": [1.0, float("nan")]},
        {"spacing": "ab"},
        {"neighbours": -1},
        {"neighbours": 2},  # five slices, but three channels
        {"intensity": None},
        {"intensity": {}},
        {"intensity": {"kind": "guess"}},
        {"intensity": {"kind": "window"}},
        {"intensity": {"kind": "window", "low": 5, "high": 5}},
        {"intensity": {"kind": "window", "centre": 5, "width": 0}},
        {"intensity": {"kind": "percentiles", "low": 99, "high": 1}},
        {"intensity": {"kind": "percentiles", "low": "a"}},
        {"intensity": {"kind": "zscore", "reach": float("inf")}},
        {"postprocess": {"smallest": [1]}},
        {"postprocess": {"largest": [3]}},
        {"postprocess": {"largest": 1}},
        {"postprocess": [1]},
    ],
)
def test_what_does_not_say_how_slices_are_made_is_refused(card, changes):
    text = json.dumps({**values(card), "volume": {**VOLUME, **changes}})
    with pytest.raises(DataError, match=r"^m\.safetensors: its card cannot be read") as caught:
        Card.from_json(text, "m.safetensors")
    assert "\n" not in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
SOUND = {
    "architecture": "unet-4",
    "arguments": {"in_channels": 3, "num_classes": 2},
    "classes": ["a", "b"],
    "colours": [[0, 0, 0], [1, 1, 1]],
    "size": [8, 8],
    "stride": 16,
    "background": 0,
    "volume": {},
}


@given(key=st.sampled_from(list(SOUND)), value=ANYTHING)
def test_whatever_stands_in_a_field_it_reads_or_raises_a_data_error(key, value):
    try:
        card = Card.from_json(json.dumps({**SOUND, key: value}), "m.safetensors")
    except DataError:
        return
    assert len(card.classes) == len(card.colours)


@pytest.mark.parametrize("count", [1, 2, 3, 15, 21, 38, 254])
@pytest.mark.parametrize("background", [0, None])
def test_default_colours_are_distinct(count, background):
    colours = default_colours(count, background)
    assert len(set(colours)) == count
    assert all(0 <= value <= 255 for colour in colours for value in colour)
    assert [index for index, colour in enumerate(colours) if colour == (0, 0, 0)] == ([0] if background == 0 else [])


def test_default_names():
    assert default_classes(3) == ("background", "class 1", "class 2")
    assert default_classes(2, background=None) == ("class 0", "class 1")
    assert default_classes(3, background=2) == ("class 0", "class 1", "background")
