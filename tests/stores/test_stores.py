"""What every store promises: one suite over memory and SQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.entries import Entry, content_of, folded
from app.core.errors import SessionBusy
from app.core.messages import Message
from app.core.run_errors import UpstreamTimeout
from app.core.sessions import ChatSession
from app.core.store import Batch, EndedRun
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.kinds import mixed
from tests.support.manual import OneStoreThread, at_once
from tests.support.samples import USAGE, end_entry, ended, run_end, run_record, texts, turn_of

BOTH_WAYS = pytest.mark.parametrize("way", ["append_now", "append"])


def ids(branch: list[Message]) -> list[str]:
    return [message.id for message in branch]


def complete(store: Store, run_id: str = "run-1", *pieces: str, session_id: str = "s-1") -> None:
    """Store a whole turn, at a time that its number gives."""
    at = START + int(run_id[-1])
    store.begin_turn(turn_of(run_id, session_id=session_id, at=at))
    record = run_record(run_id, session_id=session_id)
    store.append(WORKER, ended(record, texts(*(pieces or ("Hello",)))))


def test_turn_is_stored_with_its_session_and_run(store: Store) -> None:
    assert ids(store.begin_turn(turn_of(text="What is a fjord?"))) == ["run-1-message"]

    found = store.find_session("ann", "s-1")
    assert found is not None
    assert (found.title, found.active_run_id) == ("What is a fjord?", "run-1")
    assert (found.leaf_id, found.message_count) == ("run-1-reply", 2)
    assert store.find_run("ann", "run-1") == run_record()
    assert store.read_entries("run-1") == []


def test_turn_of_several_messages_is_a_chain(store: Store) -> None:
    turn = turn_of()
    more = [replace(turn.messages[0], id=f"more-{index}") for index in range(3)]
    branch = store.begin_turn(replace(turn, messages=(*turn.messages, *more)))

    assert ids(branch) == ["run-1-message", "more-0", "more-1", "more-2"]
    parents = [message.parent_id for message in store.read_branch("ann", "s-1")]
    assert parents == [None, "run-1-message", "more-0", "more-1", "more-2"]


def test_next_turn_hangs_on_the_last_reply(store: Store) -> None:
    complete(store, "run-1", "Hel", "lo")
    branch = store.begin_turn(turn_of("run-2", text="and then?"))

    assert ids(branch) == ["run-1-message", "run-1-reply", "run-2-message"]
    assert [message.text for message in branch] == ["hi", "Hello", "and then?"]


def test_title_is_that_of_the_first_turn(store: Store) -> None:
    complete(store)
    store.begin_turn(turn_of("run-2", text="and then?"))

    found = store.find_session("ann", "s-1")
    assert found and found.title == "hi"


def test_created_session_takes_the_title_of_its_first_turn(store: Store) -> None:
    store.create_session(ChatSession("ann", "s-1", START, START))
    store.begin_turn(turn_of())

    found = store.find_session("ann", "s-1")
    assert found and found.title == "hi"


def test_second_turn_on_a_busy_session_is_refused_whole(store: Store) -> None:
    store.begin_turn(turn_of("run-1"))
    with pytest.raises(SessionBusy) as refused:
        store.begin_turn(turn_of("run-2"))

    assert refused.value.run_id == "run-1"
    assert store.find_run("ann", "run-2") is None
    assert ids(store.read_branch("ann", "s-1")) == ["run-1-message", "run-1-reply"]


def test_of_many_turns_at_once_in_a_session_one_begins(store: Store) -> None:
    runtime = OneStoreThread()

    def begin(index: int) -> str:
        try:
            runtime.run_blocking(store.begin_turn, turn_of(f"run-{index}"))
        except SessionBusy as busy:
            return str(busy.run_id)
        return f"run-{index}"

    assert len(set(at_once(50, begin))) == 1


@BOTH_WAYS
def test_appended_entries_are_read_in_order(store: Store, way: str) -> None:
    store.begin_turn(turn_of())
    status = Entry(3, "status", {"step": "é"}, START)
    append = getattr(store, way)
    append(WORKER, Batch([("run-1", texts("a", "\u2028 🙂"))]))
    append(WORKER, Batch([("run-1", [status, *texts("c", first=4)])]))

    assert store.read_entries("run-1") == [*texts("a", "\u2028 🙂"), status, *texts("c", first=4)]


@BOTH_WAYS
def test_one_batch_holds_many_runs(store: Store, way: str) -> None:
    for run_id in ("run-1", "run-2"):
        store.begin_turn(turn_of(run_id, session_id=run_id))
    getattr(store, way)(WORKER, Batch([("run-1", texts("a")), ("run-2", texts("x"))]))

    assert store.read_entries("run-1") == texts("a")
    assert store.read_entries("run-2") == texts("x")


def test_append_now_says_that_it_stored(store: Store) -> None:
    store.begin_turn(turn_of())

    assert store.append_now(WORKER, Batch([("run-1", texts("a"))])) is True


@BOTH_WAYS
def test_end_is_stored_with_run_message_and_session(store: Store, way: str) -> None:
    store.begin_turn(turn_of())
    getattr(store, way)(WORKER, ended(run_record(), texts("Hel", "lo")))

    run = store.find_run("ann", "run-1")
    assert run and (run.status, run.finish_reason, run.last_seq) == ("completed", "stop", 3)
    assert (run.usage, run.duration_s, run.ttft_s, run.error) == (USAGE, 2.0, 0.5, None)
    reply = store.read_branch("ann", "s-1")[-1]
    assert (reply.text, reply.status, reply.usage) == ("Hello", "completed", USAGE)
    found = store.find_session("ann", "s-1")
    assert found and (found.active_run_id, found.updated_at) == (None, run.ended_at)


def test_failed_end_keeps_its_error_and_text(store: Store) -> None:
    end = run_end("failed", "error", UpstreamTimeout())
    store.begin_turn(turn_of())
    store.append(WORKER, ended(run_record(), texts("par"), end))

    run = store.find_run("ann", "run-1")
    assert run and (run.status, run.error) == ("failed", end.error)
    assert store.read_entries("run-1")[-1] == end_entry(2, end)
    assert store.read_branch("ann", "s-1")[-1].text == "par"


def test_run_ends_once(store: Store) -> None:
    complete(store, "run-1", "Hello")
    record, end = run_record(), run_end("stopped", "stopped")
    store.append(WORKER, Batch([], [EndedRun(record, end, (), START + 9)]))

    run = store.find_run("ann", "run-1")
    assert run and run.status == "completed"
    assert store.read_branch("ann", "s-1")[-1].text == "Hello"


def test_entries_of_a_run_nobody_knows_are_empty(store: Store) -> None:
    assert store.read_entries("nowhere") == []


def test_foreign_owner_finds_what_nobody_finds(store: Store) -> None:
    complete(store)

    assert store.find_run("bob", "run-1") is store.find_run("ann", "absent") is None
    assert store.find_session("bob", "s-1") is store.find_session("ann", "absent") is None
    assert store.read_branch("bob", "s-1") == store.read_branch("ann", "absent") == []
    assert store.list_sessions("bob") == []
    assert store.delete_session("bob", "s-1") is store.delete_session("ann", "absent") is False
    assert store.find_session("ann", "s-1") is not None


def test_same_session_id_of_two_owners_is_two_sessions(store: Store) -> None:
    store.begin_turn(turn_of("run-1", owner="ann", text="from ann"))
    store.begin_turn(turn_of("run-2", owner="bob", text="from bob"))

    assert store.read_branch("ann", "s-1")[0].text == "from ann"
    assert store.read_branch("bob", "s-1")[0].text == "from bob"
    assert store.delete_session("ann", "s-1")
    assert store.find_run("bob", "run-2") is not None


def test_create_session_stores_it_once(store: Store) -> None:
    first = ChatSession("ann", "s-1", START, START, title="mine")

    assert store.create_session(first) == first
    assert store.create_session(replace(first, title="other", created_at=0.0)) == first
    assert store.count_sessions() == 1


def test_list_is_newest_first(store: Store) -> None:
    for number in (2, 1, 3):
        store.create_session(ChatSession("ann", f"s-{number}", START, START + number))

    assert [found.id for found in store.list_sessions("ann")] == ["s-3", "s-2", "s-1"]


def test_use_makes_a_session_the_newest(store: Store) -> None:
    for session_id in ("old", "new"):
        store.create_session(ChatSession("ann", session_id, START, START))
    complete(store, "run-1", session_id="old")

    listed = store.list_sessions("ann")
    assert [(found.id, found.message_count) for found in listed] == [("old", 2), ("new", 0)]


def test_unlisted_session_is_not_in_the_list(store: Store) -> None:
    hidden = ChatSession("ann", "s-1", START, START, listed=False)

    assert store.create_session(hidden) == hidden
    assert store.list_sessions("ann") == []
    assert store.find_session("ann", "s-1") == hidden


def test_deleted_session_leaves_nothing(store: Store) -> None:
    complete(store)

    assert store.delete_session("ann", "s-1") is True
    assert store.find_session("ann", "s-1") is None
    assert store.find_run("ann", "run-1") is None
    assert (store.read_entries("run-1"), store.read_branch("ann", "s-1")) == ([], [])
    assert store.count_sessions() == 0


@BOTH_WAYS
def test_append_to_a_deleted_session_leaves_no_orphans(store: Store, way: str) -> None:
    store.begin_turn(turn_of("run-1", session_id="gone"))
    store.begin_turn(turn_of("run-2", session_id="here"))
    store.delete_session("ann", "gone")
    batch = ended(run_record("run-1", session_id="gone"), texts("late"))
    batch.entries.append(("run-2", texts("on time")))
    getattr(store, way)(WORKER, batch)

    assert store.read_entries("run-1") == []
    assert store.read_entries("run-2") == texts("on time")
    assert store.find_session("ann", "gone") is None


def test_deleted_session_may_be_made_anew(store: Store) -> None:
    complete(store)
    store.delete_session("ann", "s-1")

    assert ids(store.begin_turn(turn_of("run-2"))) == ["run-2-message"]


def test_tidying_up_loses_nothing(store: Store) -> None:
    complete(store)
    before = store.read_branch("ann", "s-1")
    store.tidy(START)

    assert store.read_branch("ann", "s-1") == before


def test_log_of_all_kinds_is_stored_becomes_a_message_and_is_folded(store: Store) -> None:
    entries = mixed(2000)
    store.begin_turn(turn_of())
    for start in range(0, 1999, 300):
        store.append(WORKER, Batch([("run-1", entries[start : min(start + 300, 1999)])]))
    end = EndedRun(run_record(), run_end(), content_of(entries), entries[-1].at)
    store.append(WORKER, Batch([("run-1", entries[-1:])], [end]))

    assert store.read_entries("run-1") == entries
    assert store.read_entries("run-1", 1234) == entries[1234:]
    assert store.read_branch("ann", "s-1")[-1].content == content_of(entries)
    assert store.fold(START + 1e6, 10) == 1
    assert store.read_entries("run-1") == folded(entries)


@BOTH_WAYS
def test_nul_that_a_model_says_is_kept_like_any_character(store: Store, way: str) -> None:
    store.begin_turn(turn_of())
    getattr(store, way)(WORKER, Batch([("run-1", texts("a\x00b"))]))
    assert store.read_entries("run-1") == texts("a\x00b")
    getattr(store, way)(WORKER, ended(run_record(), texts("\x00c", first=2)))

    assert store.read_entries("run-1")[:2] == texts("a\x00b", "\x00c")
    assert store.read_branch("ann", "s-1")[-1].text == "\x00c"
    assert [one.text for one in store.begin_turn(turn_of("run-2"))][1] == "\x00c"


def test_message_that_has_no_text_is_kept_and_given_to_the_model(store: Store) -> None:
    picture = ({"type": "image", "url": "https://a.org/b.png"},)
    turn = turn_of()
    message = replace(turn.messages[0], content=picture)

    branch = store.begin_turn(replace(turn, messages=(message,)))

    assert [one.content for one in branch] == [picture]
    assert store.read_branch("ann", "s-1")[0].content == picture
