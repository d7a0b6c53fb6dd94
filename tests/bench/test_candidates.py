"""What is timed: files, folders, names, the literal form."""

import pytest

import onenet
from onenet.bench.candidates import find_candidates, open_candidate
from onenet.bench.photos import photo_in_memory
from onenet.errors import ConfigError, DataError

SMALL = "onenet-ed-4,width=4,depth=2,stem_repeat=1"
RUNTIMES = ("onnxruntime", "openvino")


def test_files_are_found_in_every_runtime_that_runs_them(exported_files, tmp_path):
    for runtime in RUNTIMES:
        pytest.importorskip(runtime)
    models = [str(exported_files / name) for name in ("ed.safetensors", "ed.flat.int8.onnx")]
    found = find_candidates([*models, SMALL], (), tmp_path)
    assert [(one.model, one.runtime, one.random) for one in found] == [
        (models[0], "torch", False), (models[1], "onnxruntime", False), (models[1], "openvino", False),
        (SMALL, "torch", True),
    ]  # fmt: skip
    assert [one.runtime for one in find_candidates(models, ("torch", "openvino"), tmp_path)] == ["torch", "openvino"]
    assert found[1].megabytes == (exported_files / "ed.flat.int8.onnx").stat().st_size / 1e6


def test_a_folder_of_a_run_is_as_large_as_its_weights(exported_files, tmp_path):
    weights = (exported_files / "ed.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    (tmp_path / "last.ckpt").write_bytes(bytes(1_000_000))
    (candidate,) = find_candidates([str(tmp_path)], (), tmp_path)
    assert candidate.megabytes == len(weights) / 1e6


@pytest.mark.parametrize(
    ("model", "runtimes", "error", "message"),
    [
        ("onenet-de-4", (), ConfigError, "unknown model .onenet-de-4.: did you mean"),
        ("onenet-ed-4,widht=8", (), ConfigError, "did you mean width"),
        ("onenet-ed-4,8", (), ConfigError, "key=value pairs, not '8'"),
        ("nothing.onnx", (), DataError, "nothing.onnx: no such file"),
        ("runs/nothing", (), DataError, "runs/nothing: no such file"),
        (SMALL, ("openvino",), ConfigError, "torch can run it here, not openvino"),
    ],
)
def test_what_cannot_be_timed_is_refused(model, runtimes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        find_candidates([model], runtimes, tmp_path)


def test_several_networks_in_a_folder_are_not_timed_as_one(tmp_path):
    (tmp_path / "fold-0").mkdir()
    (tmp_path / "fold-0" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"holds the networks of 1 folds; name one of them, for example .*fold-0"):
        find_candidates([str(tmp_path)], (), tmp_path)


def test_photos_are_not_scaled_to_what_the_card_says(exported_files, tmp_path):
    network = onenet.load(exported_files / "ed.safetensors")
    onenet.save(network, tmp_path / "m.safetensors", network.card.replace(fit="cover", size=(16, 16)))
    (candidate,) = find_candidates([str(tmp_path / "m.safetensors")], (), tmp_path)
    segmenter, shapes = open_candidate(candidate, 1), []
    run = segmenter.runner.run
    segmenter.runner.run = lambda array: (shapes.append(array.shape), run(array))[1]
    assert segmenter(photo_in_memory(3, 40)).mask.shape == (40, 40)
    assert shapes == [(1, 3, 40, 40)]


@pytest.mark.parametrize("runtime", ["openvino", "executorch", "litert"])
def test_a_folder_is_for_the_runtime_that_its_ending_names(tmp_path, runtime):
    folder = tmp_path / f"x.{runtime}"
    folder.mkdir()
    (found,) = find_candidates([str(folder)], [], tmp_path)
    assert (found.runtime, found.file) == (runtime, folder)
    with pytest.raises(ConfigError, match=f"{runtime} can run it here, not torch"):
        find_candidates([str(folder)], ["torch"], tmp_path)
