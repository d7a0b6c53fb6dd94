"""The bench, against networks and times that are known beforehand."""

import json
import time

import pytest

import onenet
from onenet.bench.latency import Wanted, measure_latency
from onenet.bench.work import work_of_network
from onenet.errors import ConfigError

SMALL = "onenet-ed-4,width=4,depth=2,stem_repeat=1"


@pytest.fixture
def quick(monkeypatch):
    """Reference products that take no time."""
    monkeypatch.setattr("onenet.bench.latency.LARGE", (64, 32, 16))


def test_a_row_for_every_model_runtime_and_size(exported_files, nuclei_parts, quick):
    models = [str(exported_files / "ed.safetensors"), str(exported_files / "ed.flat.int8.onnx")]
    wanted = Wanted(
        sizes=(32, 48), runtimes=("torch", "onnxruntime"), threads=1, repeats=2, data=f"folder:{nuclei_parts}",
        literal=True, layers=True, fresh=False,
    )  # fmt: skip
    result = measure_latency(models, wanted)
    assert json.loads(json.dumps(result)) == result
    rows = result["rows"]
    assert [(row["size"], row["form"], row["precision"], row["runtime"]) for row in rows] == [
        (size, *row)
        for size in (32, 48)
        for row in (("literal", "float", "torch"), ("torch", "float", "torch"), ("flat rows", "int8", "onnxruntime"))
    ]
    for row in rows:
        first = next(other for other in rows if other["size"] == row["size"])
        assert row["ms"]["min"] <= row["ms"]["median"] <= row["ms"]["max"] and row["threads"] == 1
        assert row["images_per_second"] == pytest.approx(1000 / row["photo_ms"]["median"], rel=0.02)
        spread_of_ratios = first["ms"]["min"] / row["ms"]["max"], first["ms"]["max"] / row["ms"]["min"]
        assert spread_of_ratios[0] * 0.99 <= row["times_as_fast"] <= spread_of_ratios[1] * 1.01
        assert (row["layers"] is not None) == (row["runtime"] == "onnxruntime")
        reached = row["gops"] / row["ms"]["median"] * 1000
        assert row["gops_per_second"] == pytest.approx(reached, rel=0.1, abs=0.11)
        assert row["own_rate"] > 0
    assert [row["times_as_fast"] for row in rows[::3]] == [1, 1]
    expected = onenet.evaluate(models[1], f"folder:{nuclei_parts}").report.mean_iou
    assert [row["mean_iou"] for row in rows[:3]][::2] == [None, pytest.approx(expected, abs=1e-5)]
    assert {(rate["precision"], rate["image_size"]) for rate in result["rates"]} == {
        (precision, size) for precision in ("float", "int8") for size in (32, 48)
    }


def test_the_share_of_the_rate_is_that_of_the_best_runtime_in_the_same_rounds(exported_files, monkeypatch):
    """With reference products that sleep, the share is known beforehand, up to how long the model takes."""
    monkeypatch.setattr("onenet.bench.latency._reference_products", lambda threads: {
        ("onnxruntime", "float"): lambda: time.sleep(0.12), ("openvino", "float"): lambda: time.sleep(0.15),
    })  # fmt: skip
    wanted = Wanted(sizes=(32,), runtimes=("onnxruntime",), threads=1, repeats=3, fresh=False)
    result = measure_latency([str(exported_files / "ed.flat.onnx")], wanted)
    (row,) = result["rows"]
    rate = 2 * 4096 * 1024 * 1024 / 0.12 / 1e9
    assert [found["gops"] for found in result["rates"]] == pytest.approx([rate, rate * 0.12 / 0.15], rel=0.3)
    work = work_of_network(onenet.load(exported_files / "ed.safetensors").card, (32, 32)).operations
    low, high = (work / row["ms"][end] / 1e6 / rate for end in ("max", "min"))
    assert 0.7 * low - 0.001 <= row["share_of_rate"] <= 1.05 * high + 0.001


def test_the_literal_form_takes_whole_strides_only():
    with pytest.raises(ConfigError, match="--size 30: the literal form takes multiples of 4 only; use 32"):
        measure_latency([SMALL], Wanted(sizes=(32, 30), literal=True, fresh=False))
