"""Timing, against functions that sleep."""

import time

import pytest

from onenet.bench.turns import in_turns, spread, timed, times_as_fast


@pytest.fixture(autouse=True)
def long_turns(short_turns, monkeypatch):
    monkeypatch.setattr("onenet.bench.turns._MOST", 20)


def test_times_are_those_of_the_functions_in_turns():
    calls = []

    def sleeper(name, seconds):
        def sleep():
            calls.append(name)
            time.sleep(seconds)

        return sleep

    times = in_turns([timed(sleeper("a", 0.11)), timed(sleeper("b", 0.15))], repeats=3)
    assert calls == list("ab") + list("ab") * 3  # warmed up, then in turns
    for found, seconds in zip(times, (0.11, 0.15), strict=True):
        assert len(found) == 3 and all(1000 * seconds <= ms < 1000 * seconds + 60 for (ms,) in found)


def test_parts_of_a_call_are_figures_of_their_own():
    figures = iter([(9.0, 9.0), (0.05, 0.01), (0.07, 0.04), (0.03, 0.02), (0.2, 0.1)])
    (rounds,) = in_turns([lambda: next(figures)], repeats=2)  # turns of 0.05 + 0.07 and of 0.03 + 0.2 seconds
    assert rounds == [pytest.approx((60, 25)), pytest.approx((115, 60))]


def test_what_is_quick_is_called_often_in_a_turn():
    calls = []
    in_turns([timed(lambda: (calls.append(1), time.sleep(0.02)))], repeats=1)
    assert 4 <= len(calls) <= 1 + 5


def test_no_further_round_is_begun_when_the_time_is_over_but_three_are_done():
    assert [len(times) for times in in_turns([timed(lambda: time.sleep(0.1))], repeats=20, seconds=0.0)] == [3]


def test_figures_of_the_rounds():
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}
    assert times_as_fast([10.0, 40.0, 90.0], [10.0, 20.0, 30.0]) == 2.0  # of each round, not of the medians 40 / 20
