"""Viewers over Socket.IO: tasks that follow a log, or a session, and emit to one client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from app.core.broker import Listener
from app.dialects.dialect import Reply
from app.dialects.native import NativeEvents, Wanted
from app.runs.log import LogReader
from app.runs.ports import Task
from app.runs.registry import FoundRun
from app.transports.services import Services
from app.transports.socketio.engine import LibraryOutlet, Outlet, OutletTo
from app.transports.visits import visit

UNSENT_WAIT_S = 0.02


class SocketViewers:
    """What each client follows, by what it follows; a run or session is followed once a client."""

    def __init__(self, services: Services, server: Callable[[], Any]) -> None:
        self._services = services
        self._server = server
        self.outlet_to: OutletTo = LibraryOutlet
        self._following: dict[str, dict[str, tuple[Task, Callable[[], None]]]] = {}

    def follow(
        self,
        sid: str,
        user: str,
        found: FoundRun,
        after: int,
        wanted: Wanted,
    ) -> None:
        """Emit the run's events to the client from `after` on. Raises BadCursor, LogReset."""
        reader = self._services.runs.follow(found, after)
        events = NativeEvents(Reply(found.record, found.log, user), after, wanted)
        self._replace(sid, found.record.id, _nothing, self._forward, reader, events, found)

    def join(self, sid: str, owner: str, session_id: str) -> None:
        """Emit the session's news to the client. Raises NotFound."""
        listener = self._services.sessions.listen(owner, session_id)  # before the ack says so

        def leave() -> None:
            self._services.sessions.leave(owner, session_id, listener)

        key = f"session {session_id}"
        if not self._replace(sid, key, leave, self._forward_news, listener, key):
            leave()

    def welcome(self, sid: str) -> None:
        """Note a client that is connected."""
        self._following[sid] = {}

    def leave(self, sid: str) -> None:
        """Follow nothing for this client any more."""
        for task, at_end in self._following.pop(sid, {}).values():
            task.kill()
            at_end()  # here, not in the task: one killed before its first turn never gets there

    def _replace(
        self,
        sid: str,
        key: str,
        at_end: Callable[[], None],
        function: Callable[..., None],
        *args: Any,
    ) -> bool:
        """Follow something, instead of what was followed by that key; False for a client gone."""
        followed = self._following.get(sid)
        if followed is None:
            return False  # it went away while the store was asked
        before = followed.pop(key, None)
        if before is not None:
            before[0].kill()
            before[1]()
        followed[key] = (self._services.runtime.spawn(function, sid, *args), at_end)
        return True

    def _forward(self, sid: str, reader: LogReader, events: NativeEvents, found: FoundRun) -> None:
        outlet = self.outlet_to(self._server(), sid)
        counted = self._services.metrics.watching("socket")
        with counted, found.watched(), visit("socket", found, reader) as told:
            while not reader.done:
                if not self._wait_until_sent(outlet):
                    # Nobody takes it: let the client go. It may come back with its cursor.
                    told.ended_by = "taking nothing"
                    self._services.runtime.spawn(self._server().disconnect, sid)
                    break
                entries = reader.read()
                for event in events.events(entries, outlet.room.most):
                    outlet.emit(event.name, event.payload)
                if not entries and not reader.done:
                    age_s = self._services.runs.age_s(found)
                    outlet.emit("chat_status", events.silence(age_s))
        self._following.get(sid, {}).pop(found.record.id, None)

    def _forward_news(self, sid: str, listener: Listener, key: str) -> None:
        outlet = self.outlet_to(self._server(), sid)
        while True:
            news = listener.next(self._services.runs.limits.heartbeat_s)
            if news is not None:
                outlet.emit(news.name, news.data)
                if news.name == "session_deleted":
                    break
        _, leave = self._following.get(sid, {}).pop(key, (None, _nothing))
        leave()

    def _wait_until_sent(self, outlet: Outlet) -> bool:
        """Wait while the client has too much unsent; False if it takes nothing for too long."""
        least, since = outlet.unsent, time.monotonic()
        while (unsent := outlet.unsent) > outlet.room.unsent:
            if unsent < least:
                least, since = unsent, time.monotonic()
            elif time.monotonic() - since > self._services.limits.viewer_stall_s:
                return False
            self._services.runtime.sleep(UNSENT_WAIT_S)
        return True


def _nothing() -> None:
    """A run's viewer leaves nothing behind."""
