import pytest


@pytest.fixture
def worn():
    """Gives a network norms as training leaves them: other means, variances and scales than the initial 0, 1 and 1."""
    import torch
    from torch import nn

    def wear(model: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(7)
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.data.uniform_(0.5, 1.5, generator=generator)
                module.bias.data.normal_(generator=generator)
        return model

    return wear
