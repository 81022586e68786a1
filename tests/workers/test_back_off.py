"""When a process that died is started again."""

from __future__ import annotations

from app.workers.backoff import LONGEST_S, STEADY_S, BackOff


def test_the_first_death_costs_no_time() -> None:
    assert BackOff().after(0.1) == 0


def test_one_that_dies_again_and_again_waits_longer_up_to_a_bound() -> None:
    back_off = BackOff()
    waits = [back_off.after(0.1) for _ in range(8)]

    assert waits == [0, 1, 2, 4, 8, 16, LONGEST_S, LONGEST_S]


def test_one_that_lived_begins_anew() -> None:
    back_off = BackOff()
    for _ in range(5):
        back_off.after(0.1)

    assert [back_off.after(STEADY_S), back_off.after(0.1)] == [0, 1]
