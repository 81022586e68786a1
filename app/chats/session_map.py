"""The lock-guarded in-memory map of the chat interfaces in use, keyed by (owner, session id).

Forgetting one loses nothing: what it stands for is stored. So the map is bounded, by idle time and
size; and the branches that the chat interfaces hold are bounded together.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from app.chats.chat_interface import ChatInterface

Key = tuple[str, str]
# Of branches that are kept: a short one is cheaper to read than to keep, and all of them together
# take some thirty megabytes at the most.
LEAST_MESSAGES = 32
MOST_TOKENS = 8_000_000


class SessionMap:
    """Chat interfaces in use, the least recently used first."""

    def __init__(
        self,
        make: Callable[[str, str], ChatInterface],
        idle_s: float,
        max_size: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._make = make
        self._idle_s = idle_s
        self._max_size = max_size
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._chats: OrderedDict[Key, ChatInterface] = OrderedDict()  # guarded by _lock
        self._tokens: OrderedDict[Key, int] = OrderedDict()  # of kept branches; guarded by _lock
        self._tokens_kept = 0  # guarded by _lock

    def open(self, owner: str, session_id: str) -> ChatInterface:
        """Return the one chat interface of that key, made if it is not there."""
        key = (owner, session_id)
        with self._lock:
            chat = self._chats.get(key)
            if chat is None:
                chat = self._chats[key] = self._make(owner, session_id)
            chat.last_used = self._monotonic()
            self._chats.move_to_end(key)
            if len(self._chats) > self._max_size:
                self._take_out(next(iter(self._chats)))
            return chat

    def note_branch(self, owner: str, session_id: str) -> None:
        """Keep the branch that a turn has left with its chat interface, if there is room."""
        key = (owner, session_id)
        with self._lock:
            chat = self._chats.get(key)
            if chat is None or chat.branch is None:
                return
            self._tokens_kept -= self._tokens.pop(key, 0)
            if len(chat.branch.messages) < LEAST_MESSAGES:
                chat.branch = None
                return
            self._tokens[key] = sum(chat.branch.costs)
            self._tokens_kept += self._tokens[key]
            while self._tokens_kept > MOST_TOKENS:
                oldest, tokens = self._tokens.popitem(last=False)
                self._tokens_kept -= tokens
                self._chats[oldest].branch = None

    def _take_out(self, key: Key) -> None:
        self._chats.pop(key, None)
        self._tokens_kept -= self._tokens.pop(key, 0)

    def holds(self, owner: str, session_id: str) -> bool:
        """Whether the key is there."""
        with self._lock:
            return (owner, session_id) in self._chats

    def forget(self, owner: str, session_id: str | None = None) -> None:
        """Take the session out, if it is there, or all that the owner has."""
        with self._lock:
            if session_id is not None:
                self._take_out((owner, session_id))
                return
            for key in [key for key in self._chats if key[0] == owner]:
                self._take_out(key)

    def evict_idle(self) -> int:
        """Take out what was not used for `idle_s` seconds; return how many."""
        until = self._monotonic() - self._idle_s
        evicted = 0
        with self._lock:
            while self._chats and next(iter(self._chats.values())).last_used <= until:
                self._take_out(next(iter(self._chats)))
                evicted += 1
        return evicted

    def __len__(self) -> int:
        with self._lock:
            return len(self._chats)
