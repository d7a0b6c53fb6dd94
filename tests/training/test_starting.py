"""Training from another model's weights, with a part of them kept."""

import json

import pytest
import torch
from runs_compared import train

import onenet
from onenet.config import load_config
from onenet.errors import ConfigError
from onenet.training.folder import RunFolder
from onenet.training.run import Run
from onenet.training.starting import freeze, start_from

SIZES = dict(width=4, depth=2, stem_repeat=1)


def worn(name="onenet-e-4", **sizes):
    """A network whose norms have statistics."""
    torch.manual_seed(3)
    network = onenet.create_model(name, **{**SIZES, **sizes})
    network.train()(torch.rand(4, network.in_channels, 32, 32))
    return network.eval()


@pytest.fixture
def saved(tmp_path):
    """A function that saves a network and gives its file."""

    def save(network):
        onenet.save(network, tmp_path / "start.safetensors")
        return str(tmp_path / "start.safetensors")

    return save


def test_all_that_fits_is_taken_and_the_rest_is_named(saved):
    source, network = worn(num_classes=2), worn(num_classes=5, in_channels=3)
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    line = start_from(network, saved(source)).line
    theirs, ours = source.state_dict(), network.state_dict()
    for name, tensor in ours.items():
        head = name.startswith("head")
        assert torch.equal(tensor, fresh[name] if head else theirs[name]), name
    learnt = len(list(network.parameters()))
    assert line.endswith(f"(onenet-e-4): {learnt - 2} of {learnt} weights fit; new are head")


def test_with_equal_classes_the_logits_are_the_same(saved):
    source, network = worn(), onenet.create_model("onenet-e-4", **SIZES).eval()
    image = torch.rand(1, 3, 16, 16)
    assert not torch.equal(source(image), network(image))
    start_from(network, saved(source))
    assert torch.equal(source(image), network(image))


@pytest.mark.parametrize("name", ["onenet-e-4", "onenet-x-n"])  # a stem of 3 channels, and one of 3 times 4 phases
@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_see_grey_as_the_old_ones_did(saved, name, channels):
    sizes = dict(width=8, deepest=8) if name == "onenet-x-n" else SIZES
    make = {**{key: sizes[key] for key in sizes}}
    torch.manual_seed(0)
    source = onenet.create_model(name, **make)
    source.train()(torch.rand(4, 3, 32, 32))
    network = onenet.create_model(name, in_channels=channels, **make)
    line = start_from(network, saved(source)).line
    assert f"images of {channels} channels instead of 3" in line
    grey = torch.rand(1, 1, 32, 32)
    expected, found = (one.eval()(grey.expand(-1, one.in_channels, -1, -1)) for one in (source, network))
    assert torch.allclose(found, expected, atol=1e-4)


def test_what_shares_nothing_is_refused(saved):
    with pytest.raises(
        ConfigError, match=r"it is onenet-e-4, whose first kernel does not fit onenet-x-n; choose the same network"
    ):
        start_from(onenet.create_model("onenet-x-n", width=8, deepest=8), saved(worn()))
    with pytest.raises(ConfigError, match=r"unet-4 is an architecture without weights"):
        start_from(worn(), "unet-4")


def test_a_start_of_which_most_kernels_do_not_fit_is_refused(saved):
    """Another trunk with the same first layer."""
    source, network = (onenet.create_model(f"lraspp-mobilenet-v3-{size}") for size in ("small", "large"))
    with pytest.raises(
        ConfigError, match=r"it is lraspp-mobilenet-v3-small, of whose kernels most do not fit lraspp-mob"
    ):
        start_from(network, saved(source))
    deeper = onenet.create_model("onenet-e-4", **{**SIZES, "depth": 3})
    assert "weights fit" in start_from(deeper, saved(worn())).line  # a level more


def test_kernels_of_one_channel_that_fit_by_chance_are_no_start(saved):
    source = onenet.create_model("onenet-x-n", width=8, deepest=16, expansion=2)
    network = onenet.create_model("onenet-x-n", width=12, deepest=16)
    strips = [name for name, weight in network.state_dict().items() if "encoder.blocks.2" in name and weight.ndim == 4]
    assert any(source.state_dict()[name].shape == network.state_dict()[name].shape for name in strips)
    with pytest.raises(
        ConfigError,
        match=r"it is onenet-x-n with width=8, expansion=2, whose first kernel does "
        r"not fit onenet-x-n with width=12, expansion=1; choose",
    ):
        start_from(network, saved(source))


def test_a_start_without_the_first_kernel_is_refused():
    """Biases and the deepest kernels fit, but what they would see is new: a start from scratch by another name."""
    with pytest.raises(ConfigError, match=r"train\.init=pet: it is onenet-x-s, whose first kernel does not fit"):
        start_from(onenet.create_model("onenet-x-m"), "pet")
    with pytest.raises(ConfigError, match=r"init=pet: it is onenet-x-s with width=\d+, whose first kernel does not"):
        start_from(onenet.create_model("onenet-x-s", width=8), "pet")


