"""A branch that is kept: grown by what is new, it is what it would be if it were read whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chats.branch_in_use import BranchInUse
from app.chats.chat_interface import ChatInterface
from app.chats.request import ChatRequest
from app.chats.session_map import LEAST_MESSAGES
from app.chats.sessions import SessionService
from app.core.messages import Message, text_parts
from app.providers.catalog import ProviderCatalog
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.scripted import STOP, ScriptedProvider


def branch(*texts: str, status: str = "completed") -> list[Message]:
    """Return messages by turns of a user and a model; the status is the last one's."""
    made = [
        Message(f"m-{place}", "assistant" if place % 2 else "user", text_parts(text), 0.0)
        for place, text in enumerate(texts)
    ]
    return [*made[:-1], replace(made[-1], status=status)] if made else []


def shown(used: BranchInUse) -> object:
    return used.messages, used.given, used.costs, used.known.messages, dict(used.known.places)


@given(st.lists(st.sampled_from(["", "a", "long enough"]), max_size=9), st.integers(0, 9))
def test_grown_branch_is_what_it_would_be_if_read_whole(texts: list[str], kept: int) -> None:
    messages = branch(*texts)
    before = BranchInUse(messages[:kept])

    assert shown(BranchInUse(messages, before)) == shown(BranchInUse(messages))


@given(st.integers(0, 5), st.integers(0, 5))
def test_other_branch_takes_over_only_what_is_shared(shared: int, others: int) -> None:
    messages = branch("a", "b", "c", "d", "e")
    before = BranchInUse(messages)
    other = [*messages[:shared], *(replace(m, id=f"o-{m.id}") for m in branch(*"x" * others))]
    grown = BranchInUse(other, before)

    assert (grown.given, grown.costs) == (BranchInUse(other).given, BranchInUse(other).costs)
    assert {key: grown.known.places[key] for key in (m.id for m in other)} == {
        message.id: place for place, message in enumerate(other)
    }


def test_reply_that_is_being_written_is_not_known() -> None:
    used = BranchInUse(branch("a", "b", status="running"))

    assert [message.id for message in used.known.messages] == ["m-0"]
    assert dict(used.known.places) == {"m-0": 0}


# --- in use -------------------------------------------------------------------------------------


@pytest.fixture
def talking(
    memory_store: MemoryStore, runtime: ManualRuntime, clock: HandClock, catalog: ProviderCatalog
) -> SessionService:
    return make_sessions(memory_store, runtime, clock.clock, catalog)


def say(
    sessions: SessionService, scripted: ScriptedProvider, runtime: ManualRuntime, text: str
) -> None:
    scripted.enqueue(f"re: {text}", STOP)
    sessions.start("ann", ChatRequest(text_parts(text), session_id="s-1"))
    runtime.run()


def chat_of(sessions: SessionService) -> ChatInterface:
    return sessions._map.open("ann", "s-1")


def test_long_conversation_is_kept_and_the_model_is_given_all_of_it(
    talking: SessionService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> None:
    turns = LEAST_MESSAGES
    for number in range(turns):
        say(talking, scripted, runtime, f"message {number}")

    assert chat_of(talking).branch is not None
    said = [message.text for message in scripted.requests[-1].messages]
    expected = [text for n in range(turns) for text in (f"message {n}", f"re: message {n}")]
    assert said == expected[:-1]


def test_short_conversation_is_not_kept(
    talking: SessionService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> None:
    say(talking, scripted, runtime, "hi")

    assert chat_of(talking).branch is None


@pytest.mark.parametrize("place", [0, 3, 5])
@pytest.mark.parametrize("kept", [0, 2, 4, 6])
def test_prompt_of_the_client_is_seen_wherever_it_is(place: int, kept: int) -> None:
    messages = branch("a", "b", "c", "d", "e", "f")
    without = BranchInUse(messages, BranchInUse(messages[:kept]))
    messages[place] = replace(messages[place], role="system")
    grown = BranchInUse(messages, BranchInUse(messages[:kept]))

    assert grown.has_prompt and not without.has_prompt
    assert not BranchInUse(messages[:place], grown).has_prompt
