"""U-Net (Ronneberger et al. 2015) as the paper's tables have it, and its MobileNet row.

Both sit under the same 2D decoder as onenet-e. The MobileNet row is U-Net with depthwise separable convolutions
below the stem; it is not MobileNetV1 (the parameter count of Table 2 shows it).
"""

from torch import nn

from onenet.models.decoder import conv_decoder
from onenet.models.encoder import conv_encoder, plain_conv, separable_conv
from onenet.models.network import Network


def unet(in_channels: int = 3, num_classes: int = 2, width: int = 64, depth: int = 4, stem_repeat: int = 2) -> Network:
    """U-Net: `width` channels in the stem of `stem_repeat` 3x3 convolutions, doubled at each of `depth` max pools."""
    encoder = conv_encoder(in_channels, width, depth, stem_repeat, plain_conv)
    return _under_2d_decoder(encoder, in_channels, num_classes, width, depth)


def mobilenet_unet(
    in_channels: int = 3, num_classes: int = 2, width: int = 64, depth: int = 4, stem_repeat: int = 3
) -> Network:
    """The paper's "MobileNet" row: U-Net with depthwise separable convolutions in the encoder, stem of plain ones."""
    encoder = conv_encoder(in_channels, width, depth, stem_repeat, separable_conv)
    return _under_2d_decoder(encoder, in_channels, num_classes, width, depth)


def _under_2d_decoder(encoder: nn.Module, in_channels: int, num_classes: int, width: int, depth: int) -> Network:
    decoder = conv_decoder([width * 2**i for i in range(depth + 1)], skips=depth - 1, plain_top=True)
    head = nn.Conv2d(width, num_classes, 3, padding=1)
    return Network(encoder, decoder, head, in_channels, stride=2**depth)
