"""Small networks by others, rebuilt from their papers: as many weights, any image, every weight trained."""

import pytest
import torch
from torch.nn import functional as F
from worn import whole

import onenet
from onenet.bench.complexity import measure
from onenet.checkpoint import parameter_count

RIVALS = ["dabnet", "erfnet", "lraspp-mobilenet-v3-small", "lraspp-mobilenet-v3-large", "u-lite"]


@pytest.mark.parametrize(
    ("name", "classes", "millions"),
    [
        ("dabnet", 19, 0.76),
        ("erfnet", 19, 2.06),
        ("lraspp-mobilenet-v3-small", 19, 0.47),
        ("lraspp-mobilenet-v3-large", 19, 1.51),
        ("u-lite", 1, 0.878),
    ],
)
def test_it_has_as_many_parameters_as_its_paper_says(name, classes, millions):
    digits = len(str(millions).split(".")[1])
    assert round(parameter_count(whole(name, classes)) / 1e6, digits) == millions


@pytest.mark.parametrize(
    ("name", "sizes", "classes", "count"),
    [
        ("lraspp-mobilenet-v3-large", {"reduced": False}, 21, 3_221_538),  # torchvision's
        ("dabnet", {}, 19, 756_643),
        ("erfnet", {}, 19, 2_064_191),
        ("u-lite", {}, 1, 878_417),
        ("lraspp-mobilenet-v3-small", {}, 19, 467_486),
    ],
)
def test_to_the_last_one(name, sizes, classes, count):
    assert parameter_count(whole(name, classes, **sizes)) == count


@pytest.mark.parametrize(
    ("name", "gmacs"),
    [
        ("dabnet", 1.273),
        ("erfnet", 3.308),
        ("lraspp-mobilenet-v3-small", 0.082),
        ("lraspp-mobilenet-v3-large", 0.289),
        ("u-lite", 0.738),
    ],
)
def test_what_one_image_of_256_by_256_costs(name, gmacs):
    assert measure(lambda: whole(name)).flops / 2e9 == pytest.approx(gmacs, rel=0.02)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("size", [(33, 47), (7, 90)])
def test_in_its_full_width_any_image_gets_logits_of_its_size(name, size):
    torch.manual_seed(0)
    model = onenet.create_model(name, num_classes=5).eval()
    with torch.no_grad():
        logits = model(torch.rand(1, 3, *size))
    assert logits.shape == (1, 5, *size) and logits.isfinite().all() and logits.std() > 0


@pytest.mark.parametrize("name", RIVALS)
def test_training_reaches_every_weight_and_evaluation_drops_nothing(name):
    torch.manual_seed(0)
    model = onenet.create_model(name, num_classes=3, width=8)
    image = torch.rand(2, 3, 40, 56)
    F.cross_entropy(model(image), torch.randint(0, 3, (2, 40, 56))).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(image), model(image))
