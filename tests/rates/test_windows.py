"""What every kind of windows counts."""

from __future__ import annotations

import time

from app.rates.windows import Windows
from tests.support.manual import at_once

HOUR_S = 3600


def test_what_has_room_counts_and_what_has_none_does_not(windows: Windows) -> None:
    before = time.time()
    hits = [windows.hit("stream/ann", 3, HOUR_S) for _ in range(5)]

    assert [has_room for has_room, _, _ in hits] == [True, True, True, False, False]
    assert [used for _, _, used in hits] == [1, 2, 3, 3, 3]
    (since,) = {since for _, since, _ in hits}  # the first of them is the first to leave
    assert before - 0.001 <= since <= time.time() + 0.001  # Redis keeps tenths of one of these


def test_keys_have_windows_of_their_own(windows: Windows) -> None:
    hits = [windows.hit(key, 1, HOUR_S) for key in ("stream/ann", "stream/bob", "chat/ann")]

    assert [has_room for has_room, _, _ in hits] == [True] * 3
    assert windows.hit("chat/ann", 1, HOUR_S)[0] is False


def test_many_threads_get_as_many_places_as_there_are(windows: Windows) -> None:
    hits = at_once(20, lambda _: windows.hit("stream/ann", 7, HOUR_S))

    assert sum(has_room for has_room, _, _ in hits) == 7
