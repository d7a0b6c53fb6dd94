"""`onenet bench latency`: tables, JSON, exit codes, refusals."""

import json

import pytest

from onenet.cli.latency import latency_markdown

QUICK = ("--runtime", "onnxruntime", "--size", 32, "--threads", 1, "--repeats", 1)
NETWORK = "onenet-ed-4,width=4,depth=2,stem_repeat=1"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Reference products and products of own shapes that take no time."""
    monkeypatch.setattr("onenet.bench.latency.LARGE", (64, 32, 16))
    monkeypatch.setattr("onenet.bench.rates._best_seconds", lambda shape, precision, threads: 0.001)


def row(**changes):
    made = dict(
        model="runs/x.onnx", architecture="onenet-ed-4", form="conv", precision="float", runtime="onnxruntime",
        weights="trained", megabytes=36.3, size=256, threads=2, rounds=5, mean_iou=None, images_per_second=8.2,
        ms={"median": 120.4, "min": 100.0, "max": 300.4}, photo_ms={"median": 122.0, "min": 120.0, "max": 130.0},
        times_as_fast=9.456, times_as_fast_photo=9.0, first_mask_seconds=0.456, peak_mb=110.4, gops=20.1,
        gops_per_second=167.4, share_of_rate=0.914, own_rate=170.0, share_of_own_rate=0.98,
    )  # fmt: skip
    return made | changes


def result(*rows, **changes):
    rate = {"runtime": "openvino", "precision": "int8", "shape": [4096, 1024, 1024], "image_size": 256, "gops": 1036.2}
    made = dict(
        sizes=sorted({one["size"] for one in rows}), threads=2, repeats=5, data="", split="", load_before=1.5,
        load_after=2.5, rates=[rate], rows=list(rows),
    )  # fmt: skip
    return made | changes


def test_every_figure_stands_in_its_column():
    head, _, line, *_ = latency_markdown(result(row())).splitlines()
    cells = dict(
        zip((cell.strip() for cell in head.split("|")), (cell.strip() for cell in line.split("|")), strict=True)
    )
    assert cells == {
        "": "", "model": "x.onnx", "form": "conv", "precision": "float", "runtime": "onnxruntime", "MB": "36.30",
        "model, ms": "120", "min to max": "100 to 300", "times as fast": "9.46", "photo to mask, ms": "122",
        "images/s": "8.2", "peak, MB": "110", "first mask, s": "0.46", "G/s": "167", "of the rate": "91 %",
        "of its own": "98 %",
    }  # fmt: skip


def test_a_table_for_each_size_says_how_it_was_made():
    text = latency_markdown(
        result(row(mean_iou=0.84364, weights="random"), row(size=512), data="folder:x", split="test")
    )
    assert text.count("| model |") == 2 and "| 0.8436 |" in text
    assert "Photos of 512x512, 2 threads, medians of 5 rounds in turns, load 1.5 before and 2.5 after" in text
    assert "Weights are random where there is no mean IoU." in text
    assert "Mean IoU on the test images of folder:x." in text
    assert "matrix products of 4096x1024x1024 in the same rounds, G operations/s: openvino int8 1036." in text


def test_what_is_not_known_is_left_empty():
    unknown = dict.fromkeys(("gops", "gops_per_second", "share_of_rate", "own_rate", "share_of_own_rate"))
    given = {key: value for key, value in row(**unknown).items() if key not in ("peak_mb", "first_mask_seconds")}
    text = latency_markdown(result(given, rates=[]))
    assert text.splitlines()[2].endswith("| 8.2 |  |  |  |  |  |") and "The rate" not in text


def test_layers_follow_the_table():
    layers = {
        "ms": 12.0, "of": "an image", "operators": [{"kind": "Gemm", "count": 20, "ms": 9.0, "share": 0.75}],
        "nodes": [{"name": "gemm_3", "kind": "Gemm", "ms": 3.0, "share": 0.25}],
    }  # fmt: skip
    text = latency_markdown(result(row(layers=layers), row(layers=None)))
    assert "x.onnx in onnxruntime, 256x256: an image, 12.00 ms" in text
    assert "| Gemm | 20 | 9.00 | 75 % |" in text and "| gemm_3 | Gemm | 3.00 | 25 % |" in text


def test_models_are_timed_scored_and_checked(onenet_command, exported_files, nuclei_parts):
    words = ("bench", "latency", exported_files / "ed.flat.onnx", *QUICK, "--data", f"folder:{nuclei_parts}")
    good = onenet_command(*words, "--min-score", 0, "--layers")
    assert good.code == 0 and "| ed.flat.onnx | flat rows | float | onnxruntime |" in good.out
    assert "| Gemm |" in good.out and "of the test images" not in good.out
    score = json.loads(onenet_command("evaluate", exported_files / "ed.flat.onnx", "--data", f"folder:{nuclei_parts}",
                                      "--json").out)["mean_iou"]  # fmt: skip
    bad = onenet_command(*words, "--min-score", score + 0.01, "--json")
    assert bad.code == 1
    (found,) = json.loads(bad.out)["rows"]
    assert found["mean_iou"] == pytest.approx(score, abs=1e-5) and found["peak_mb"] > 10
    wanted = f"ed.flat.onnx in onnxruntime has a mean IoU of {score:.4f}, below --min-score {score + 0.01:g}"
    assert wanted in bad.err.splitlines()[-1]


@pytest.mark.slow
def test_the_grid_times_every_form_against_the_literal_one(onenet_command, tmp_path, monkeypatch):
    """The literal form's process is a real one, which its sizes have to reach; the others are left out."""
    from onenet.bench import fresh, latency

    def for_literal(candidate, photo, threads):
        return fresh.measure_fresh(candidate, photo, threads) if candidate.literal else fresh.Fresh(0.5, 50_000_000)

    monkeypatch.setattr(latency, "measure_fresh", for_literal)
    words = ("bench", "latency", "--grid", NETWORK, "--size", 32, "--threads", 1, "--repeats", 1, "--keep", tmp_path)
    done = onenet_command(*words, "--runtime", "torch,onnxruntime", "--json")
    rows = json.loads(done.out)["rows"]
    assert [(one["form"], one["precision"], one["runtime"]) for one in rows] == [
        ("literal", "float", "torch"), ("torch", "float", "torch"), ("conv", "float", "onnxruntime"),
        ("conv", "int8", "onnxruntime"), ("flat rows", "float", "onnxruntime"), ("flat rows", "int8", "onnxruntime"),
    ]  # fmt: skip
    assert rows[0]["times_as_fast"] == 1 and all(one["times_as_fast"] > 0 for one in rows)
    assert all(one["weights"] == "random" for one in rows)
    assert rows[0]["first_mask_seconds"] != rows[1]["first_mask_seconds"] == 0.5 and rows[0]["peak_mb"] > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a model"),
        ((NETWORK, "--min-score", 0.5), "--min-score needs images with masks"),
        ((NETWORK, "--size", "big"), "--size big: a height and width such as 256"),
        ((NETWORK, "--size", "0"), "--size 0"),
        ((NETWORK, "--runtime", "onxruntime"), "--runtime onxruntime: did you mean onnxruntime"),
        (("--grid", "--data", "folder:x"), "--grid times random weights"),
        (("nothing.onnx",), "nothing.onnx: no such file"),
    ],
)
def test_what_cannot_be_measured_is_one_line(onenet_command, words, message):
    assert message in onenet_command("bench", "latency", *words).error


def test_random_weights_have_no_score_to_be_checked(onenet_command, nuclei_parts):
    words = ("--size", 32, "--threads", 1, "--repeats", 1, "--data", f"folder:{nuclei_parts}", "--min-score", 0.5)
    done = onenet_command("bench", "latency", NETWORK, "--no-fresh", *words)
    assert done.code == 2 and "none of these models is trained" in done.err


def test_a_network_by_name_is_told_where_the_other_runtimes_are(onenet_command):
    words = ("--size", 32, "--threads", 1, "--repeats", 1, "--no-fresh")
    done = onenet_command("bench", "latency", NETWORK, *words)
    assert done.code == 0 and "timed in torch alone; with --grid" in done.err


def test_the_literal_row_is_no_network_by_name(onenet_command, exported_files):
    words = ("--literal", "--size", 32, "--threads", 1, "--repeats", 1, "--no-fresh")
    done = onenet_command("bench", "latency", exported_files / "ed.flat.onnx", *words)
    assert done.code == 0 and "literal" in done.out and "in torch alone" not in done.err
