"""What every store promises of whole sessions: read out of one, put into another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.attachments import Attachment
from app.core.entries import folded
from app.core.sessions import ChatSession
from app.core.store import Batch, OwnerSums, StoredOtherwise, WholeRun, WholeSession
from app.core.usage import Cost, UsedTokens, no_cost
from app.stores.memory import MemoryStore
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.kinds import mixed
from tests.support.samples import ended, run_record, texts, turn_of

SEEN_AT = START + 500.0
DAY = "2023-11-14"


def nothing(sha256: str) -> None:
    """Put no bytes anywhere."""


def complete(store: Store, run_id: str = "run-1", session_id: str = "s-1") -> WholeSession:
    """Store a whole turn and return its session."""
    store.begin_turn(turn_of(run_id, session_id=session_id))
    store.append(WORKER, ended(run_record(run_id, session_id=session_id), texts("Hel", "lo")))
    return whole(store, session_id)


def whole(store: Store, session_id: str = "s-1", owner: str = "ann") -> WholeSession:
    found = store.read_whole(owner, session_id)
    assert found is not None
    return found


def elsewhere(*parts: WholeSession) -> MemoryStore:
    """Return another store that has these."""
    other = MemoryStore()
    for part in parts:
        assert put(other, part)
    return other


def put(store: Store, part: WholeSession) -> bool:
    return store.put_whole(part, SEEN_AT, nothing, no_cost)


def test_session_has_all_that_belongs_to_it(store: Store) -> None:
    found = complete(store)

    assert (found.record.title, found.record.leaf_id) == ("hi", "run-1-reply")
    assert [message.text for message in found.messages] == ["hi", "Hello"]
    [run] = found.runs
    assert run.record == store.find_run("ann", "run-1")
    assert run.entries == store.read_entries("run-1")


def test_what_is_not_there_is_none(store: Store) -> None:
    complete(store)

    assert store.read_whole("bob", "s-1") is store.read_whole("ann", "s-2") is None


def test_owners_and_sessions_come_in_pages_unlisted_ones_too(store: Store) -> None:
    for owner in ("é", "bob", "", "Zoë"):
        for session_id in ("s-2", "s-10", "s-1"):
            made = ChatSession(owner, session_id, START, START, listed=session_id != "s-1")
            store.create_session(made)
    store.next_number("counted")

    assert store.owners(None, 2) == ["", "Zoë"]
    assert store.owners("Zoë", 9) == ["bob", "counted", "é"]
    assert store.session_ids("", None, 2) == ["s-1", "s-10"]
    assert store.session_ids("", "s-10", 2) == ["s-2"]
    assert store.session_ids("nobody", None, 2) == []


def test_put_session_is_the_one_that_was_read(store: Store) -> None:
    other = MemoryStore()
    found = complete(other)

    assert put(store, found) is True
    assert whole(store) == found
    assert store.find_session("ann", "s-1") == other.find_session("ann", "s-1")
    assert store.read_branch("ann", "s-1") == other.read_branch("ann", "s-1")
    assert store.read_entries("run-1") == other.read_entries("run-1")


def test_put_session_goes_on(store: Store) -> None:
    put(store, complete(MemoryStore()))
    branch = store.begin_turn(turn_of("run-2", at=START + 1))

    assert [one.text for one in branch] == ["hi", "Hello", "hi"]


def test_long_log_of_all_kinds_is_put(store: Store) -> None:
    other, log = MemoryStore(), mixed(2500)
    other.begin_turn(turn_of())
    other.append(WORKER, Batch([("run-1", log)], ended(run_record(), log[:-1]).ends))

    assert put(store, whole(other))
    assert store.read_entries("run-1") == log
    assert store.read_entries("run-1", 1234) == log[1234:]


def test_same_session_is_put_once(store: Store) -> None:
    found = complete(store)
    before = store.used_by_day("ann", "")

    assert put(store, found) is False
    assert (whole(store), store.used_by_day("ann", "")) == (found, before)


def test_session_that_was_folded_meanwhile_is_the_same(store: Store) -> None:
    found = complete(store)
    assert store.fold(SEEN_AT, 10) == 1
    kept = whole(store)

    assert list(kept.runs[0].entries) == folded(found.runs[0].entries)
    assert put(store, found) is put(store, kept) is False
    assert put(elsewhere(found), kept) is False


@pytest.mark.parametrize("what", ["session", "message", "run"])
def test_id_with_other_content_is_refused(store: Store, what: str) -> None:
    found = complete(store)
    [run], messages = found.runs, list(found.messages)
    other = {
        "session": found._replace(record=replace(found.record, title="other")),
        "message": found._replace(messages=[replace(messages[0], role="system"), messages[1]]),
        "run": found._replace(runs=[WholeRun(run.record, [*run.entries[:-1]])]),
    }[what]

    with pytest.raises(StoredOtherwise) as refused:
        put(store, other)
    assert (refused.value.what, whole(store)) == (what, found)


@pytest.mark.parametrize("what", ["message", "run"])
def test_id_of_another_session_is_refused(store: Store, what: str) -> None:
    found = complete(store)
    other = found._replace(record=replace(found.record, id="s-2"))
    if what == "run":
        other = other._replace(messages=[])

    with pytest.raises(StoredOtherwise) as refused:
        put(store, other)
    assert refused.value.what == what
    assert store.read_whole("ann", "s-2") is None


def test_more_there_than_in_what_is_put_is_other_content(store: Store) -> None:
    found = complete(store)
    store.begin_turn(turn_of("run-2"))
    store.append(WORKER, ended(run_record("run-2"), texts("more")))
    now = whole(store)

    with pytest.raises(StoredOtherwise):
        put(store, found._replace(record=now.record))
    assert whole(store) == now


def test_run_under_way_is_read_as_it_is_and_put_as_interrupted(store: Store) -> None:
    store.begin_turn(turn_of())
    store.append(WORKER, Batch([("run-1", texts("Hel", "lo"))]))
    found = whole(store)

    assert [run.record.status for run in found.runs] == ["running"]
    assert list(found.runs[0].entries) == texts("Hel", "lo")
    ends = [whole(elsewhere(found)), whole(elsewhere(found))]
    assert ends[0] == ends[1]
    [run] = ends[0].runs
    assert (run.record.status, run.record.ended_at) == ("interrupted", SEEN_AT)
    assert [entry.kind for entry in run.entries] == ["text", "text", "end"]
    reply = ends[0].messages[-1]
    assert (reply.text, reply.status, reply.usage) == ("Hello", "interrupted", run.record.usage)
    assert ends[0].record.updated_at == SEEN_AT


def test_run_that_was_interrupted_by_its_putting_is_counted_once(store: Store) -> None:
    other = MemoryStore()
    other.begin_turn(turn_of())
    other.append(WORKER, Batch([("run-1", texts("Hello"))]))
    found, price = whole(other), Cost(7, "EUR")

    assert store.put_whole(found, SEEN_AT, nothing, lambda *_: price) is True
    assert store.put_whole(found, SEEN_AT, nothing, lambda *_: price) is False
    [used] = store.used_by_day("ann", "")
    assert (used.runs, used.estimated_runs, used.cost, used.currency) == (1, 1, 7, "EUR")
    assert store.find_session("ann", "s-1").active_run_id is None


def test_put_run_that_waits_goes_on_waiting(store: Store) -> None:
    other = MemoryStore()
    other.begin_turn(turn_of())
    [run] = whole(other).runs
    waits = replace(
        run.record, status="requires_action", worker_id="", pending=[{"a": 1}], waits_until=SEEN_AT
    )
    part = whole(other)._replace(runs=[WholeRun(waits, texts("asked"))])

    assert put(store, part)
    assert whole(store).runs == [WholeRun(waits, texts("asked"))]
    assert store.find_session("ann", "s-1").active_run_id == "run-1"
    assert store.expired(SEEN_AT + 1, 10) == [waits]


def test_sums_are_raised_and_never_lowered(store: Store) -> None:
    less = UsedTokens(1, 10, 2, 1, 5, "EUR", DAY, "p", "m")
    more = replace(less, runs=3, output_tokens=9)
    others = replace(less, day="2023-11-15")

    assert store.put_sums("ann", OwnerSums(4, [more])) is True
    assert store.put_sums("ann", OwnerSums(2, [less])) is False
    assert store.put_sums("ann", OwnerSums(4, [more, others])) is True
    assert store.read_sums("ann") == OwnerSums(4, [more, others])
    assert store.next_number("ann") == 5
    assert store.used_by_day("ann", "") == [more, others]


def test_nothing_counted_is_nothing(store: Store) -> None:
    assert store.read_sums("nobody") == OwnerSums(0, [])
    assert store.put_sums("nobody", OwnerSums(0, [])) is False
    assert store.owners(None, 9) == []


# --- attachments --------------------------------------------------------------------------------


def picture(attachment_id: str = "at-1", owner: str = "ann", **fields: object) -> Attachment:
    """Return an attachment whose bytes are those of every other."""
    made = Attachment(attachment_id, owner, "a.png", "image/png", 3, "ab" * 32, START, 1, 1)
    return replace(made, **fields)


def with_picture(store: Store, run_id: str = "run-1", session_id: str = "s-1") -> WholeSession:
    """Store a turn whose message has a picture, which is there or is added."""
    if store.find_attachment("ann", "at-1") is None:
        store.add_attachment(picture(), lambda: None, 10**9)
    turn = turn_of(run_id, session_id=session_id)
    [message] = turn.messages
    message = replace(message, content=(*message.content, picture().part))
    store.begin_turn(replace(turn, messages=(message,)))
    store.append(WORKER, ended(run_record(run_id, session_id=session_id), texts("I see.")))
    return whole(store, session_id)


def test_attachments_that_messages_name_go_with_their_session(store: Store) -> None:
    store.add_attachment(picture("never used"), lambda: None, 10**9)
    found = with_picture(store)
    assert found.attachments == [picture()]

    other, asked = MemoryStore(), list[str]()
    assert other.put_whole(found, SEEN_AT, asked.append, no_cost)
    assert asked == [picture().sha256]
    assert whole(other) == found


def test_put_attachment_is_there_for_as_long_as_a_message_names_it(store: Store) -> None:
    put(store, with_picture(MemoryStore()))
    assert store.find_attachment("ann", "at-1") == picture()
    store.sweep_attachments("", 10, SEEN_AT, pytest.fail)

    dropped = list[str]()
    store.delete_session("ann", "s-1")
    assert store.find_attachment("ann", "at-1") is None
    store.sweep_attachments("", 10, SEEN_AT, dropped.append)
    assert dropped == [picture().sha256]


def test_attachment_of_two_sessions_is_put_with_each(store: Store) -> None:
    other = MemoryStore()
    parts = [with_picture(other), with_picture(other, "run-2", "s-2")]

    assert [put(store, part) for part in parts] == [True, True]
    assert [put(store, part) for part in parts] == [False, False]
    store.delete_session("ann", "s-1")
    assert whole(store, "s-2") == parts[1]


def test_attachment_of_a_deleted_session_is_put_again_before_the_sweeper_came(store: Store) -> None:
    found = with_picture(store)
    store.delete_session("ann", "s-1")

    assert put(store, found)
    assert store.find_attachment("ann", "at-1") == picture()
    assert whole(store) == found


def test_attachment_that_was_reused_since_is_the_same(store: Store) -> None:
    found = with_picture(store)
    later = picture("at-2", created_at=SEEN_AT)
    store.add_attachment(later, lambda: None, 10**9, reuse=True)

    assert put(store, found) is False


def test_attachment_with_other_content_is_refused(store: Store) -> None:
    found = with_picture(MemoryStore())
    store.add_attachment(picture(name="other.png"), lambda: None, 10**9)

    with pytest.raises(StoredOtherwise) as refused:
        put(store, found)
    assert (refused.value.what, refused.value.which) == ("attachment", "at-1")
    assert store.read_whole("ann", "s-1") is None


def test_bytes_that_cannot_be_put_leave_nothing_of_their_session(store: Store) -> None:
    def full(sha256: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        store.put_whole(with_picture(MemoryStore()), SEEN_AT, full, no_cost)
    assert store.read_whole("ann", "s-1") is store.find_attachment("ann", "at-1") is None
