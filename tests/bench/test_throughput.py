"""The throughput of each way of reading images is measured on the same images, and adds up."""

import pytest

from onenet.bench.throughput import WAYS, measure_throughput
from onenet.cli.bench import throughput_markdown
from onenet.config import load_config
from onenet.errors import ConfigError


def test_every_way_reads_and_trains_and_says_how_long_it_waited(photos, tiny):
    config = load_config("default", [*tiny, f"data.root={photos(count=12)}", "train.epochs=1"])
    result = measure_throughput(config, rounds=1)
    assert [(row["cache"], row["workers"]) for row in result["rows"]] == list(WAYS)
    assert result["images"] == 8 and result["size"] == [16, 16] and result["device"] == "cpu"
    for row in result["rows"]:
        assert row["read_per_second"] > 0 and row["trained_per_second"] > 0
        assert 0 <= row["waiting"] <= 1


def test_several_devices_are_refused(photos, tiny):
    config = load_config("default", [*tiny, f"data.root={photos()}", "train.devices=2"])
    with pytest.raises(ConfigError, match=r"one device; leave train\.devices"):
        measure_throughput(config)


def test_the_table_has_a_row_per_way():
    rows = [{"cache": "none", "workers": 2, "read_per_second": 120.4, "trained_per_second": 60.6, "waiting": 0.125}]
    result = dict(
        data="photos", images=8, size=[16, 32], batch=4, model={"name": "unet-4", "width": 4}, device="cpu",
        precision="32-true", rounds=3, rows=rows,
    )  # fmt: skip
    lines = throughput_markdown(result).splitlines()
    assert lines[2] == "| none | 2 | 120 | 61 | 12 % |"
    assert lines[-1].startswith("unet-4, width 4, 8 images of photos at 16x32, batch 4, cpu, 32-true")
