from onenet.bench.rewrites import measure_rewrites
from onenet.cli.rewrites import rewrites_markdown


def test_each_rewrite_that_a_network_has_is_left_out_once():
    result = measure_rewrites("onenet-e-4", width=2, size=32, repeats=1, threads=1)
    forms = list(dict.fromkeys(row["form"] for row in result["rows"]))
    assert forms == [
        "conv", "norms not folded", "unshuffle and convolution apart", "transposed convolutions kept",
        "sums instead of concatenations", "plain: no rewrite",
    ]  # fmt: skip
    assert all(len(row["ms"]) == 1 and row["ms"][0] > 0 for row in result["rows"])
    text = rewrites_markdown([result])
    assert text.count("\n| onenet-e-4 |") == len(forms)
    assert "| model | form | onnxruntime float |" in text and "random weights" in text


def test_a_network_that_has_one_is_timed_in_its_flat_form_too():
    forms = {row["form"] for row in measure_rewrites("onenet-ed-4", width=2, size=32, repeats=1, threads=1)["rows"]}
    assert "flat" in forms and "transposed convolutions kept" not in forms
