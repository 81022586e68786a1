"""run.py with libraries of which nothing is as we expect it: everything goes the libraries' way."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

if "WORKERS" in os.environ and "TANDEM_PLACE" not in os.environ:
    sys.path[0] = str(Path(__file__).parent.parent.parent)
    from app.parent import main as look_after

    sys.exit(look_after(dict(os.environ)))
if os.environ["ASYNC_MODE"] == "eventlet":
    import eventlet

    eventlet.monkey_patch()
else:
    from gevent import monkey

    monkey.patch_all()
sys.path[0] = str(Path(__file__).parent.parent.parent)

import engineio  # noqa: E402

from app.main import main  # noqa: E402
from app.runtimes.eventlet.checks import Places  # noqa: E402
from app.runtimes.eventlet.runtime import EventletRuntime  # noqa: E402
from app.runtimes.gevent.checks import Places as GeventPlaces  # noqa: E402
from app.runtimes.gevent.runtime import GeventRuntime  # noqa: E402
from app.runtimes.runtime import Runtime  # noqa: E402


def countless(queue: Any) -> type:
    """Return a queue's class without what says how many wait."""

    class Countless:
        def __init__(self, *args: Any) -> None:
            inner = queue(*args)
            self.get, self.put = inner.get, inner.put
            self.join, self.task_done = inner.join, inner.task_done

    return Countless


def with_other_arguments(function: Any) -> Any:
    """Return a method that says nothing of what it takes."""
    return lambda *args: function(*args)


class BareEventlet(EventletRuntime):
    """eventlet, with nothing of what we reach for."""

    def __init__(self) -> None:
        wsgi = SimpleNamespace(server=lambda: None)
        bare = Places(object(), None, object, object, wsgi)
        super().__init__(places=bare)

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {**classes, "queue": countless(classes["queue"])}
        return super().engine_classes(given)


class BareGevent(GeventRuntime):
    """gevent, with nothing of what we reach for."""

    def __init__(self) -> None:
        super().__init__(places=GeventPlaces(object, object, object))

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**classes, "queue": countless(classes["queue"])}


def make(name: str, store_threads: int) -> Runtime:
    """Return the runtime of that name."""
    return BareEventlet() if name == "eventlet" else BareGevent()


engineio.Server._upgrades = with_other_arguments(engineio.Server._upgrades)
sys.exit(main(make))
