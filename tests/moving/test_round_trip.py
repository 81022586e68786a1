"""Out of one store and into another: nothing is lost, nothing is there twice, nobody is touched."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from app.attachments.shelf import FolderShelf
from app.core.runs import new_id
from app.core.store import Batch
from app.moving.lines import Refused
from app.stores.sql.migrate import migrate
from app.stores.sqlite.store import SqliteStore
from tests.moving.worlds import FILES, MADE_AT, World, attachment, worlds
from tests.support.samples import ended, run_record, texts, turn_of


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "tandem.db"
    migrate(str(path))
    return path


@contextmanager
def sqlite_world(empty_file: Path) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty_file, folder)
        store = SqliteStore(path)
        yield World(store, FolderShelf(f"{folder}/shelf"))
        store.close()


def say(world: World, session_id: str = "s-1", owner: str = "ann", text: str = "hi") -> None:
    """Store a whole turn of a run and messages of nobody else's ids."""
    run_id = new_id()
    world.store.begin_turn(turn_of(run_id, owner, session_id, text))
    record = run_record(run_id, owner, session_id)
    world.store.append("worker", ended(record, texts("Hello")))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=worlds())
def test_export_of_an_import_is_the_same_file(made: World, empty_file: Path) -> None:
    file = made.exported()
    with sqlite_world(empty_file) as other:
        assert other.import_(file).arrived.changed is (file.count(b"\n") > 2)
        assert other.exported() == file
        assert other.import_(file).arrived.changed is False
        assert other.exported() == file
        back = World()
        back.import_(other.exported())
        assert back.exported() == file


def test_one_owner_is_taken_out_and_brought_in_alone(world: World) -> None:
    made = World()
    for owner in ("ann", "bob"):
        say(made, owner=owner)

    world.import_(made.exported(), owner="bob")
    assert world.store.owners(None, 9) == ["bob"]
    assert world.exported("bob") == made.exported("bob")


def test_owner_who_has_nothing_cannot_be_exported(world: World) -> None:
    with pytest.raises(Refused, match="nothing is stored of 'ann'"):
        world.exported("ann")


def test_conversations_that_are_there_are_left_alone(world: World) -> None:
    made = World()
    say(made, "imported")
    say(world, "mine")
    mine = world.store.read_whole("ann", "mine")
    world.import_(made.exported())

    assert world.store.read_whole("ann", "mine") == mine
    assert world.store.session_ids("ann", None, 9) == ["imported", "mine"]


def test_import_that_broke_off_goes_on(world: World) -> None:
    made, uninterrupted = World(), World()
    for number in range(4):
        say(made, f"s-{number}")
    lines = made.exported().splitlines(keepends=True)
    with pytest.raises(Refused, match="cut off after line 4"):
        world.import_(b"".join(lines[:4]))
    assert world.store.session_ids("ann", None, 9) == ["s-0", "s-1"]

    arrived = world.import_(b"".join(lines)).arrived
    uninterrupted.import_(b"".join(lines))
    assert (arrived.new, arrived.same) == (2, 2)
    assert world.exported() == uninterrupted.exported()


def test_run_under_way_arrives_as_interrupted(world: World) -> None:
    made = World()
    made.store.begin_turn(turn_of())
    made.store.append("worker", Batch([("run-1", texts("Hel", "lo"))]))
    file = made.exported()

    assert (world.import_(file).arrived.new, world.import_(file).arrived.same) == (1, 1)
    run = world.store.find_run("ann", "run-1")
    assert (run.status, run.ended_at) == ("interrupted", MADE_AT)
    assert world.store.read_branch("ann", "s-1")[-1].text == "Hello"
    [used] = world.store.used_by_day("ann", "")
    assert used.runs == 1


def test_what_was_folded_since_is_there_already(world: World) -> None:
    made = World()
    say(made)
    world.import_(made.exported())
    world.store.fold(MADE_AT, 10)

    assert world.import_(made.exported()).arrived.changed is False


def test_session_that_differs_is_refused_or_left(world: World) -> None:
    made = World()
    for session_id in ("s-1", "s-2", "s-3"):
        say(made, session_id)
    file = made.exported()
    world.import_(file)
    world.store.delete_session("ann", "s-3")
    world.store.update_session("ann", "s-2", {"title": "mine"})

    with pytest.raises(Refused) as refused:
        world.import_(file)
    assert "line 4: session s-2 of 'ann'" in str(refused.value)
    assert "SKIP=1" in str(refused.value) and "DELETE" in str(refused.value)
    assert world.store.find_session("ann", "s-3") is None

    arrived = world.import_(file, leave_others=True).arrived
    assert (arrived.new, arrived.same, arrived.left) == (1, 1, ["s-2"])
    assert world.store.find_session("ann", "s-2").title == "mine"


# --- attachments --------------------------------------------------------------------------------


def show(world: World, session_id: str, data: bytes, owner: str = "ann") -> str:
    """Store a turn with a picture; return the attachment's id."""
    sha256, made = world.shelve(data), attachment(new_id(), owner, data)
    world.store.add_attachment(made, lambda: None, 10**9)
    turn = turn_of(new_id(), owner, session_id)
    [message] = turn.messages
    message = replace(message, content=(made.part,))
    world.store.begin_turn(replace(turn, messages=(message,)))
    world.store.append("worker", ended(turn.run, texts("I see.")))
    assert sha256 == made.sha256
    return made.id


def test_picture_arrives_with_the_same_bytes(world: World) -> None:
    made = World()
    attachment_id = show(made, "s-1", FILES[2])
    world.import_(made.exported())

    found = world.store.find_attachment("ann", attachment_id)
    assert world.shelf.read(found.sha256) == FILES[2]
    assert world.shelf.listed(int(found.sha256[:2], 16)) == [found.sha256]


def test_equal_bytes_are_in_the_file_once(world: World) -> None:
    made = World()
    show(made, "s-1", FILES[1])
    show(made, "s-2", FILES[1])
    show(made, "s-1", FILES[1], owner="bob")

    assert made.exported().count(b'"type":"bytes"') == 1
    world.import_(made.exported())
    assert made.exported().count(b'"type":"session"') == 3


def test_picture_that_another_owner_sent_first_arrives_with_its_own(world: World) -> None:
    made = World()
    show(made, "s-1", FILES[2], owner="ann")
    attachment_id = show(made, "s-1", FILES[2], owner="bob")
    world.import_(made.exported(), owner="bob")

    found = world.store.find_attachment("bob", attachment_id)
    assert world.shelf.read(found.sha256) == FILES[2]


def test_bytes_that_are_lost_stop_an_export_with_what_to_do(world: World) -> None:
    attachment_id = show(world, "s-1", FILES[2])
    world.shelf.drop(attachment("", "", FILES[2]).sha256)

    with pytest.raises(Refused, match=f"bytes of attachment {attachment_id}.*backup"):
        world.exported()
