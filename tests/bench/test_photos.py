"""The photo that models are timed on."""

import numpy as np

from onenet.bench.candidates import Candidate, open_candidate
from onenet.bench.photos import photo_in_memory, prepared


def test_the_prepared_photo_is_what_the_network_gets_from_the_bytes(exported_files):
    for channels in (1, 3, 5):
        photo, given = photo_in_memory(channels, 24), []
        segmenter = open_candidate(Candidate("e", str(exported_files / "e.safetensors"), "torch"), 1)
        segmenter.card = segmenter.card.replace(arguments={**segmenter.card.arguments, "in_channels": channels})
        segmenter.runner.run = lambda array, given=given: (
            given.append(array),
            np.zeros((1, 2, *array.shape[2:]), np.float32),
        )[1]
        segmenter(photo)
        np.testing.assert_array_equal(prepared(photo, segmenter.card), given[0])
        assert given[0].shape == (1, channels, 24, 24) and given[0].std() > 0.05
