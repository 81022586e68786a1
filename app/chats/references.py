"""References to what replies have, in the messages that a client holds: it names what is stored
here instead of sending it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from app.chats.request import ChatRequest
from app.core.messages import REPLY_OF, Content, Part, ProviderMessage


def resolved(request: ChatRequest, reply_of: Callable[[str], Content]) -> ChatRequest:
    """Return the request with what the replies have, by their runs, in the place of references."""
    if not any(part["type"] == REPLY_OF for one in request.history for part in one.content):
        return request
    history = tuple(
        ProviderMessage(one.role, tuple(_parts(one.content, reply_of))) for one in request.history
    )
    return replace(request, history=history)


def _parts(content: Content, reply_of: Callable[[str], Content]) -> Iterator[Part]:
    """Yield the parts; a call that is named and sent, too, is one."""
    called: set[str] = set()
    for part in content:
        for one in reply_of(part["run_id"]) if part["type"] == REPLY_OF else (part,):
            if one["type"] == "tool_call":
                if one["call_id"] in called:
                    continue
                called.add(one["call_id"])
            yield one
