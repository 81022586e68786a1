"""A conversation usable by itself: five lines, no server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.chats.request import ChatRequest
from app.chats.session_map import SessionMap
from app.core.messages import text_parts
from app.core.run_errors import RunInternalError, UpstreamTimeout
from app.runs.service import RunService
from app.wiring import open_chat
from tests.support.scripted import STOP, ScriptedProvider


def test_five_lines_stream_a_reply(scripted: ScriptedProvider) -> None:
    chat = open_chat(scripted)
    pieces = chat.chat("hello", stream=True)

    assert isinstance(pieces, Iterator)
    assert list(pieces) == ["Hello", " there"]


def test_whole_reply_is_one_text(scripted: ScriptedProvider) -> None:
    assert open_chat(scripted).chat("hello") == "Hello there"


def test_only_a_streamed_reply_is_paced(scripted: ScriptedProvider) -> None:
    list(open_chat(scripted).chat("hello", stream=True))
    open_chat(scripted).chat("hello")

    assert [request.paced for request in scripted.requests] == [True, False]


def test_conversation_goes_on(scripted: ScriptedProvider) -> None:
    chat = open_chat(scripted)
    chat.chat("first")
    chat.chat("second")

    said = [(m.role, m.text) for m in scripted.requests[1].messages]
    assert said == [("user", "first"), ("assistant", "Hello there"), ("user", "second")]


def test_failed_reply_raises_after_what_came(scripted: ScriptedProvider) -> None:
    scripted.enqueue("par", UpstreamTimeout())
    pieces = open_chat(scripted).chat("hello", stream=True)

    assert next(pieces) == "par"  # type: ignore[arg-type]
    with pytest.raises(UpstreamTimeout):
        next(pieces)  # type: ignore[arg-type]


def test_failed_whole_reply_raises(scripted: ScriptedProvider) -> None:
    scripted.enqueue("par", ZeroDivisionError())

    with pytest.raises(RunInternalError):
        open_chat(scripted).chat("hello")


def test_other_entries_than_text_are_read_over(scripted: ScriptedProvider) -> None:
    scripted.enqueue(("reasoning", "hm"), ("status", {"step": 1}), "answer", STOP)

    assert open_chat(scripted).chat("hello") == "answer"


def test_request_says_who_answers_and_how(scripted: ScriptedProvider) -> None:
    request = ChatRequest(
        text_parts("hi"), model="big", system="Be brief.", temperature=0.5, max_tokens=9
    )
    run = open_chat(scripted).start(request)
    asked = run.request

    assert (asked.model, asked.temperature, asked.max_tokens) == ("big", 0.5, 9)
    assert [m.role for m in asked.messages] == ["system", "user"]
    assert (run.record.provider, run.record.model) == ("scripted", "big")


def test_provider_has_a_model_of_its_own(scripted: ScriptedProvider) -> None:
    assert open_chat(scripted).start(ChatRequest(text_parts("hi"))).record.model == "scripted-1"


def test_stopped_reply_just_ends(
    session_map: SessionMap, runs: RunService, scripted: ScriptedProvider
) -> None:
    def stop() -> None:
        [run] = runs._registry.going()
        runs.stop("ann", run.record.id)

    scripted.enqueue("so far", stop, "never", STOP)
    chat = session_map.open("ann", "s-1")

    assert list(chat.chat("hello", stream=True)) == ["so far"]
