"""Which pixels count, and which classes are there."""

import torch

from onenet.training.truth import label_of, probability_of, truth_of

MASK = torch.tensor([[[0, 1, 2], [255, 2, 1]]]).byte()


def test_each_counted_pixel_is_of_its_class_alone():
    truth, counted = truth_of(MASK, 3, overlapping=False)
    assert counted[0, 0].tolist() == [[True, True, True], [False, True, True]]
    assert truth.long().argmax(1)[truth.any(1)].tolist() == [0, 1, 2, 2, 1]
    assert torch.equal(truth.sum(1, keepdim=True), counted.long())


def test_a_code_of_overlapping_classes_is_read_bit_by_bit():
    codes = torch.arange(128).byte().reshape(1, 8, 16)
    truth, counted = truth_of(codes, 7, overlapping=True)
    written = [[int(digit) for digit in reversed(f"{code:07b}")] for code in range(128)]
    assert counted.all()
    assert truth[0].permute(1, 2, 0).reshape(128, 7).long().tolist() == written


def test_255_is_none_of_the_overlapping_classes_although_all_its_bits_are_set():
    truth, counted = truth_of(torch.full((1, 1, 1), 255).byte(), 7, overlapping=True)
    assert not truth.any() and not counted.any()


def test_labels_that_are_not_counted_are_0_so_that_they_index_any_table():
    label, counted = label_of(MASK)
    assert label.tolist() == [[[0, 1, 2], [0, 2, 1]]]
    assert torch.equal(counted, MASK != 255)


def test_probabilities_sum_to_1_unless_classes_overlap():
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(probability_of(logits, False).sum(1), torch.ones(1, 2, 2))
    torch.testing.assert_close(probability_of(logits, True), 1 / (1 + torch.exp(-logits)))