def test_a_frozen_encoder_stays_bit_for_bit_and_the_rest_learns(saved, tiny, tmp_path):
    source = worn(num_classes=3)
    file = saved(source)
    pets = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32"]
    config = load_config("default", [*tiny, *pets, "train.epochs=2", f"train.init={file}", "train.freeze=encoder"])
    run = Run(config, RunFolder(tmp_path / "run"))
    assert run.started_from.startswith(f"starts from {file} (onenet-e-4)")
    train(run)
    found = onenet.load(tmp_path / "run").state_dict()
    same = {name for name, tensor in source.state_dict().items() if torch.equal(tensor, found[name])}
    encoder = {name for name in found if name.startswith("encoder")}
    assert encoder <= same
    learnt = {name for name in found if name.startswith(("decoder", "head")) and name.endswith(".weight")}
    assert learnt and not learnt & same
    assert any("running_mean" in name for name in encoder)
    assert onenet.load(tmp_path / "run").card.training["init"] == "start.safetensors"


def test_a_model_that_is_trained_further_is_scored_as_it_came(onenet_command, photos, tiny, tmp_path):
    given = f"folder:{photos(count=8)}"
    assert onenet_command("train", "--data", given, *tiny, "--out", "first").code == 0
    reached = json.loads(onenet_command("evaluate", "first", "--data", given, "--split", "val", "--json").out)
    iou = reached["foreground_iou"]
    words = ("train", "--data", given, *tiny, "train.init=first", "--out")
    assert f"as it came: val IoU {iou:.3f}" in onenet_command(*words, "on").out
    other = onenet_command(*words, "other", "data.num_classes=3")
    assert "new are" in other.out and "as it came" not in other.out


def test_a_training_that_spoils_its_start_says_so(onenet_command, tmp_path):
    short = ["train.epochs=1", "train.samples=4", "train.batch=4", "train.device=cpu", "train.learning_rate=9"]
    told = onenet_command("train", "demo", "train.init=nuclei", *short, "--out", "spoilt").out
    iou = float(told.partition("as it came: val IoU ")[2].split()[0])
    best = onenet.load(tmp_path / "spoilt").card.scores["val"]["foreground_iou"]
    assert best < 0.7 < iou
    assert f"note: no epoch had a higher IoU on the validation images ({best:.3f}) than the model as it came" in told


def test_a_run_goes_on_without_the_file_that_it_started_from(saved, tiny, tmp_path):
    file = saved(worn(num_classes=3))
    pets = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32"]
    run = Run(
        load_config("default", [*tiny, *pets, "train.epochs=2", f"train.init={file}"]), RunFolder(tmp_path / "run")
    )
    next(run.epochs())
    (tmp_path / "start.safetensors").unlink()
    again = Run(RunFolder(tmp_path / "run").config(), RunFolder(tmp_path / "run"), resume=True)
    assert again.started_from == "" and again.finished_epochs == 1
    train(again)


def test_freezing_nothing_freezes_nothing():
    network = worn()
    assert freeze(network, "none") == ""
    assert all(parameter.requires_grad for parameter in network.parameters())
    line = freeze(network, "encoder")
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert line.endswith(f"the encoder's; {trained:,} are trained")
    norms = [part for part in network.encoder.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    network.train()(torch.rand(4, 3, 32, 32))
    assert norms and all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))


def test_what_was_never_given_is_not_kept(saved, tiny, tmp_path):
    pets = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32"]
    alone = load_config("default", [*tiny, *pets, "train.freeze=encoder"])
    with pytest.raises(ConfigError, match=r"train.freeze=encoder keeps what train.init gives; name a model with"):
        Run(alone, RunFolder(tmp_path / "run"))
    wider = worn(num_classes=3, width=8)
    config = load_config("default", [*tiny, *pets, "train.freeze=encoder", f"train.init={saved(wider)}"])
    with pytest.raises(ConfigError, match=r"whose first kernel does not fit"):
        Run(config, RunFolder(tmp_path / "run"))


def test_images_that_the_start_was_trained_on_are_remembered_also_after_resuming(tiny, tmp_path):
    def config(seed, *changes):
        pets = ["data.format=pet-small", "data.root=samples:oxford_pet", "data.size=32", f"data.split_seed={seed}"]
        return load_config("default", [*tiny, *pets, "train.epochs=2", *changes])

    train(Run(config(0), RunFolder(tmp_path / "first")))
    second = Run(config(1, f"train.init={tmp_path / 'first'}"), RunFolder(tmp_path / "second"))
    next(second.epochs())
    train(Run(second.folder.config(), second.folder, resume=True))
    first, then = (set(onenet.load(tmp_path / name).card.training["seen"]) for name in ("first", "second"))
    assert first - set(second.dataset.split("train")) and first <= then
    assert onenet.load(tmp_path / "second").card.training["seen_in"] == ["oxford-pet"]
