"""Processes that follow and command each other, over a bus that loses what it likes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.broker.feeds import EXPIRES_S
from app.broker.shared import SharedBroker
from app.core.broker import News, Stop
from app.core.entries import Entry
from app.core.errors import NotFound
from app.core.runs import Receipt
from app.core.usage import Usage
from app.runs.log import RunLog
from app.runs.remote_logs import RemoteLogs
from tests.support.buses import Wire, WireBus
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.samples import end_entry, run_record, texts

RECEIPT = Receipt("run-1", "s-1", "stopped", 3, True, 1.5, Usage(1, 2))


class LiveRun:
    """A run that its process has."""

    def __init__(self) -> None:
        self.log = RunLog()
        self.viewers = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a viewer."""
        self.viewers += 1
        yield
        self.viewers -= 1


@dataclass
class Process:
    """A broker, what it owns, and what it follows. Implements `broker.Worker`."""

    id: str
    wire: Wire
    runtime: ManualRuntime
    clock: HandClock
    most_bytes: int = 10_000
    runs: dict[str, LiveRun] = field(default_factory=dict)
    obeyed: list[Stop] = field(default_factory=list)
    stored: list[Entry] = field(default_factory=list)
    reads: int = 0
    views: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        bus = WireBus(self.wire, self.most_bytes)
        self.broker = SharedBroker(bus, self.runtime, self.clock.clock.monotonic)
        self.broker.serve(self)
        self.broker.be(self.id)
        self.remote = RemoteLogs(self._read, self.broker, self.clock.clock.monotonic)

    def _read(self, run_id: str, after: int) -> list[Entry]:
        self.reads += 1
        return [entry for entry in self.stored if entry.seq > after]

    def find(self, run_id: str) -> LiveRun | None:
        return self.runs.get(run_id)

    def obey(self, command: Stop) -> Receipt:
        self.obeyed.append(command)
        if command.run_id == "absent":
            raise NotFound()
        return RECEIPT

    def say(self, *entries: Entry) -> None:
        """Store and show entries of run-1."""
        self.stored += entries
        self.runs.setdefault("run-1", LiveRun()).log.append(entries)
        self.broker.publish_entries("run-1", entries)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def owner(wire: Wire, runtime: ManualRuntime, clock: HandClock) -> Process:
    process = Process("owner", wire, runtime, clock)
    process.say(*texts("a"))
    return process


@pytest.fixture
def viewer(owner: Process) -> Process:
    process = Process("viewer", owner.wire, owner.runtime, owner.clock)
    process.stored = owner.stored
    return process


def opened(viewer: Process) -> RunLog:
    """Watch run-1, until `viewer.views` is closed."""
    log = viewer.remote.open(run_record("run-1", worker_id="owner"))
    viewer.views.enter_context(viewer.remote.watched("run-1"))
    viewer.runtime.run()
    return log


def second(*processes: Process) -> None:
    """Let a second pass."""
    processes[0].clock.advance(1.0)
    for process in processes:
        process.broker.tick()
    processes[0].runtime.run()


def kinds(wire: Wire) -> list[str]:
    return [orjson.loads(one)[0] for _, joined in wire.sent for one in joined.split(b"\n")]


