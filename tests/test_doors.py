"""What stands in `onenet` itself."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import onenet
from onenet.errors import ConfigError, DataError, OneNetError


def in_a_fresh_python(code: str) -> str:
    """What `code` prints in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = onenet.create_model("onenet-ed-4", num_classes=3, width=4)
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        made(image)  # gives the norms statistics: train and eval mode differ
        made.head.bias -= made.eval()(image).mean(dim=(0, 2, 3))  # no class wins everywhere
    return made


@pytest.fixture
def run(tmp_path, model):
    """The folder of a run."""
    onenet.save(model, tmp_path / "run" / "model.safetensors")
    return tmp_path / "run"


PHOTO = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_importing_it_imports_no_torch():
    heavy = "'torch', 'numpy', 'PIL', 'safetensors', 'typer', 'rich'"
    code = f"import onenet, sys; dir(onenet); onenet.__version__; print([m for m in ({heavy}) if m in sys.modules])"
    assert in_a_fresh_python(code) == "[]"


def test_reading_a_recipe_imports_no_torch():
    code = "import onenet, sys; onenet.load_config('demo'); print('torch' in sys.modules)"
    assert in_a_fresh_python(code) == "False"


def test_what_trains_does_not_stand_before_the_door_of_that_name():
    code = "import onenet, onenet.training, onenet.scoring; print(callable(onenet.train), callable(onenet.evaluate))"
    assert in_a_fresh_python(code) == "True True"


def test_the_doors_are_these_nine():
    doors = [
        "Segmenter", "__version__", "create_model", "evaluate", "list_models", "load", "load_config", "save", "train",
    ]  # fmt: skip
    assert sorted(onenet.__all__) == doors
    assert dir(onenet) == doors
    assert all(getattr(onenet, door) is not None for door in doors)


def test_star_brings_all_of_them():
    said = in_a_fresh_python("from onenet import *; print(len(list_models()), callable(load))")
    assert said == f"{len(onenet.list_models())} True"


def test_an_unknown_door_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'onenet' has no attribute 'laod'"):
        _ = onenet.laod


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert onenet.__version__ == version("onenet-seg")


@pytest.mark.parametrize("missing", ["torch", "jaxtyping"])
@pytest.mark.parametrize(
    "use",
    [
        "onenet.create_model", "onenet.load", "onenet.Segmenter('m.safetensors')", "onenet.train('demo')",
        "onenet.evaluate('m.safetensors', 'demo')",
    ],
)  # fmt: skip
def test_without_torch_the_extra_is_named_in_one_line(missing, use):
    code = f"""
import importlib.util as util, onenet
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest)
try:
    {use}
except Exception as error:
    print(type(error).__name__, error)
"""
    assert in_a_fresh_python(code) == (
        "OneNetError this needs torch, which is not installed: pip install 'onenet-seg[train]'"
    )


@pytest.mark.parametrize(
    ("named", "missing", "names", "expected"),
    [
        ("run", "torch", ["model.int8.onnx", "model.onnx"], "model.int8.onnx"),
        ("run/model.safetensors", "torch", ["model.flat.onnx", "model.int8.executorch"], "model.flat.onnx"),
        ("run", "torch", ["model.executorch", "other.onnx"], ""),  # whose Python runtime needs torch, too
        ("run", "torch onnxruntime", ["model.int8.onnx", "model.openvino"], "model.int8.onnx"),
        ("run", "torch onnxruntime openvino", ["model.int8.onnx", "model.openvino"], ""),
    ],
)
def test_without_torch_the_exported_file_beside_a_model_is_named(tmp_path, named, missing, names, expected):
    (tmp_path / "run").mkdir()
    for name in ("model.safetensors", *names):
        (tmp_path / "run" / name).touch()
    model = tmp_path / named
    code = f"""
import importlib.util as util, onenet
find = util.find_spec
util.find_spec = lambda name, *rest: None if name in {missing.split()!r} else find(name, *rest)
for use in (onenet.Segmenter, lambda model: onenet.evaluate(model, "demo")):
    try:
        use({str(model)!r})
    except onenet.errors.OneNetError as error:
        print(error)
"""
    line = "this needs torch, which is not installed: pip install 'onenet-seg[train]'"
    line += f"; {tmp_path / 'run' / expected} runs without it" if expected else ""
    assert in_a_fresh_python(code).splitlines() == [line, line]


def test_every_error_is_a_onenet_error_and_a_builtin_one():
    from onenet import errors

    for name, builtin in [
        ("ConfigError", ValueError),
        ("DataError", ValueError),
        ("ShapeError", ValueError),
        ("TrainError", RuntimeError),
    ]:
        assert issubclass(getattr(errors, name), OneNetError)
        assert issubclass(getattr(errors, name), builtin)


