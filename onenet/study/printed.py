"""What the paper prints in Tables 1 and 3, to stand beside what is measured; misprints are left as they are.

mIOU, mAP and DSC are the authors' figures, which are not IoU, AP or Dice (onenet.metrics.authors); a dash there means
that the table has no such column.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """A cell of the paper: cross-entropy, mAP at 0.5, mIOU, and in Table 3 DSC."""

    cross_entropy: float
    average_precision: float
    iou: float
    dice: float | None = None


_TABLE_1_SETS = ("voc", "pet-full", "pet-small", "heart", "brain", "lung")
_TABLE_1 = {
    "unet-4": ((1.985, 0.0541, 0.182), (2.206, 0.0329, 0.316), (0.243, 0.7717, 0.713),
               (0.0223, 0.4305, 0.063), (0.0455, 0.2450, 0.001), (0.0010, 0.5542, 0.009)),
    "resnet34-unet": ((1.321, 0.0806, 0.332), (0.648, 0.0503, 0.597), (0.179, 0.9098, 0.801),
                      (0.0087, 0.4375, 0.065), (0.1305, 0.4188, 0.079), (0.0010, 0.5529, 0.009)),
    "resnet50-unet": ((1.079, 0.0921, 0.372), (1.027, 0.0512, 0.599), (0.189, 0.9303, 0.815),
                      (0.0086, 0.4368, 0.065), (0.0496, 0.5419, 0.010), (0.0007, 0.5566, 0.009)),
    "mobilenet-unet-4": ((2.007, 0.0480, 0.166), (2.386, 0.0329, 0.252), (0.262, 0.6091, 0.664),
                         (0.0288, 0.3265, 0.047), (0.0351, 0.5764, 0.011), (0.0010, 0.5787, 0.008)),
    "onenet-e-4": ((2.144, 0.0485, 0.160), (2.713, 0.0279, 0.216), (0.309, 0.5176, 0.636),
                   (0.0041, 0.4396, 0.066), (0.0363, 0.5789, 0.105), (0.0007, 0.5531, 0.009)),
    "onenet-ed-4": ((2.553, 0.0363, 0.149), (3.080, 0.0227, 0.172), (0.437, 0.2179, 0.535),
                    (0.0076, 0.4187, 0.062), (0.0455, 0.5415, 0.099), (0.0009, 0.5510, 0.008)),
}  # fmt: skip
_TABLE_3_SETS = ("pet-small", "heart", "lung")
_TABLE_3 = {
    "onenet-e-4-spatial": ((0.320, 0.5275, 0.632, 0.963), (0.0034, 0.4383, 0.065, 0.699),
                           (0.0006, 0.5510, 0.008, 0.115)),
    "onenet-e-4": ((0.309, 0.5176, 0.636, 0.967), (0.0363, 0.4386, 0.066, 0.605), (0.0007, 0.5531, 0.009, 0.115)),
    "onenet-ed-4-spatial": ((0.416, 0.2253, 0.529, 0.868), (0.0125, 0.3938, 0.059, 0.544),
                            (0.0007, 0.5512, 0.008, 0.112)),
    "onenet-ed-4": ((0.437, 0.2179, 0.535, 0.842), (0.0076, 0.4187, 0.062, 0.605), (0.0007, 0.5510, 0.008, 0.111)),
}  # fmt: skip


def printed(table: str, data: str, model: str) -> Printed | None:
    """A cell of "table1" or "table3" for a data set and a network by our names; None where the paper has none."""
    sets, rows = (_TABLE_1_SETS, _TABLE_1) if table == "table1" else (_TABLE_3_SETS, _TABLE_3)
    if data not in sets or model not in rows:
        return None
    return Printed(*rows[model][sets.index(data)])
