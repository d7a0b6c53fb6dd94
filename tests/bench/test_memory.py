"""Peak memory of processes, and the picture of it."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from onenet.bench.memory import Row, measure_memory, memory_markdown, parse_sizes, photo_strips, write_photo
from onenet.bench.memory_plot import draw_memory
from onenet.errors import ConfigError, OneNetError

ROWS = [
    Row(512, 512, "whole", 300.4, 1.0), Row(512, 512, "tiled", 200.0, 1.1), Row(4096, 4096, "tiled", 210.0, 60.0),
]  # fmt: skip


def test_the_photo_is_a_real_one_mirrored_to_any_size(tmp_path):
    write_photo(tmp_path / "photo.png", (700, 33))
    image = np.asarray(Image.open(tmp_path / "photo.png"))
    assert image.shape == (700, 33, 3) and image.std() > 10
    assert np.array_equal(image, np.concatenate(list(photo_strips((700, 33)))))
    larger = np.concatenate(list(photo_strips((900, 60))))
    assert np.array_equal(larger[:700, :33], image)


def test_a_table_has_a_line_for_each_size():
    lines = memory_markdown("runs/model.onnx", ROWS).splitlines()
    assert lines[2] == "| 512x512 | 300 | 200 | 1.0 | 1.1 |"
    assert lines[3] == "| 4096x4096 |  | 210 |  | 60.0 |"
    assert "`onenet predict model.onnx`" in lines[-1]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_the_plot_is_an_svg_inside_its_frame(rows):
    root = ElementTree.fromstring(draw_memory(rows, "a < b"))
    width, height = map(float, root.get("viewBox").split()[2:])
    circles = [element for element in root if element.tag.endswith("circle")]
    assert len(circles) == len(rows)
    assert all(0 < float(c.get("cx")) < width and 0 < float(c.get("cy")) < height for c in circles)


def test_sizes_are_written_as_people_write_them():
    assert parse_sizes("512, 2048x4096") == [(512, 512), (2048, 4096)]
    for text in ("", "0", "12x", "1x2x3", "large"):
        with pytest.raises(ConfigError, match="is no size; for example 512,2048x4096"):
            parse_sizes(text)


def test_a_model_that_cannot_be_run_says_so_in_its_own_words(tmp_path):
    with pytest.raises(OneNetError, match=r"onenet predict on 64x64 pixels: .*gone\.safetensors"):
        measure_memory(str(tmp_path / "gone.safetensors"), [(64, 64)])


@pytest.mark.slow
def test_processes_are_measured(onenet_command, tiny_model, tmp_path):
    words = ["bench", "memory", tiny_model, "--sizes", "64,2200x2000", "--json", "--plot", tmp_path / "plot.svg"]
    rows = json.loads(onenet_command(*words).out)
    assert [(row["height"], row["way"]) for row in rows] == [(64, "whole"), (64, "tiled"), (2200, "tiled")]
    assert all(50 < row["peak_mb"] < 3000 for row in rows)
    assert "<svg" in (tmp_path / "plot.svg").read_text()