WRONG = [
    ("onenet.create_model(5)", "ConfigError the name of a model is a word such as 'onenet-ed-4', not 5"),
    ("onenet.create_model(None)", "ConfigError the name of a model is a word such as 'onenet-ed-4', not None"),
    ("onenet.create_model('onenet-ed-4', num_classes=True)", "ConfigError model.num_classes=True: expected int"),
    ("onenet.load(None)", "ConfigError load takes a .safetensors file or the folder of a run, not None"),
    ("onenet.Segmenter(5)", "ConfigError Segmenter takes a .safetensors file, the folder of a run or a module, not 5"),
    ("onenet.Segmenter('m', threads='2')", "ConfigError threads='2': must be at least 1, a whole number"),
    ("onenet.Segmenter('m', threads=True)", "ConfigError threads=True: must be at least 1, a whole number"),
    ("onenet.Segmenter(__import__('torch').nn.Conv2d(3, 3, 1))", "ConfigError a Conv2d without a card: give one"),
    ("onenet.train(5)", "ConfigError train takes a configuration, a recipe's name or a .toml file, not 5"),
    ("onenet.train('dmeo')", "ConfigError unknown recipe 'dmeo': did you mean demo?"),
    ("onenet.train('demo', resume=True)", "ConfigError resume continues the run in a folder: give it as out"),
    ("onenet.train('default')", "ConfigError data.root is empty: say where the images are"),
    ("onenet.load_config('default', {'train.epochs': 3})", "ConfigError overrides are a list of 'key=value', as"),
    ("onenet.load_config('default', [3])", "ConfigError overrides are a list of 'key=value', as"),
    ("onenet.load_config('default', None)", "ConfigError overrides are a list of 'key=value', as"),
    (
        "onenet.load_config('default', (x for x in ['train.epochs=3']))",
        "ConfigError overrides are a list of 'key=value'",
    ),
    ("onenet.evaluate('m.safetensors', 5)", "ConfigError evaluate takes data as FORMAT:PATH, a recipe's name or"),
    ("onenet.evaluate('m.safetensors', 'demo')", "DataError m.safetensors: no such file"),
    (
        "onenet.create_model('unet-4', width=4)(PHOTO)",
        "ShapeError the network takes a tensor (b, 3, h, w), not ndarray",
    ),
    (
        "onenet.create_model('unet-4', width=4)(None)",
        "ShapeError the network takes a tensor (b, 3, h, w), not NoneType",
    ),
]


def test_whatever_comes_in_at_a_door_is_refused_in_one_line():
    """In a Python of its own, where no annotation is checked first."""
    code = f"""
import numpy, onenet
PHOTO = numpy.zeros((1, 3, 8, 8), numpy.float32)
for use in {[use for use, _ in WRONG]!r}:
    try:
        eval(use)
    except Exception as error:
        print(type(error).__name__, error)
"""
    lines = in_a_fresh_python(code).splitlines()
    for line, (use, expected) in zip(lines, WRONG, strict=True):
        assert line.startswith(expected), use


class TestSegmenter:
    def test_a_path_a_run_and_a_module_draw_the_same_mask(self, run, model):
        sources = [run / "model.safetensors", str(run / "model.safetensors"), run, str(run), model]
        masks = [onenet.Segmenter(source)(PHOTO).mask for source in sources]
        with torch.inference_mode():
            image = torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255
            expected = model.eval()(image).argmax(1)[0].numpy()
        assert len(np.unique(expected)) > 1
        for mask in masks:
            assert np.array_equal(mask, expected)

    def test_a_module_keeps_its_mode_and_its_weights(self, model):
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        onenet.Segmenter(model.train())(PHOTO)
        assert model.training
        assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())

    def test_the_card_comes_along(self, run, model):
        assert onenet.Segmenter(run)(PHOTO).card.classes == model.card.classes

    @pytest.mark.parametrize("runtime", ["auto", "torch"])
    def test_runtimes(self, model, runtime):
        assert onenet.Segmenter(model, runtime=runtime)(PHOTO).mask.shape == (37, 53)

    def test_an_unknown_runtime_suggests_the_nearest(self, model):
        with pytest.raises(ConfigError, match="unknown runtime 'trch': did you mean torch"):
            onenet.Segmenter(model, runtime="trch")

    def test_threads_are_at_least_one(self, model):
        with pytest.raises(ConfigError, match="threads=0: must be at least 1"):
            onenet.Segmenter(model, threads=0)

    def test_threads_are_those_of_torch(self, run):
        code = f"import onenet, torch; onenet.Segmenter({str(run)!r}, threads=1); print(torch.get_num_threads())"
        assert in_a_fresh_python(code) == "1"

    def test_a_module_of_others_has_no_card(self):
        with pytest.raises(ConfigError, match="Linear without a card"):
            onenet.Segmenter(torch.nn.Linear(2, 3))

    @pytest.mark.parametrize("name", ["model.onnx", "MODEL.ONNX"])
    def test_an_exported_file_is_run_without_torch(self, name, tmp_path):
        with pytest.raises(DataError, match=rf"{name}: cannot be read \(No such file or directory\)"):
            onenet.Segmenter(tmp_path / name)
        with pytest.raises(ConfigError, match=f"{name}: an exported file, which torch does not run"):
            onenet.Segmenter(name, runtime="torch")

    def test_a_checkpoint_is_for_torch_and_knows_its_classes(self, run):
        with pytest.raises(ConfigError, match="onnxruntime runs exported files; make one with: onenet export"):
            onenet.Segmenter(run, runtime="onnxruntime")
        with pytest.raises(ConfigError, match="this model knows its own"):
            onenet.Segmenter(run, classes=["a", "b"])

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(DataError, match=r"missing\.safetensors: no such file"):
            onenet.Segmenter(tmp_path / "missing.safetensors")


