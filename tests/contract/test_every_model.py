"""What holds of every network of the catalog, whatever is in it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

import onenet
from onenet.errors import ShapeError
from onenet.images import padded_to, reflected
from onenet.models.network import Network, PadToStride

NAMES = onenet.list_models()
CLASSES = 3
SIZES = [(37, 53), (1, 1), (5, 200), (64, 96)]  # odd, tiny, flat, a multiple of every stride

STRIDES = {"dabnet": 8, "erfnet": 8, "u-lite": 32}

every_model = pytest.mark.parametrize("name", NAMES)


def small(name: str, **arguments) -> Network:
    torch.manual_seed(0)
    return onenet.create_model(name, num_classes=CLASSES, **{"width": 8, **arguments})


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def logits(model: Network, image: torch.Tensor) -> torch.Tensor:
    return model.eval()(image)


def trained_a_step(model: Network) -> Network:
    """After one step of training the norms have statistics of their own."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    mask = torch.randint(0, CLASSES, (2, 64, 96), generator=torch.Generator().manual_seed(1))
    F.cross_entropy(model(images(2, model.in_channels, 64, 96)), mask).backward()
    optimiser.step()
    return model


@every_model
def test_it_is_made_in_train_mode(name):
    assert all(module.training for module in small(name).modules())


@every_model
def test_logits_have_the_size_of_the_image(name):
    model = small(name)
    for size in SIZES:
        assert logits(model, images(2, 3, *size)).shape == (2, CLASSES, *size)


@every_model
@pytest.mark.parametrize("channels", [1, 4])
def test_images_may_have_any_number_of_channels(name, channels):
    model = small(name, in_channels=channels)
    assert model.card.in_channels == channels
    assert logits(model, images(1, channels, 37, 53)).shape == (1, CLASSES, 37, 53)


@every_model
def test_the_card_says_how_to_make_it_again(name):
    card = small(name).card
    again = onenet.create_model(card.architecture, **card.arguments)
    shapes = {key: tensor.shape for key, tensor in small(name).state_dict().items()}
    assert {key: tensor.shape for key, tensor in again.state_dict().items()} == shapes
    assert card.num_classes == len(card.colours) == CLASSES
    assert card.arguments["width"] == 8


@every_model
def test_the_stride_of_the_card_is_how_far_it_pads(name):
    model = small(name)
    stride = STRIDES.get(name, 32 if "resnet" in name or "-5" in name else 16)
    assert model.card.stride == stride
    assert model.pad(images(1, 3, stride + 1, 2 * stride)).shape == (1, 3, 2 * stride, 2 * stride)


@every_model
def test_it_pads_as_numpy_reflects(name):
    """At the bottom and right, mirrored again and again where the image is smaller than the pad; cropped back."""
    model, (h, w) = trained_a_step(small(name)), (5, 40)
    image = images(1, 3, h, w)
    padded = np.pad(image.numpy(), [(0, 0), (0, 0), (0, -h % model.stride), (0, -w % model.stride)], mode="reflect")
    assert torch.equal(logits(model, image), logits(model, torch.from_numpy(padded))[..., :h, :w])


@given(length=st.integers(1, 70), stride=st.sampled_from([2, 16, 32]))
def test_the_padding_of_networks_and_tiles_is_one_rule(length, stride):
    line = np.arange(length, dtype=np.float32)
    expected = np.pad(line, (0, -length % stride), mode="reflect")
    assert np.array_equal(reflected(length, padded_to(length, stride)), expected)
    rows, columns = torch.from_numpy(line).view(1, 1, -1, 1), torch.from_numpy(line).view(1, 1, 1, -1)
    pad = PadToStride(stride)
    assert np.array_equal(pad(rows)[0, 0, :, 0].numpy(), expected)
    assert np.array_equal(pad(columns)[0, 0, 0].numpy(), expected)


@every_model
def test_saved_and_loaded_it_gives_the_same_bits(name, tmp_path):
    model, image = trained_a_step(small(name)), images(1, 3, 37, 53)
    onenet.save(model, tmp_path / "model.safetensors")
    loaded = onenet.load(tmp_path / "model.safetensors")
    assert torch.equal(logits(loaded, image), logits(model, image))


@every_model
def test_an_image_is_segmented_alike_in_any_company(name):
    model, image = trained_a_step(small(name)), images(1, 3, 32, 64)
    for seed in (1, 2):
        batch = torch.cat([image, 10 * images(1, 3, 32, 64, seed=seed)])
        torch.testing.assert_close(logits(model, batch)[:1], logits(model, image), atol=1e-5, rtol=1e-5)


@every_model
def test_the_same_seed_gives_the_same_bits(name):
    first, second = trained_a_step(small(name)), trained_a_step(small(name))
    again = second.state_dict()
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, again[key]), key
    image = images(1, 3, 37, 53)
    assert torch.equal(logits(first, image), logits(second, image))


@every_model
def test_nothing_in_the_state_dict_is_left_unused(name):
    """A step of training reaches every weight and every running statistic: no heads that are never run."""
    model = small(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    trained_a_step(model)
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{key} gets no gradient"
        assert parameter.ndim == 1 or parameter.grad.any(), f"{key} gets a gradient of zeros"
    for key, statistic in model.named_buffers():
        assert not torch.equal(statistic, before[key]), f"{key} is never written"
    assert {key for key, _ in [*model.named_parameters(), *model.named_buffers()]} == set(before)


@every_model
def test_it_does_not_change_the_image(name):
    image = images(1, 3, 64, 96)
    logits(small(name), image)
    assert torch.equal(image, images(1, 3, 64, 96))


WRONG_SHAPES = [
    (torch.rand(1, 4, 8, 8), r"\(b, 3, h, w\).*\(1, 4, 8, 8\)"),
    (torch.rand(1, 8, 8, 3), r"\(b, 3, h, w\).*\(1, 8, 8, 3\)"),
    (torch.rand(1, 3, 0, 8), r"\(1, 3, 0, 8\)"),
    (torch.rand(0, 3, 8, 8), r"\(0, 3, 8, 8\)"),
]
NO_BATCHES_OF_FLOATS = [
    (torch.rand(3, 8, 8), r"\(b, 3, h, w\).*\(3, 8, 8\)"),
    (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8.*divide by 255"),
    (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "int64"),
]


def check_refused(model: Network, image: torch.Tensor, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason) as caught:
        model(image)
    assert "\n" not in str(caught.value)


@every_model
def test_an_image_of_the_wrong_shape_is_refused_in_one_line(name):
    model = small(name)
    for image, reason in WRONG_SHAPES:
        check_refused(model, image, reason)


@every_model
def test_an_array_that_is_no_batch_of_floats_is_refused_in_one_line(name, request):
    if request.config.getoption("jaxtyping_packages"):
        pytest.skip("the annotations are checked first")
    model = small(name)
    for image, reason in NO_BATCHES_OF_FLOATS:
        check_refused(model, image, reason)