def test_what_is_said_comes_without_the_store(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    owner.say(*texts("b", first=2))
    owner.say(end_entry(3))
    owner.runtime.run()

    assert (log.text(), log.end, viewer.reads) == ("ab", end_entry(3), 1)


def test_nothing_goes_out_for_a_run_that_nobody_follows(owner: Process, viewer: Process) -> None:
    owner.say(*texts("b", first=2))
    owner.runtime.run()

    assert owner.wire.sent == []


def test_what_came_in_a_turn_goes_in_one_message(owner: Process, viewer: Process) -> None:
    opened(viewer)
    before = len(owner.wire.sent)
    for seq in (2, 3, 4):
        owner.say(*texts("x", first=seq))
    owner.runtime.run()

    assert len(owner.wire.sent) == before + 1


def test_follower_counts_as_a_viewer_until_it_leaves(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    run = owner.runs["run-1"]
    assert run.viewers == 1

    viewer.views.close()
    viewer.runtime.run()
    assert (run.viewers, log.text()) == (0, "a")


def test_follower_that_is_silent_is_forgotten(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    owner.wire.ends.pop("viewer")
    owner.clock.advance(EXPIRES_S)
    owner.broker.tick()

    assert owner.runs["run-1"].viewers == 0
    assert log.text() == "a"


def test_quiet_run_is_said_to_be_quiet(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    for _ in range(5):
        second(owner, viewer)
        viewer.remote.poll()

    assert (log.text(), viewer.reads) == ("a", 1)


def test_owner_that_dies_leaves_the_store(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    owner.wire.ends.pop("owner")
    owner.stored.append(end_entry(2))
    for _ in range(2):
        second(viewer)
        viewer.remote.poll()

    assert log.end == end_entry(2)


def test_run_that_the_owner_has_forgotten_is_read(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    owner.runs.clear()
    owner.stored.append(end_entry(2))
    second(owner, viewer)
    viewer.remote.poll()

    assert log.end == end_entry(2)


def test_what_was_lost_is_asked_for_again(owner: Process, viewer: Process) -> None:
    log = opened(viewer)
    owner.wire.fate = lambda message: 0
    owner.say(*texts("b", first=2))
    owner.runtime.run()
    owner.wire.fate = lambda message: 1
    owner.clock.advance(0.3)
    owner.say(*texts("c", first=3))
    owner.runtime.run()

    assert (log.text(), viewer.reads) == ("abc", 1)


def test_what_is_too_large_for_a_message_is_cut_or_read(
    wire: Wire, runtime: ManualRuntime, clock: HandClock
) -> None:
    owner = Process("owner", wire, runtime, clock, most_bytes=400)
    owner.say(*texts("a"))
    viewer = Process("viewer", wire, runtime, clock, most_bytes=400)
    viewer.stored = owner.stored
    log = opened(viewer)
    owner.say(*texts(*"b" * 60, first=2))
    runtime.run()
    assert (log.text(), viewer.reads) == ("a" + "b" * 60, 1)

    owner.say(*texts("c" * 500, first=62))
    owner.say(*texts("d", first=63))
    runtime.run()
    for _ in range(3):
        second(owner, viewer)
        viewer.remote.poll()
    assert log.text() == "a" + "b" * 60 + "c" * 500 + "d"


@given(st.data())
def test_whatever_the_bus_does_the_viewer_has_all_of_it_once(data: st.DataObject) -> None:
    clock = HandClock()
    runtime, wire = ManualRuntime(clock), Wire()
    owner = Process("owner", wire, runtime, clock, most_bytes=600)
    owner.say(*texts("a"))
    viewer = Process("viewer", wire, runtime, clock, most_bytes=600)
    viewer.stored = owner.stored
    wire.fate = lambda message: data.draw(st.sampled_from([1, 1, 0, 2]))
    log = opened(viewer)
    seq = 2
    for _ in range(data.draw(st.integers(1, 12))):
        pieces = data.draw(st.lists(st.sampled_from(["x", "yy", "é" * 90]), min_size=1, max_size=9))
        wire.hold = data.draw(st.booleans())
        owner.say(*texts(*pieces, first=seq))
        seq += len(pieces)
        runtime.run()
        wire.held = data.draw(st.permutations(wire.held))
        wire.let_go()
        runtime.run()
        if data.draw(st.booleans()):
            second(owner, viewer)
            viewer.remote.poll()
    owner.say(end_entry(seq))
    runtime.run()
    wire.let_go()
    for _ in range(4):
        if log.end is None:
            second(owner, viewer)
            viewer.remote.poll()

    assert log.everything() == owner.stored


# --- commands and news ----------------------------------------------------------------------------


def test_command_is_carried_out_where_the_run_is(owner: Process, viewer: Process) -> None:
    assert viewer.broker.command("owner", Stop("ann", "run-1")) == RECEIPT
    assert owner.obeyed == [Stop("ann", "run-1")]


@pytest.mark.parametrize("lost", ["ask", "answer"])
def test_command_whose_message_is_lost_is_carried_out_once(
    owner: Process, viewer: Process, lost: str
) -> None:
    fates = iter([0])
    owner.wire.fate = lambda m: next(fates, 1) if orjson.loads(m)[0] == lost else 1

    assert ask(viewer, Stop("ann", "run-1")) == RECEIPT
    assert owner.obeyed == [Stop("ann", "run-1")]


def ask(viewer: Process, command: Stop) -> Receipt | None:
    """Ask while time passes."""

    def tick() -> None:
        viewer.broker.tick()
        if viewer.clock.monotonic < until:
            viewer.clock.advance(0.1)
            viewer.runtime.call_soon(tick)

    until = viewer.clock.monotonic + 10
    viewer.runtime.call_soon(tick)
    return viewer.broker.command("owner", command)


def test_command_that_cannot_be_carried_out_brings_nothing(owner: Process, viewer: Process) -> None:
    assert viewer.broker.command("owner", Stop("ann", "absent")) is None


def test_command_to_one_who_is_gone_ends(owner: Process, viewer: Process) -> None:
    owner.wire.ends.pop("owner")
    before = owner.clock.monotonic

    assert ask(viewer, Stop("ann", "run-1")) is None
    assert 3 <= owner.clock.monotonic - before < 5


def test_own_command_takes_no_bus(owner: Process) -> None:
    assert owner.broker.command("owner", Stop("ann", "run-1")) == RECEIPT
    assert owner.wire.sent == []


def test_news_are_told_everywhere(owner: Process, viewer: Process) -> None:
    heard: list[tuple[str, str | None, News]] = []
    viewer.broker.hear(lambda *told: heard.append(told))
    listeners = [process.broker.listen("ann", "s-1") for process in (owner, viewer)]
    news = News("run_ended", {"run_id": "run-1"})
    owner.broker.publish_news("ann", "s-1", news)
    owner.runtime.run()

    assert [listener.next(0) for listener in listeners] == [news, news]
    assert [listener.next(0) for listener in listeners] == [None, None]
    assert heard == [("ann", "s-1", news)]


@pytest.mark.parametrize("message", [b"", b"\xff", b"[]", b"{}", b'["lines"]', b'["what",1]', b"5"])
def test_what_is_no_message_is_passed_over(owner: Process, viewer: Process, message: bytes) -> None:
    viewer.broker.take(message)
    log = opened(viewer)
    owner.say(*texts("b", first=2))
    owner.runtime.run()

    assert log.text() == "ab"


def test_worker_that_becomes_another_is_reached_as_that(owner: Process, viewer: Process) -> None:
    owner.id = "owner-2"
    owner.broker.be("owner-2")

    assert viewer.broker.command("owner-2", Stop("ann", "run-1")) == RECEIPT
