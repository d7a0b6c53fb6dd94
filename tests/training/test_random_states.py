"""A run has its own chance: it leaves that of others alone, and goes on where it was."""

import random

import numpy as np
import pytest
import torch

from onenet.training.random_states import drawing_from, read_states, seeded, set_states

CPU = torch.device("cpu")


def draw():
    return random.random(), float(np.random.random()), float(torch.rand(()))


def states_as_text():
    return str(read_states(CPU))


def test_the_same_seed_draws_the_same_and_another_something_else():
    drawn = []
    for seed in (3, 3, 4):
        with drawing_from(seeded(seed, CPU), CPU):
            drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))


def test_it_is_the_chance_of_the_three_libraries_after_they_are_seeded():
    with drawing_from(seeded(7, CPU), CPU):
        found = draw()
    generators = random.Random(7), np.random.RandomState(7), torch.Generator().manual_seed(7)
    expected = generators[0].random(), generators[1].random_sample(), float(torch.rand((), generator=generators[2]))
    assert found == expected


def test_what_is_drawn_from_it_leaves_all_other_chance_as_it_was():
    before = states_as_text()
    with drawing_from(seeded(3, CPU), CPU):
        draw()
    assert states_as_text() == before


@pytest.mark.parametrize("failing", [False, True])
def test_it_goes_on_where_it_was_also_after_an_error(failing):
    states = seeded(3, CPU)
    try:
        with drawing_from(states, CPU):
            draw()
            if failing:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    with drawing_from(states, CPU):
        second = draw()
    with drawing_from(seeded(3, CPU), CPU):
        draw()
        assert draw() == second


def test_states_survive_a_file_that_is_read_without_running_code(tmp_path):
    states = seeded(3, CPU)
    torch.save(states, tmp_path / "states")
    with drawing_from(states, CPU):
        expected = draw()
    with drawing_from(torch.load(tmp_path / "states", weights_only=True), CPU):
        assert draw() == expected


def test_states_of_a_device_that_is_not_here_are_left_alone():
    before = read_states(CPU)
    set_states({**seeded(3, CPU), "device": torch.zeros(16, dtype=torch.uint8)}, CPU)
    set_states(before, CPU)
    assert states_as_text() == str(before)
