"""Turns that go elsewhere than to the leaf: siblings in the tree, the new one in use."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.placing import Place
from app.chats.request import ChatRequest
from app.chats.sessions import SessionService
from app.core.errors import InvalidRequest, NotFound, SessionBusy, SessionGone
from app.core.messages import Message, text_parts
from app.providers.catalog import ProviderCatalog
from app.stores.memory import MemoryStore
from app.stores.sqlite.store import SqliteStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.scripted import STOP, ScriptedProvider


class Talk:
    """One conversation, over either store; each reply is its message in capitals."""

    def __init__(self, sessions: SessionService, store: Any, runtime: ManualRuntime) -> None:
        self.sessions, self.store = sessions, store
        self._runtime = runtime
        self.scripted = ScriptedProvider()

    def say(self, reply: str, message: str = "", place: Place | None = None, **fields: Any) -> str:
        """Have a turn answered with `reply`; return the reply's id."""
        self.scripted.enqueue(reply, STOP)
        place = place or Place()
        request = ChatRequest(text_parts(message), session_id="s-1", place=place, **fields)
        found = self.sessions.start("ann", request).found
        self._runtime.run()
        return found.record.message_id

    def shown(self) -> list[str]:
        """Return the texts of the branch in use."""
        return [message.text for message in self.sessions.messages("ann", "s-1")]

    def given(self) -> list[str]:
        """Return the texts that the model was given last."""
        return [message.text for message in self.scripted.requests[-1].messages]

    def tree(self) -> dict[str, Message]:
        """Return all messages, by text."""
        return {one.text: one for one in self.store.read_tree("ann", "s-1").values()}

    def siblings(self, first: str, second: str) -> bool:
        """Whether both hang on the same message."""
        return self.tree()[first].parent_id == self.tree()[second].parent_id


@pytest.fixture(params=["memory_store", "sql_store"])
def talk(request: pytest.FixtureRequest, runtime: ManualRuntime, clock: HandClock) -> Talk:
    store: MemoryStore | SqliteStore = request.getfixturevalue(request.param)
    scripted = ScriptedProvider()
    catalog = ProviderCatalog({}, {}, scripted, "")
    made = Talk(make_sessions(store, runtime, clock.clock, catalog), store, runtime)
    made.scripted = scripted
    return made


@pytest.fixture
def replies(talk: Talk) -> tuple[str, str]:
    """Two turns: a, A, b, B. Return the ids of the replies."""
    return talk.say("A", "a"), talk.say("B", "b")


def test_edited_message_is_beside_the_old_one(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("edit", talk.tree()["b"].id))

    assert talk.given() == ["a", "A", "c"]
    assert talk.shown() == ["a", "A", "c", "C"]
    assert talk.siblings("b", "c")
    assert len(talk.tree()) == 6


def test_edited_first_message_is_a_root_of_its_own(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("edit", talk.tree()["a"].id))

    assert talk.given() == ["c"]
    assert talk.shown() == ["c", "C"]
    assert talk.tree()["c"].parent_id is None


@pytest.mark.parametrize("named", [False, True])
def test_regenerated_reply_is_beside_the_old_one(
    talk: Talk, replies: tuple[str, str], named: bool
) -> None:
    talk.say("B2", place=Place("regenerate", replies[1] if named else None))

    assert talk.given() == ["a", "A", "b"]
    assert talk.shown() == ["a", "A", "b", "B2"]
    assert talk.siblings("B", "B2")
    assert len(talk.tree()) == 5


def test_regenerated_earlier_reply_leaves_what_followed(
    talk: Talk, replies: tuple[str, str]
) -> None:
    talk.say("A2", place=Place("regenerate", replies[0]))

    assert (talk.given(), talk.shown()) == (["a"], ["a", "A2"])
    assert talk.siblings("A", "A2")
    assert set(talk.tree()) == {"a", "A", "b", "B", "A2"}


@pytest.mark.parametrize("before,given", [(None, ["a"]), (0, ["a", "A", "b"])])
def test_again_answers_the_message_after_a_reply(
    talk: Talk, replies: tuple[str, str], before: int | None, given: list[str]
) -> None:
    talk.say("new", place=Place("again", None if before is None else replies[before]))

    assert (talk.given(), talk.shown()) == (given, [*given, "new"])
    assert talk.siblings("new", given[-1].upper())


