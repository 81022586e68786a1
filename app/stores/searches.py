"""Searches, which take as long as there is much to look through: one after another, beside the
store's other calls and in nobody's way.

Owners take turns. A search whose client has gone is given up, while it waits and while it is under
way. How long one takes says nothing of whether the store works.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import OverCapacity
from app.core.sessions import ChatSession, Page
from app.core.store import SessionStore
from app.runs.ports import Runtime, Waiter

log = logging.getLogger(__name__)
MOST_WAITING = 200
TOO_MANY = "Too many searches are waiting. Try again shortly."


@dataclass(slots=True, eq=False)
class _Search:
    owner: str
    is_gone: Callable[[], bool]
    waiter: Waiter
    given_up: bool = False

    def is_given_up(self) -> bool:
        return self.given_up


class Searches:
    """`searches(owner, page)`; thread-safe. `tick` has to be called a few times a second."""

    def __init__(self, store: SessionStore, runtime: Runtime) -> None:
        self._store = store
        self._runtime = runtime
        self._lock = threading.Lock()
        self._under_way: _Search | None = None  # guarded by _lock
        # Of each owner; the owner whose turn is next is the first. Guarded by _lock.
        self._waiting: OrderedDict[str, deque[_Search]] = OrderedDict()

    def __call__(
        self, owner: str, page: Page, is_gone: Callable[[], bool] = lambda: False
    ) -> list[ChatSession]:
        """Return what the store finds; nothing once `is_gone` says that nobody waits for it.

        Raises OverCapacity, StorageUnavailable.
        """
        search = _Search(owner, is_gone, self._runtime.new_waiter())
        self._line_up(search)
        try:
            while not (search.given_up or self._under_way is search):
                search.waiter.wait()
            if search.given_up:
                return []
            found: list[ChatSession] = self._runtime.run_apart(
                self._store.search_sessions, owner, page, search.is_given_up
            )
            return found
        finally:
            if search.given_up:
                log.debug("a search is given up: nobody waits for it")
            search.given_up = True  # also of one whose task is ended
            self._leave(search)

    def tick(self) -> None:
        """Give up the searches that nobody waits for."""
        with self._lock:
            waiting = [search for line in self._waiting.values() for search in line]
            under_way = self._under_way
        for search in waiting:
            if search.is_gone():
                search.given_up = True
                search.waiter.wake()
        if under_way is not None and under_way.is_gone():
            under_way.given_up = True

    def _line_up(self, search: _Search) -> None:
        with self._lock:
            if self._under_way is None:
                self._under_way = search
                return
            if sum(map(len, self._waiting.values())) >= MOST_WAITING:
                raise OverCapacity(TOO_MANY)
            self._waiting.setdefault(search.owner, deque()).append(search)

    def _leave(self, search: _Search) -> None:
        following: _Search | None = None
        with self._lock:
            line = self._waiting.get(search.owner)
            if line is not None and search in line:
                line.remove(search)
                if not line:
                    del self._waiting[search.owner]
            if self._under_way is search:
                self._under_way = following = self._next()
        if following is not None:
            following.waiter.wake()

    def _next(self) -> _Search | None:
        """Take the search whose turn it is out of its line; its owner's next turn is the last."""
        if not self._waiting:
            return None
        owner, line = self._waiting.popitem(last=False)
        search = line.popleft()
        if line:
            self._waiting[owner] = line
        return search
