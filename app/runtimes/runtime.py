"""Concurrency by name: eventlet, gevent, or plain threads."""

from __future__ import annotations

from app.runtimes.eventlet.runtime import EventletRuntime
from app.runtimes.gevent.runtime import GeventRuntime
from app.runtimes.threads import ThreadRuntime

Runtime = EventletRuntime | GeventRuntime | ThreadRuntime
RUNTIMES: dict[str, type[EventletRuntime] | type[GeventRuntime] | type[ThreadRuntime]] = {
    "eventlet": EventletRuntime,
    "gevent": GeventRuntime,
    "threading": ThreadRuntime,
}


def make_runtime(name: str) -> Runtime:
    """Return the runtime of that name."""
    return RUNTIMES[name]()
