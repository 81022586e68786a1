"""Calls of tools, put together from what servers send of them in pieces.

A piece belongs to the call with its id; without one to that of its index; without both to the
latest. A new id at a used index is a new call. Seen: ids and names repeated in each piece or never
sent, one index for all calls, arguments as an object, twice encoded, empty. Nothing is acted on
before the reply's finish reason: a prefix that can be parsed is not the arguments.
"""

from __future__ import annotations

from typing import Any

import orjson

from app.core.entries import OPAQUE, TOOL_ARGS, TOOL_CALL, TOOL_READY, storable
from app.core.tools import CLIENT, new_call_id
from app.providers.wire.chunks import WholeText, loads
from app.runs.ports import Piece

MAX_NAME = 256  # characters of a name, and of an id
MAX_CALLS = 128  # of one step: OpenAI's own bound of tools


class _Call:
    """One call on its way."""

    __slots__ = ("n", "id", "key", "name", "args", "waiting", "own", "told", "text", "index")

    def __init__(self, n: int, key: str, index: Any) -> None:
        self.n = n
        self.key = key  # its server's id for it; empty for none
        self.id = key or new_call_id()
        self.index = index
        self.name = ""
        self.args: list[str] = []
        self.waiting: list[str] = []  # arguments that came before the name
        self.own: dict[str, Any] = {}  # of its vendor, not told yet
        self.told = False
        self.text = WholeText()

    @property
    def names(self) -> dict[str, Any]:
        return {"n": self.n, "call_id": self.id, "name": self.name}


class ReplyCalls:
    """The calls of one reply. `vendor` is who gets its own fields back."""

    def __init__(self, first: int, vendor: str) -> None:
        self._next = first
        self._vendor = vendor
        self._calls: list[_Call] = []
        self._latest: _Call | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(
        self,
        found: list[Piece],
        key: Any = None,
        index: Any = None,
        name: Any = None,
        args: Any = None,
        own: dict[str, Any] | None = None,
    ) -> None:
        """Add what a piece says: each of it may be missing, or of another type than is usual."""
        key = storable(str(key))[:MAX_NAME] if type(key) in (str, int) else ""
        index = index if type(index) is int else None
        name = storable(name)[:MAX_NAME] if isinstance(name, str) else ""
        text = _written(args)
        call = self._of(key, index, name, text)
        if call is None:
            if len(self._calls) == MAX_CALLS:
                return
            call = _Call(self._next, key, index)
            self._next += 1
            self._calls.append(call)
        self._latest = call
        call.name = call.name or name
        if text and (text := call.text.take(text)):
            call.args.append(text)
            call.waiting.append(text)
        call.own.update(own or {})
        self._tell(call, found)

    def _of(self, key: str, index: int | None, name: str, text: str) -> _Call | None:
        """Return the call that the piece belongs to, None for a new one."""
        call = self._at(index) if index is not None else self._latest
        if key:
            same = next((one for one in self._calls if one.key == key), None)
            if same is None and call is not None and _may_be_of(call, name):
                call.key = key
                call.id = call.id if call.told else key
                return call
            return same
        if call is None or not name or not call.name or (name == call.name and not text):
            return call
        if name == call.name and not call.args:
            return call
        return None if _parsed("".join(call.args)) is not None else call

    def _at(self, index: int | None) -> _Call | None:
        return next((call for call in reversed(self._calls) if call.index == index), None)

    def _tell(self, call: _Call, found: list[Piece]) -> None:
        if not call.name:
            return
        if call.own:  # before the call: who is told of it needs both at once
            found.append((OPAQUE, {"vendor": self._vendor, "call_id": call.id, **call.own}))
            call.own = {}
        if not call.told:
            call.told = True
            found.append((TOOL_CALL, {**call.names, "source": CLIENT}))
        found += [(TOOL_ARGS, {"n": call.n, "delta": text}) for text in call.waiting]
        call.waiting.clear()

    def finish(self, found: list[Piece], is_cut: bool) -> None:
        """Add what makes the calls whole; of a reply that is cut the latest never became so. What
        comes after that are other calls."""
        for call in self._calls:
            call.name = call.name or "unknown"
            self._tell(call, found)
            text = "".join(call.args)
            parsed = _parsed(text)
            whole = {**call.names, "source": CLIENT}
            if parsed is None or (is_cut and call is self._latest):
                found.append((TOOL_READY, {**whole, "invalid": text}))
            else:
                found.append((TOOL_READY, {**whole, "input": parsed}))
        self._calls, self._latest = [], None


def _may_be_of(call: _Call, name: str) -> bool:
    """Whether an id that nobody has yet is this call's, which has none: it came later than its
    name."""
    if call.key or (name and call.name and name != call.name):
        return False
    return not (name and call.args)


def _written(args: Any) -> str:
    """Return arguments as text: they are one, or an object."""
    if args is None or isinstance(args, str):
        return args or ""
    try:
        return orjson.dumps(args).decode()
    except TypeError:
        return "null"


def _parsed(text: str) -> dict[str, Any] | None:
    """Return the arguments, None for what is no object or cannot be stored."""
    if not text.strip():
        return {}
    value = loads(text.encode("utf-8", "replace"))
    if isinstance(value, str):  # encoded twice
        value = loads(value.encode("utf-8", "replace"))
    value = {} if value is None and text.strip() == "null" else value
    if not isinstance(value, dict):
        return None
    stored = storable(value)
    return stored if isinstance(stored, dict) else None
