"""What every store promises of attachments: rows and bytes go together, and are there for as long
as a message names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.attachments import Attachment
from app.core.errors import (
    AttachmentInUse,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    TooLarge,
)
from app.core.messages import Content, text_parts
from app.core.runs import KEY_TTL_S, Turn
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.samples import ended, run_record, texts, turn_of

ROOM = 10**9
FOR_EVER = START + 10**6  # before which everything unused is old


class Bytes:
    """A shelf of which only the names matter."""

    def __init__(self) -> None:
        self.kept: set[str] = set()

    def add(self, store: Store, wanted: Attachment, reuse: bool = False) -> Attachment:
        return store.add_attachment(wanted, lambda: self.kept.add(wanted.sha256), ROOM, reuse)

    def sweep(self, store: Store, unused_before: float = START, limit: int = 100) -> None:
        after: str | None = ""
        while after is not None:
            after = store.sweep_attachments(after, limit, unused_before, self.kept.remove)


@pytest.fixture
def shelf() -> Bytes:
    return Bytes()


def picture(id: str = "a", owner: str = "ann", sha256: str = "", **values: object) -> Attachment:
    made = Attachment(id, owner, f"{id}.png", "image/png", 10_000, sha256 or id, START, 4, 3)
    return replace(made, **values)  # type: ignore[arg-type]


def naming(*ids: str, run_id: str = "run-1", session_id: str = "s-1") -> Turn:
    turn = turn_of(run_id, session_id=session_id)
    content: Content = tuple({"type": "image", "attachment_id": one} for one in ids)
    message = replace(turn.messages[0], content=(*text_parts("look"), *content))
    return replace(turn, messages=(message,))


def is_there(store: Store, name: str = "a") -> bool:
    return store.find_attachment("ann", name) is not None


def test_what_was_stored_is_found_by_its_owner_alone(store: Store, shelf: Bytes) -> None:
    wanted = picture(pages=7)

    assert shelf.add(store, wanted) == wanted
    assert store.find_attachment("ann", "a") == wanted
    assert store.find_attachment("bob", "a") is None and store.find_attachment("ann", "b") is None
    assert shelf.kept == {"a"}


def test_bytes_that_cannot_be_put_leave_no_row(store: Store) -> None:
    def fails() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError):
        store.add_attachment(picture(), fails, ROOM)
    assert not is_there(store)


def test_one_that_a_message_names_is_there_until_its_session_is_deleted(
    store: Store, shelf: Bytes
) -> None:
    shelf.add(store, picture())
    store.begin_turn(naming("a"))
    shelf.sweep(store, FOR_EVER)
    assert is_there(store) and shelf.kept

    store.delete_session("ann", "s-1")

    assert not is_there(store)
    shelf.sweep(store)
    assert not shelf.kept


@pytest.mark.parametrize("first", ["s-1", "s-2"])
def test_the_last_message_that_names_it_counts(store: Store, shelf: Bytes, first: str) -> None:
    shelf.add(store, picture())
    store.begin_turn(naming("a"))
    store.begin_turn(naming("a", run_id="run-2", session_id="s-2"))

    store.delete_session("ann", first)
    shelf.sweep(store, FOR_EVER)
    assert is_there(store) and shelf.kept == {"a"}
    store.delete_all("ann")
    assert not is_there(store)


def test_deleting_what_is_old_deletes_what_it_named(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture())
    store.begin_turn(naming("a"))
    store.append(WORKER, ended(run_record("run-1"), texts("Hi")))
    store.delete_old(FOR_EVER, FOR_EVER)

    assert not is_there(store)


def test_one_that_no_message_named_goes_after_its_time(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture("a"))
    shelf.add(store, picture("b", created_at=START + 10))

    shelf.sweep(store, START + 5)

    assert not is_there(store, "a") and is_there(store, "b") and shelf.kept == {"b"}


def test_equal_bytes_are_kept_for_whoever_still_has_them(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture("a", sha256="same"))
    shelf.add(store, picture("b", sha256="same", created_at=START + 10))
    shelf.add(store, picture("c", owner="bob", sha256="same", created_at=START + 20))

    shelf.sweep(store, START + 15)
    assert shelf.kept == {"same"}
    shelf.sweep(store, FOR_EVER)
    assert not shelf.kept


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_sweeping_looks_at_every_row_however_few_at_once(
    store: Store, shelf: Bytes, limit: int
) -> None:
    for name in "abcdef":
        shelf.add(store, picture(name))
    store.begin_turn(naming("b", "e"))

    shelf.sweep(store, FOR_EVER, limit)

    assert shelf.kept == {"b", "e"}


def test_turn_that_names_what_is_absent_is_refused_whole(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture("a"))
    shelf.add(store, picture("b", owner="bob"))

    for absent in ("b", "never"):
        with pytest.raises(InvalidRequest) as refused:
            store.begin_turn(naming("a", absent))
        assert absent in refused.value.fields["attachments"]
    assert store.find_session("ann", "s-1") is None
    shelf.sweep(store, FOR_EVER)
    assert not shelf.kept  # nothing had named it


def test_reply_names_what_the_model_made(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture())
    store.begin_turn(turn_of())
    batch = ended(run_record("run-1"), texts("Here"))
    made: Content = ({"type": "image", "attachment_id": "a"},)
    batch.ends[0] = batch.ends[0]._replace(content=made)
    store.append(WORKER, batch)

    shelf.sweep(store, FOR_EVER)
    assert is_there(store)
    store.delete_session("ann", "s-1")
    assert not is_there(store)


def test_only_what_no_message_names_can_be_deleted(store: Store, shelf: Bytes) -> None:
    for name in "ab":
        shelf.add(store, picture(name))
    store.begin_turn(naming("b"))

    store.delete_attachment("ann", "a", shelf.kept.remove)
    assert shelf.kept == {"b"} and not is_there(store, "a")
    with pytest.raises(AttachmentInUse):
        store.delete_attachment("ann", "b", shelf.kept.remove)
    for owner, name in (("bob", "b"), ("ann", "a"), ("ann", "never")):
        with pytest.raises(NotFound):
            store.delete_attachment(owner, name, shelf.kept.remove)


def test_one_key_is_one_upload(store: Store, shelf: Bytes) -> None:
    first = shelf.add(store, picture("a", idempotency_key="k", sha256="same"))

    assert shelf.add(store, picture("b", idempotency_key="k", sha256="same")) == first
    with pytest.raises(IdempotencyConflict):
        shelf.add(store, picture("c", idempotency_key="k"))
    later = START + KEY_TTL_S + 1
    for other in (
        picture("d", owner="bob", idempotency_key="k"),
        picture("e", idempotency_key="k", created_at=later),
    ):
        assert shelf.add(store, other) == other


def test_an_owner_has_so_much_room_and_small_ones_take_some_too(store: Store) -> None:
    for number in range(4):
        store.add_attachment(picture(str(number), size=1), bool, 4 * 4096)
    with pytest.raises(TooLarge) as refused:
        store.add_attachment(picture("more", size=1), bool, 4 * 4096)
    assert "file" in refused.value.fields
    store.add_attachment(picture("other", owner="bob", size=4 * 4096), bool, 4 * 4096)


def test_what_comes_again_is_used_again_and_stays_for_another_day(
    store: Store, shelf: Bytes
) -> None:
    first = shelf.add(store, picture("a", sha256="same", name="x.png"))
    store.begin_turn(naming("a"))
    store.delete_session("ann", "s-1")
    again = picture("b", sha256="same", name="x.png", created_at=START + 50)

    assert shelf.add(store, again, reuse=True).id == first.id
    assert is_there(store)  # though the message that named it is gone
    store.begin_turn(naming("a", session_id="s-2"))
    assert shelf.add(store, again, reuse=True).id == first.id
    shelf.sweep(store, FOR_EVER)
    assert is_there(store)  # a message names it, whatever its age
    for other in (
        picture("c", sha256="same", name="y.png"),
        picture("d", owner="bob", sha256="same", name="x.png"),
        picture("e", sha256="other", name="x.png"),
    ):
        assert shelf.add(store, other, reuse=True) == other


def test_bytes_that_no_row_has_are_dropped(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture("a"))
    dropped: list[str] = []

    store.drop_unknown(["a", "stray", "left"], dropped.append)

    assert sorted(dropped) == ["left", "stray"]


def test_what_comes_again_heals_what_was_lost(store: Store, shelf: Bytes) -> None:
    shelf.add(store, picture("a", sha256="same", name="x.png", idempotency_key="k"))
    shelf.kept.clear()  # as a crash between the bytes' end and the row's leaves it

    shelf.add(store, picture("b", sha256="same", name="x.png"), reuse=True)
    assert shelf.kept == {"same"}
    shelf.kept.clear()
    shelf.add(store, picture("c", sha256="same", idempotency_key="k"))
    assert shelf.kept == {"same"}


def test_what_a_message_names_is_gone_with_it_though_it_came_again(
    store: Store, shelf: Bytes
) -> None:
    shelf.add(store, picture("a", name="x.png"))
    store.begin_turn(naming("a"))
    shelf.add(store, picture("b", sha256="a", name="x.png"), reuse=True)

    store.delete_session("ann", "s-1")
    assert not is_there(store)


def test_a_great_many_are_swept_by_and_by(store: Store, shelf: Bytes) -> None:
    for number in range(65):
        shelf.add(store, picture(f"{number:03}"))

    shelf.sweep(store, FOR_EVER)

    assert not shelf.kept
