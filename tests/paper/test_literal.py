"""Our rearranged network computes, and learns, what the paper's flattened 1D formulation does."""

import pytest
import torch
import torch.nn.functional as F

import onenet
from onenet.bench.literal import LiteralOneNet
from onenet.models.authors import to_authors

ROUNDING = 1e-10  # of float64, over some twenty layers
SIZES = {"width": 4, "depth": 3}
VARIANTS = [("onenet-ed-4", 0), ("onenet-ed-4-spatial", 9)]


@pytest.fixture(params=VARIANTS, ids=[name for name, _ in VARIANTS])
def pair(request, worn):
    """Our network and the literal one, with the same weights."""
    name, kernel = request.param
    torch.manual_seed(0)
    ours = worn(onenet.create_model(name, num_classes=3, **SIZES))
    literal = LiteralOneNet(3, spatial_kernel=kernel, **SIZES)
    literal.load_state_dict(to_authors(ours))
    return ours.double(), literal.double()


@pytest.fixture
def image():
    return torch.rand(2, 3, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_same_logits(pair, image):
    ours, literal = pair
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(image), literal.eval()(image), atol=ROUNDING, rtol=0)


def test_same_weights_and_running_statistics_after_a_step(pair, image):
    mask = torch.randint(0, 3, (2, 16, 24), generator=torch.Generator().manual_seed(2))
    before = {name: tensor.clone() for name, tensor in pair[1].state_dict().items()}
    for model in pair:
        optimiser = torch.optim.SGD(model.parameters(), lr=1.0)  # a step of 1: the change is the gradient
        F.cross_entropy(model.train()(image), mask).backward()
        optimiser.step()

    ours, literal = to_authors(pair[0]), pair[1].state_dict()
    assert ours.keys() == literal.keys()
    for name, tensor in literal.items():
        torch.testing.assert_close(ours[name], tensor, atol=ROUNDING, rtol=0, check_dtype=False, msg=name)
        unused = "head_" in name and "head_1." not in name
        assert torch.equal(tensor, before[name]) == unused, f"{name} did {'' if unused else 'not '}change"
