"""The optimiser of a recipe."""

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from onenet.config import TrainConfig


def make_optimizer(config: TrainConfig, module: nn.Module) -> Optimizer:
    """`config.optimizer` over all parameters of `module`, at the peak rate `config.learning_rate`.

    adamw shrinks the weights by `weight_decay` apart from the gradient (Loshchilov and Hutter 2019); adam and sgd (with
    Nesterov momentum 0.9) add it to the gradient. The decay is for all parameters alike, biases and norms included:
    the recorded results were made so.
    """
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return SGD(module.parameters(), lr=rate, weight_decay=decay, momentum=0.9, nesterov=True)
    if config.optimizer == "adam":
        return Adam(module.parameters(), lr=rate, weight_decay=decay)
    return AdamW(module.parameters(), lr=rate, weight_decay=decay)
