"""The loop: what a step is, and what an epoch tells."""

import copy
import time

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from onenet.config import load_config
from onenet.errors import TrainError
from onenet.models.catalog import create_model
from onenet.training.learner import Learner
from onenet.training.loop import TrainedEpoch, settle_norms, train_epochs

CPU = Fabric(accelerator="cpu", devices=1)


class Batches:
    """Batches of noise, the same in each epoch."""

    def __init__(self, count, images=2, slow=0.0):
        random = torch.Generator().manual_seed(0)
        self.batches = [
            (torch.rand(images, 3, 16, 16, generator=random), torch.randint(0, 2, (images, 16, 16), generator=random))
            for _ in range(count)
        ]
        self.slow, self.waited, self.epochs = slow, 0.0, []

    def __len__(self):
        return len(self.batches)

    def set_epoch(self, number):
        self.epochs.append(number)

    def __iter__(self):
        self.waited = 0.0
        for batch in self.batches:
            time.sleep(self.slow)
            self.waited += self.slow
            yield batch


class MeanLoss(nn.Module):
    def forward(self, logits, mask):
        return nn.functional.cross_entropy(logits, mask)


def learner_of(*changes, batches):
    config = load_config("default", ["train.optimizer=sgd", "train.schedule=constant", "train.warmup=0", *changes])
    torch.manual_seed(0)
    network = create_model("onenet-e-4", width=4, depth=2, stem_repeat=1)
    for part in network.modules():  # without batch norm a gradient is a mean over images, and nothing else
        if isinstance(part, nn.BatchNorm2d):
            part.eval().register_forward_pre_hook(lambda module, inputs: module.eval() and None)
    return Learner(CPU, network, config, batches)


def trained(learner, batches, epochs=1):
    return list(train_epochs(learner, MeanLoss(), batches, range(1, epochs + 1), lambda epoch, step, loss: None))


def weights(learner):
    return torch.cat([weight.detach().flatten() for weight in learner.network.parameters()])


def test_accumulated_batches_make_the_step_of_one_batch_of_all_their_images():
    """Five batches by two: the last step has one batch, and weighs as much as it should alone."""
    parts, whole = Batches(5), Batches(3)
    images, masks = ([pair[i] for pair in parts.batches] for i in range(2))
    whole.batches = [(torch.cat(images[a : a + 2]), torch.cat(masks[a : a + 2])) for a in (0, 2, 4)]
    rate = "train.learning_rate=0.1"
    one, other = learner_of(rate, "train.accumulate=2", batches=5), learner_of(rate, batches=3)
    start = weights(one)
    trained(one, parts), trained(other, whole)
    assert one.schedule.last_epoch == other.schedule.last_epoch == 3
    assert (weights(one) - start).norm() > 1e-3
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-5, atol=1e-6)


def test_a_gradient_is_no_longer_than_it_may_be():
    learner = learner_of("train.clip=0.01", "train.learning_rate=1.0", "train.weight_decay=0", batches=1)
    start = weights(learner)
    trained(learner, Batches(1))
    assert float((weights(learner) - start).norm()) == pytest.approx(0.01 * 1.9, rel=1e-3)  # Nesterov: 1 + 0.9


def test_an_epoch_tells_how_many_images_it_saw_and_how_long_it_waited_for_them():
    batches = Batches(3, images=2, slow=0.05)
    first, second = trained(learner_of(batches=3), batches, epochs=2)
    assert batches.epochs == [1, 2] and (first.number, second.number) == (1, 2)
    assert second.images == 6
    assert 0 < second.waiting < 1 and second.waiting == pytest.approx(0.15 / second.seconds, rel=1e-6)
    assert second.images_per_second == pytest.approx(6 / second.seconds)


def test_the_averaged_weights_follow_steps_not_batches():
    learner = learner_of("train.accumulate=2", "train.ema=0.5", batches=4)
    trained(learner, Batches(4))
    assert int(learner.average.n_averaged) == 2


def test_a_loss_that_is_no_number_changes_no_weight():
    class NoNumber(nn.Module):
        def forward(self, logits, mask):
            return logits.sum() * float("nan")

    learner = learner_of(batches=1)
    start = weights(learner)
    with pytest.raises(TrainError, match="the loss became nan in epoch 1, step 1"):
        next(train_epochs(learner, NoNumber(), Batches(1), range(1, 2), lambda *step: None))
    assert torch.equal(weights(learner), start)


def test_norms_are_settled_on_the_first_batches_alone():
    network = nn.Sequential(nn.BatchNorm2d(3))
    batches = Batches(20)
    settle_norms(network, batches, most=4)
    expected = torch.stack([image.mean((0, 2, 3)) for image, _ in batches.batches[:4]]).mean(0)
    torch.testing.assert_close(network[0].running_mean, expected)


def test_a_state_is_all_that_is_needed_to_go_on():
    batches = Batches(3)
    first = learner_of("train.ema=0.9", "train.optimizer=adamw", "loss.auxiliary=0.4", batches=3)
    first.model.forward = None  # only the state counts here
    other = learner_of("train.ema=0.9", "train.optimizer=adamw", "loss.auxiliary=0.4", batches=3)
    for learner in (first, other):
        assert any(name.startswith("heads") for name in learner.state()["model"])
    with torch.no_grad():
        for weight in first.whole.parameters():
            weight.normal_()
    other.restore(copy.deepcopy(first.state()))
    for name, value in first.state()["model"].items():
        assert torch.equal(other.state()["model"][name], value), name
    assert len(batches) == 3


def test_an_epoch_without_a_measured_time_has_no_rate():
    assert TrainedEpoch(1, 0.5, 0.1, 0.0).images_per_second != TrainedEpoch(1, 0.5, 0.1, 0.0).images_per_second