@pytest.mark.parametrize("before,given", [(None, ["c"]), (0, ["a", "A", "c"])])
def test_after_puts_a_message_beside_what_followed(
    talk: Talk, replies: tuple[str, str], before: int | None, given: list[str]
) -> None:
    talk.say("C", "c", Place("after", None if before is None else replies[before]))

    assert (talk.given(), talk.shown()) == (given, [*given, "C"])
    assert talk.siblings("c", "a" if before is None else "b")


def test_after_a_message_nobody_knows_is_at_the_leaf(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("after", "gone"))

    assert talk.shown() == ["a", "A", "b", "B", "c", "C"]


def test_next_turn_goes_on_in_the_new_branch(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("edit", talk.tree()["b"].id))
    talk.say("D", "d")

    assert talk.given() == ["a", "A", "c", "C", "d"]
    assert talk.shown() == ["a", "A", "c", "C", "d", "D"]


@pytest.mark.parametrize("parent,given", [(None, ["c"]), (0, ["a", "A", "c"])])
def test_message_hangs_on_the_one_it_was_written_under(
    talk: Talk, replies: tuple[str, str], parent: int | None, given: list[str]
) -> None:
    talk.say("C", "c", Place("under", None if parent is None else replies[parent]))

    assert (talk.given(), talk.shown()) == (given, [*given, "C"])
    assert talk.siblings("c", "a" if parent is None else "b")


def test_message_under_the_last_one_goes_on(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("under", replies[1]))

    assert talk.shown() == ["a", "A", "b", "B", "c", "C"]


def test_message_under_another_branch_than_the_one_in_use_goes_on_there(
    talk: Talk, replies: tuple[str, str]
) -> None:
    talk.say("C", "c", Place("edit", talk.tree()["b"].id))  # by another tab
    talk.say("D", "d", Place("under", replies[1]))

    assert talk.given() == ["a", "A", "b", "B", "d"]
    assert talk.shown() == ["a", "A", "b", "B", "d", "D"]


def test_long_branch_that_is_known_is_left_for_another(talk: Talk) -> None:
    first = [talk.say(f"A{n}", f"a{n}") for n in range(20)][0]  # long enough to be kept
    talk.say("B", "b", Place("under", first))
    talk.say("C", "c", Place("under", None))

    assert talk.given() == ["c"]
    assert len(talk.tree()) == 44


def test_after_begins_a_session_that_is_not_there(talk: Talk) -> None:
    talk.say("A", "a", Place("after", "a-1"))

    assert (talk.given(), talk.shown()) == (["a"], ["a", "A"])


@pytest.mark.parametrize("kind", ["edit", "regenerate", "again", "under"])
def test_session_that_is_not_there_is_not_begun_in_its_middle(talk: Talk, kind: Any) -> None:
    with pytest.raises(SessionGone):
        talk.say("A", "a", Place(kind, "m-1"), must_exist=True)

    assert talk.sessions.counts() == {"in_memory": 0, "stored": 0}


@pytest.mark.parametrize(
    "place,field",
    [
        (Place("edit", "gone"), "message_id"),
        (Place("regenerate", "gone"), "message_id"),
        (Place("under", "gone"), "parent_id"),
    ],
)
def test_wrong_target_changes_nothing(
    talk: Talk, replies: tuple[str, str], place: Place, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        talk.say("C", "c", place)

    assert set(refused.value.fields) == {field}
    assert talk.shown() == ["a", "A", "b", "B"]


def test_target_of_somebody_else_is_not_there(talk: Talk, replies: tuple[str, str]) -> None:
    request = ChatRequest(
        text_parts("c"), session_id="s-1", place=Place("edit", talk.tree()["a"].id)
    )

    with pytest.raises(NotFound):
        talk.sessions.start("bob", request)
    assert talk.sessions.counts()["stored"] == 1


def test_title_stays_that_of_the_first_message(talk: Talk, replies: tuple[str, str]) -> None:
    talk.say("C", "c", Place("edit", talk.tree()["a"].id))
    talk.say("C2", place=Place("regenerate"))

    assert talk.sessions.get("ann", "s-1").title == "a"


def test_branch_is_not_changed_under_a_reply(talk: Talk, replies: tuple[str, str]) -> None:
    talk.scripted.enqueue("C", STOP)
    request = ChatRequest(text_parts("c"), session_id="s-1")
    run_id = talk.sessions.start("ann", request).found.record.id

    with pytest.raises(SessionBusy) as refused:
        talk.sessions.choose_branch("ann", "s-1", replies[0])
    assert refused.value.run_id == run_id
    assert talk.shown()[:5] == ["a", "A", "b", "B", "c"]
