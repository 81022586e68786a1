"""Concurrency, one folder a library: tasks, waiting, blocking calls, serving."""

from __future__ import annotations

from app.runtimes.eventlet.runtime import EventletRuntime
from app.runtimes.gevent.runtime import GeventRuntime
from app.runtimes.runtime import Runtime
from app.runtimes.threads import ThreadRuntime


def make_runtime(name: str, store_threads: int = 1) -> Runtime:
    """Return the runtime of that name; `run_blocking` has that many threads, where it has any."""
    if name == "eventlet":
        return EventletRuntime(store_threads)
    if name == "gevent":
        return GeventRuntime(store_threads)
    return ThreadRuntime()
