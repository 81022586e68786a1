"""The seam for a filter: what users say, before it is stored; what models say, before it is
shown."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from app.chats.chat_interface import ChatInterface
from app.chats.placing import Place
from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest
from app.core.messages import ProviderMessage, text_parts
from app.providers.catalog import ProviderCatalog
from app.runs.run import Run
from app.runs.service import RunService
from app.stores.memory import MemoryStore
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import ChatOptions
from tests.support.scripted import STOP, ScriptedProvider

Direction = Literal["in", "out"]


class Filter:
    """Writes in capitals, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, direction: Direction, text: str) -> str:
        self.asked.append((direction, text))
        if "forbidden" in text:
            raise InvalidRequest({"message": "no"})
        return text.upper()


@pytest.fixture
def text_filter() -> Filter:
    return Filter()


@pytest.fixture
def chat(
    runs: RunService, catalog: ProviderCatalog, clock: HandClock, text_filter: Filter
) -> ChatInterface:
    return ChatInterface("ann", "s-1", runs, catalog, clock.clock, ChatOptions(), text_filter)


def start(chat: ChatInterface, runtime: ManualRuntime, message: str = "hi", **fields: Any) -> Run:
    run = chat.start(ChatRequest(text_parts(message), **fields))
    runtime.run()
    return run


def test_both_ways_are_filtered_piece_by_piece(
    chat: ChatInterface, runtime: ManualRuntime, text_filter: Filter, memory_store: MemoryStore
) -> None:
    start(chat, runtime, "my message")

    assert text_filter.asked == [("in", "my message"), ("out", "Hello"), ("out", " there")]
    stored = memory_store.read_branch("ann", "s-1")
    assert [one.text for one in stored] == ["MY MESSAGE", "HELLO THERE"]


def test_title_and_what_the_model_is_given_are_the_filtered_text(
    chat: ChatInterface,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
    memory_store: MemoryStore,
) -> None:
    start(chat, runtime, "my message")

    assert scripted.requests[0].messages == (ProviderMessage("user", text_parts("MY MESSAGE")),)
    found = memory_store.find_session("ann", "s-1")
    assert found and found.title == "MY MESSAGE"


def test_only_what_users_say_is_filtered_of_a_history(
    chat: ChatInterface, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    said = (("system", "be brief"), ("user", "one"), ("assistant", "two"))
    start(
        chat,
        runtime,
        "three",
        listed=False,
        history=tuple(ProviderMessage(role, text_parts(text)) for role, text in said),
    )

    assert [m.text for m in scripted.requests[0].messages] == ["be brief", "ONE", "two", "THREE"]


def test_nothing_but_text_is_filtered_of_a_reply(
    chat: ChatInterface, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    scripted.enqueue(("reasoning", "hm"), ("status", {"step": "one"}), "a", STOP)
    run = start(chat, runtime)

    shown = [(entry.kind, entry.data) for entry in run.log.since(0)][:-1]
    assert shown == [("reasoning", "hm"), ("status", {"step": "one"}), ("text", "A")]
    assert scripted.closed == 1


def test_refused_message_leaves_nothing(
    chat: ChatInterface, runtime: ManualRuntime, memory_store: MemoryStore, runs: RunService
) -> None:
    with pytest.raises(InvalidRequest):
        start(chat, runtime, "forbidden")
    assert memory_store.find_session("ann", "s-1") is None
    assert runs.counts()["running"] == 0


def test_fingerprint_is_that_of_what_was_sent(chat: ChatInterface, runtime: ManualRuntime) -> None:
    run = start(chat, runtime, "my message", idempotency_key="k")

    assert run.record.request_hash == ChatRequest(text_parts("my message")).fingerprint()


def test_reply_again_filters_no_message(
    chat: ChatInterface, runtime: ManualRuntime, text_filter: Filter, memory_store: MemoryStore
) -> None:
    start(chat, runtime, "my message")
    text_filter.asked.clear()
    parent_id = memory_store.read_branch("ann", "s-1")[0].id
    chat.start(ChatRequest(text_parts("my message"), place=Place("regenerate")), parent_id)
    runtime.run()

    assert [direction for direction, _ in text_filter.asked] == ["out", "out"]
