"""References to replies that are stored: what they have comes in their place."""

from __future__ import annotations

from app.chats.references import resolved
from app.chats.request import ChatRequest
from app.core.messages import Content, Part, ProviderMessage, text_parts

CALL: Part = {"type": "tool_call", "call_id": "c", "name": "t", "source": "client", "input": {}}
REPLIES: dict[str, Content] = {"a": (*text_parts("Let me see."), CALL), "b": text_parts("Done.")}


def refer(run_id: str) -> Part:
    return {"type": "reply_of", "run_id": run_id}


def request_of(*content: Part) -> ChatRequest:
    said = ProviderMessage("user", text_parts("hi"))
    return ChatRequest(text_parts("and?"), history=(said, ProviderMessage("assistant", content)))


def test_a_request_without_any_is_itself() -> None:
    request = request_of(*text_parts("Hello"))
    assert resolved(request, lambda run_id: REPLIES[run_id]) is request


def test_what_replies_have_comes_in_their_place() -> None:
    request = resolved(request_of(refer("a"), refer("b")), lambda run_id: REPLIES[run_id])
    assert request.history[1].content == REPLIES["a"] + REPLIES["b"]
    assert request.history[0].text == "hi"


def test_a_call_that_is_named_and_sent_is_one() -> None:
    request = resolved(request_of(refer("a"), CALL), lambda run_id: REPLIES[run_id])
    assert request.history[1].content == REPLIES["a"]