class TestTrainAndEvaluate:
    def test_they_do_what_the_commands_do_and_say_nothing(self, onenet_command, photos, tiny, tmp_path, capsysbinary):
        root = photos(count=8)
        done = onenet_command("train", "--data", f"folder:{root}", *tiny, "--out", "by-command")
        assert done.code == 0, done.err
        capsysbinary.readouterr()
        config = onenet.load_config("default", tiny, f"folder:{root}")
        folder = onenet.train(config, out=tmp_path / "by-door")
        assert folder == tmp_path / "by-door" and capsysbinary.readouterr() == (b"", b"")
        first, second = (tmp_path / name for name in ("by-command", "by-door"))
        for name in ("model.safetensors", "config.toml", "report.json"):
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
        assert (second / "report.html").is_file()
        scored = onenet_command("evaluate", "by-command", "--data", f"folder:{root}", "--json")
        assert onenet.evaluate(folder, f"folder:{root}").to_dict() == json.loads(scored.out)
        assert onenet.evaluate(folder).to_dict() == json.loads(scored.out)  # on the data of the run
        module = onenet.load(folder)
        assert onenet.evaluate(module, config.data, split="val").report.split == "val"
        with pytest.raises(ConfigError, match="a module has no run with data; name them as FORMAT:PATH"):
            onenet.evaluate(module)
        theirs = onenet.evaluate(folder, f"folder:{root}", authors=True).report.authors
        assert "authors' mIOU" in theirs and not onenet.evaluate(folder, f"folder:{root}").report.authors

    def test_a_recipe_may_be_a_file_and_the_folder_is_numbered_after_it(self, photos, tiny, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.toml").write_text(onenet.load_config("default", tiny, f"folder:{photos()}").to_toml())
        assert onenet.train("mine.toml").as_posix() == "runs/default-1"
        assert onenet.train(tmp_path / "mine.toml").as_posix() == "runs/default-2"

    def test_a_run_is_resumed(self, photos, tiny, tmp_path):
        from onenet.training.folder import RunFolder
        from onenet.training.run import Run

        config = onenet.load_config("default", tiny, f"folder:{photos()}")
        next(Run(config, RunFolder(tmp_path / "run")).epochs())
        with pytest.raises(ConfigError, match="holds a run already"):
            onenet.train(config, tmp_path / "run")
        assert (onenet.train(config, tmp_path / "run", resume=True) / "report.json").is_file()


def test_a_card_with_a_value_of_another_kind_is_one_line(tmp_path):
    """In a process of its own, where no types are checked at calls."""
    said = in_a_fresh_python(f"""
import onenet
model = onenet.create_model("onenet-e-4", width=4, depth=2)
for name in ("classes", "colours", "size", "arguments", "architecture"):
    try:
        onenet.save(model, {str(tmp_path / "model.safetensors")!r}, model.card.replace(**{{name: None}}))
    except onenet.errors.ConfigError as error:
        print(error)
""")
    lines = said.splitlines()
    assert len(lines) == 5 and not list(tmp_path.iterdir())
    assert all(line.startswith(f"{tmp_path}/model.safetensors: ") and line.count(".safetensors") == 1 for line in lines)


def test_python_m_onenet_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "onenet", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert onenet.__version__ in done.stdout
