"""What clients ask that hold their conversations, know them by number, or must have made them
before."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.chats.sessions import SessionService
from app.core.errors import NotFound
from app.core.messages import ProviderMessage, text_parts
from app.providers.catalog import ProviderCatalog
from app.stores.memory import MemoryStore
from app.stores.sqlite.store import SqliteStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.scripted import ScriptedProvider

HISTORY = (
    ProviderMessage("system", text_parts("Be brief.")),
    ProviderMessage("user", text_parts("hi")),
    ProviderMessage("assistant", text_parts("Hello")),
)


@pytest.fixture(params=["memory_store", "sql_store"])
def chats(
    request: pytest.FixtureRequest,
    runtime: ManualRuntime,
    clock: HandClock,
    catalog: ProviderCatalog,
) -> SessionService:
    """A service over either store."""
    store: MemoryStore | SqliteStore = request.getfixturevalue(request.param)
    return make_sessions(store, runtime, clock.clock, catalog)


def ask(sessions: SessionService, message: str = "hi", owner: str = "ann", **fields: Any) -> str:
    """Start a run; return its session's id."""
    return sessions.start(owner, ChatRequest(text_parts(message), **fields)).found.record.session_id


# --- a history ----------------------------------------------------------------------------------


def test_history_is_a_chain_of_messages_with_their_roles(
    chats: SessionService, runtime: ManualRuntime
) -> None:
    session_id = ask(chats, "and?", listed=False, history=HISTORY)
    runtime.run()

    branch = chats.messages("ann", session_id)
    assert [(one.role, one.text) for one in branch] == [
        *((one.role, one.text) for one in HISTORY),
        ("user", "and?"),
        ("assistant", "Hello there"),
    ]
    assert [one.parent_id for one in branch] == [None, *(one.id for one in branch[:-1])]


def test_model_is_given_history_and_message(
    chats: SessionService, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    ask(chats, "and?", listed=False, history=HISTORY)
    runtime.run()

    assert scripted.requests[0].messages == (*HISTORY, ProviderMessage("user", text_parts("and?")))


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_message_has_the_role_it_was_given(
    chats: SessionService, runtime: ManualRuntime, scripted: ScriptedProvider, role: str
) -> None:
    session_id = ask(chats, "and?", listed=False, role=role)
    runtime.run()

    assert scripted.requests[0].messages == (ProviderMessage(role, text_parts("and?")),)
    assert chats.messages("ann", session_id)[0].role == role


@pytest.mark.parametrize("history", [(), HISTORY])
@pytest.mark.parametrize("listed", [True, False])
def test_a_session_is_listed_as_its_request_says(
    chats: SessionService, history: Any, listed: bool
) -> None:
    session_id = ask(chats, listed=listed, history=history)

    assert chats.get("ann", session_id).listed is listed
    assert [one.id for one in chats.list("ann")] == ([session_id] if listed else [])


def test_each_history_has_a_session_of_its_own(
    chats: SessionService, runtime: ManualRuntime
) -> None:
    asked = {"listed": False, "history": HISTORY}
    assert ask(chats, **asked) != ask(chats, **asked)


def test_empty_messages_of_a_history_are_kept_from_the_model(
    chats: SessionService, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    ask(
        chats,
        "and?",
        listed=False,
        history=(
            ProviderMessage("user", text_parts("hi")),
            ProviderMessage("assistant", text_parts("")),
        ),
    )
    runtime.run()

    assert [one.text for one in scripted.requests[0].messages] == ["hi", "and?"]


# --- sessions that must exist -------------------------------------------------------------------


def test_session_that_must_exist_is_not_made(chats: SessionService) -> None:
    with pytest.raises(NotFound):
        ask(chats, session_id="s-1", must_exist=True)

    assert chats.counts() == {"in_memory": 0, "stored": 0}
    assert chats._runs._registry.going() == []


def test_session_of_somebody_else_does_not_exist(chats: SessionService) -> None:
    chats.create("bob", "s-1")

    with pytest.raises(NotFound):
        ask(chats, session_id="s-1", must_exist=True)
    assert (chats.counts(), chats.messages("bob", "s-1")) == ({"in_memory": 0, "stored": 1}, [])


def test_session_that_must_exist_and_does_is_used(
    chats: SessionService, runtime: ManualRuntime
) -> None:
    chats.create("ann", "s-1")

    assert ask(chats, session_id="s-1", must_exist=True) == "s-1"
    runtime.run()
    assert chats.get("ann", "s-1").message_count == 2


def test_refused_start_gives_its_place_back(chats: SessionService) -> None:
    for _ in range(20):
        with pytest.raises(NotFound):
            ask(chats, session_id="s-1", must_exist=True, caller="ann")

    assert ask(chats, caller="ann")


# --- numbers ------------------------------------------------------------------------------------


def test_conversations_are_numbered_for_each_owner(chats: SessionService) -> None:
    mine = [ask(chats, numbered=True) for _ in range(3)]

    assert mine == ["conversation:1", "conversation:2", "conversation:3"]
    assert ask(chats, owner="bob", numbered=True) == "conversation:1"


def test_other_sessions_take_no_number(chats: SessionService) -> None:
    ask(chats, numbered=True)
    ask(chats)
    ask(chats, session_id="mine", numbered=True)

    assert ask(chats, numbered=True) == "conversation:2"


def test_number_goes_on_where_it_was(chats: SessionService, runtime: ManualRuntime) -> None:
    session_id = ask(chats, "one", numbered=True)
    runtime.run()
    ask(chats, "two", session_id=session_id, must_exist=True, numbered=True)
    runtime.run()

    said = [one.text for one in chats.messages("ann", "conversation:1")]
    assert said == ["one", "Hello there", "two", "Hello there"]


def test_number_of_a_deleted_conversation_is_not_given_again(
    chats: SessionService, runtime: ManualRuntime
) -> None:
    chats.delete("ann", ask(chats, numbered=True))
    runtime.run()

    assert ask(chats, numbered=True) == "conversation:2"


def test_same_key_is_the_same_conversation(chats: SessionService) -> None:
    first = ask(chats, numbered=True, idempotency_key="key-1")

    assert ask(chats, numbered=True, idempotency_key="key-1") == first == "conversation:1"
    assert ask(chats, numbered=True) == "conversation:2"
