import pytest

from onenet.bench.fresh_networks import fresh_network
from onenet.bench.rewrites import forms_of, measure_rewrites
from onenet.cli.rewrites import rewrites_markdown

LEFT_OUT = [
    "norms not folded", "unshuffle and convolution apart", "transposed convolutions kept",
    "sums instead of concatenations", "plain: no rewrite",
]  # fmt: skip


def test_each_rewrite_that_a_network_has_is_left_out_once():
    assert list(forms_of(fresh_network("onenet-e-4,width=2"))) == ["conv", *LEFT_OUT]
    assert list(forms_of(fresh_network("onenet-ed-4,width=2"))) == [
        "conv", "norms not folded", "unshuffle and convolution apart", "concatenations kept", "plain: no rewrite",
        "flat",
    ]  # fmt: skip


@pytest.mark.slow
def test_every_form_is_timed_in_float_and_in_int8():
    result = measure_rewrites("onenet-e-4", width=2, size=32, repeats=1, threads=1)
    forms = list(dict.fromkeys(row["form"] for row in result["rows"]))
    assert forms == ["conv", *LEFT_OUT]
    assert {row["precision"] for row in result["rows"]} == {"float", "int8"}
    assert all(len(row["ms"]) == 1 and row["ms"][0] > 0 for row in result["rows"])
    text = rewrites_markdown([result])
    assert text.count("\n| onenet-e-4 |") == len(forms)
    assert "| model | form | onnxruntime float |" in text and "random weights" in text


@pytest.mark.slow
def test_a_network_that_has_one_is_timed_in_its_flat_form_too():
    forms = {row["form"] for row in measure_rewrites("onenet-ed-4", width=2, size=32, repeats=1, threads=1)["rows"]}
    assert "flat" in forms and "transposed convolutions kept" not in forms


@pytest.mark.slow
def test_enlargements_by_group_are_timed_in_int8_alone():
    result = measure_rewrites("onenet-x-n", width=8, size=32, repeats=1, threads=1)
    grouped = "grouped convolutions kept"
    assert {row["precision"] for row in result["rows"] if row["form"] == grouped} == {"int8"}
    line = next(line for line in rewrites_markdown([result]).splitlines() if grouped in line)
    assert line.count("| - ") == len({row["runtime"] for row in result["rows"]})  # in float they are not written anew
