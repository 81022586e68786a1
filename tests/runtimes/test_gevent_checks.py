"""Each of the tricks with gevent, beside a library that lacks what it stands on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("gevent")

from app.runtimes.gevent.checks import Places, find_tricks, gevent_places  # noqa: E402


@pytest.fixture
def places() -> Places:
    """What this process has."""
    return gevent_places()


def less(owner: Any, name: str) -> Any:
    """Return an object with the attributes of a class, but without that one."""
    kept = {other: getattr(owner, other) for other in dir(owner) if other != name}
    return SimpleNamespace(**kept)


def refused(places: Places) -> set[str]:
    tricks = find_tricks(places)
    return {name for name in tricks.__slots__ if not getattr(tricks, name)}


def test_every_trick_can_be_used_with_the_pinned_versions(places, caplog):
    assert refused(places) == set()
    assert caplog.records == []


@pytest.mark.parametrize("name", ["read_requestline", "read_request", "run_application"])
def test_a_request_handler_of_another_shape_has_no_times(places, name):
    assert refused(replace(places, handler=less(places.handler, name))) == {"requests"}


def test_a_request_handler_of_other_sockets_has_no_times(places):
    class Otherwise:
        def __init__(self, *args: Any) -> None:
            pass

    assert refused(replace(places, socket=Otherwise)) == {"requests"}


def test_errors_that_are_handled_otherwise_are_its_own(places, caplog):
    otherwise = type("Handler", (places.handler,), {"_log_error": lambda self, error: None})
    assert refused(replace(places, handler=otherwise)) == set()
    assert "its error handler" in caplog.records[0].getMessage()


@pytest.mark.parametrize("name", ["_discard", "_chunked_input_error"])
def test_a_body_of_another_shape_is_read_to_its_end(places, name):
    assert refused(replace(places, body=less(places.body, name))) == {"bodies"}


def test_websockets_are_ours_with_the_request_handler(places, caplog):
    assert find_tricks(places).websockets
    assert not find_tricks(replace(places, handler=less(places.handler, "headers"))).websockets
