"""Table 2, every row. The figures are those of the reading notes, measured on an independent implementation."""

import pytest
import torch

import onenet
from onenet.bench.complexity import TABLE_2, table2

# parameters with unused heads, MB of what runs, GFLOPs as the paper counts, activations in MB, true GFLOPs
MEASURED = {
    "U-Net_4": (31_040_912, 124.03, 104.76, 509.61, 91.80),
    "U-Net_5": (124_420_500, 497.41, 130.80, 524.29, 114.61),
    "ResNet_34": (25_049_852, 98.07, 29.40, 241.17, None),
    "ResNet_50": (74_074_556, 287.83, 84.98, 450.36, None),
    "MobileNet": (14_400_848, 57.47, 83.95, 671.09, 70.97),
    "OneNet_e,4": (16_388_216, 65.42, 78.42, 639.63, 65.43),
    "OneNet_e,5": (65_727_622, 262.63, 98.83, 656.41, 82.62),
    "OneNet_ed,4": (9_081_056, 36.30, 23.08, 861.93, 22.96),
    "OneNet_ed,5": (36_382_968, 145.47, 29.01, 885.00, 28.88),
}
# parameters in M, MB, GFLOPs, memory in MB
PRINTED = {
    "U-Net_4": (31.04, 124.03, 104.72, 509.61),
    "U-Net_5": (124.42, 497.41, 130.80, 524.29),
    "ResNet_34": (25.05, 98.07, 29.40, 241.17),
    "ResNet_50": (74.07, 287.83, 84.98, 450.36),
    "MobileNet": (14.40, 57.47, 83.96, 671.09),
    "OneNet_e,4": (16.39, 65.42, 78.42, 639.63),
    "OneNet_e,5": (65.73, 262.63, 98.82, 656.41),
    "OneNet_ed,4": (9.08, 36.30, 22.92, 799.01),
    "OneNet_ed,5": (36.38, 145.47, 39.00, 885.00),
}
# what the paper prints otherwise than it counts: (GFLOPs, memory) that we find
DIFFERENT = {
    "U-Net_4": (104.76, 509.61),
    "OneNet_ed,4": (23.08, 861.93),  # its row is a network with the spatial convolution in the decoder only
    "OneNet_ed,5": (29.01, 885.00),  # 39.00 is a misprint of 29.00
}
LAST_DIGIT = 0.0101


@pytest.fixture(scope="module")
def counted():
    return {row["row"]: row for row in table2()}


def test_it_has_the_rows_of_the_paper_in_its_order(counted):
    assert [row for row in counted if row in PRINTED] == list(PRINTED)


@pytest.mark.parametrize("row", MEASURED)
def test_parameters_are_exact(counted, row):
    assert counted[row]["parameters_as_paper"] == MEASURED[row][0]


@pytest.mark.parametrize("row", MEASURED)
def test_megabytes_flops_and_activations(counted, row):
    _, mb, gflops, memory, true_gflops = MEASURED[row]
    assert counted[row]["mb"] == mb
    assert counted[row]["memory_mb"] == memory
    assert counted[row]["gflops_as_paper"] == pytest.approx(gflops, abs=LAST_DIGIT)
    if true_gflops is not None:
        assert counted[row]["gflops_true"] == pytest.approx(true_gflops, abs=LAST_DIGIT)


@pytest.mark.parametrize("row", PRINTED)
def test_the_paper_prints_the_same_but_for_three_rows(counted, row):
    parameters, mb, gflops, memory = PRINTED[row]
    assert round(counted[row]["parameters_as_paper"] / 1e6, 2) == parameters
    assert counted[row]["mb"] == mb
    gflops, memory = DIFFERENT.get(row, (gflops, memory))
    assert counted[row]["gflops_as_paper"] == pytest.approx(gflops, abs=LAST_DIGIT)
    assert counted[row]["memory_mb"] == memory


def test_the_row_of_ed_4_is_the_network_with_the_spatial_convolution_in_the_decoder_only(counted):
    mixed = counted["OneNet_ed,4 mixed"]
    assert mixed["sizes"] == {"spatial_in": "decoder"}
    assert mixed["gflops_as_paper"] == pytest.approx(22.92, abs=LAST_DIGIT)
    assert mixed["memory_mb"] == 799.01


@pytest.mark.parametrize("row", [row for row in TABLE_2 if row.label in PRINTED], ids=lambda row: row.label)
def test_the_figures_quoted_from_the_paper_are_the_papers(row):
    assert row.paper == PRINTED[row.label]


def test_the_reductions_are_47_and_71_per_cent(counted):
    unet = counted["U-Net_4"]["parameters_as_paper"]
    assert round(100 * (1 - counted["OneNet_e,4"]["parameters_as_paper"] / unet), 1) == 47.2
    assert round(100 * (1 - counted["OneNet_ed,4"]["parameters_as_paper"] / unet), 1) == 70.7


@pytest.mark.parametrize(("name", "parameters"), [("onenet-ed-4", 9_073_796), ("onenet-ed-4-spatial", 9_073_876)])
def test_what_runs_of_ed_4(name, parameters):
    with torch.device("meta"):
        model = onenet.create_model(name, num_classes=4)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_unused_heads_and_resnets_classifier_are_what_the_paper_counts_too_much(counted):
    resnet = counted["ResNet_34"]
    assert resnet["unused"]["classifier"] == 512 * 1000 + 1000
    assert all(
        row["parameters"] + sum(row["unused"].values()) == row["parameters_as_paper"] for row in counted.values()
    )
    assert counted["OneNet_ed,4"]["unused"] == {"unused heads": 4 * (256 + 512 + 1024) + 3 * 4}  # 1x1, levels 2, 3, 4
