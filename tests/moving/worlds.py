"""Stores full of made-up conversations: trees, tools, every status, attachments, several owners."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from io import StringIO

from hypothesis import strategies as st

from app.attachments.shelf import MemoryShelf, Shelf
from app.core.attachments import Attachment, ids_in
from app.core.messages import Message, Part
from app.core.runs import RunRecord
from app.core.sessions import ChatSession
from app.core.store import MovableStore, OwnerSums, WholeRun, WholeSession
from app.core.usage import Cost, Usage, UsedTokens, no_cost
from app.moving.arriving import Importer
from app.moving.leaving import Exporter
from app.moving.progress import Progress
from app.moving.reading import read_lines
from app.stores.memory import MemoryStore
from tests.support.clock import START
from tests.support.kinds import entry_of, mixed

MADE_AT = START + 1e6
OWNERS = ["", "ann", "böb", "Zoë\u2028", "a'\"; --"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
TIMES = st.floats(START, START + 1000)
ENDS = ["completed", "stopped", "failed", "interrupted"]
FILES = [b"", b"a text", b"\x89PNG" + bytes(range(256)) * 900]


@dataclass
class World:
    """A store and its shelf."""

    store: MovableStore = field(default_factory=MemoryStore)
    shelf: Shelf = field(default_factory=MemoryShelf)

    def exported(self, owner: str | None = None) -> bytes:
        """Return the file of an export."""
        found = bytearray()
        Exporter(self.store, self.shelf, silent()).export(found.extend, MADE_AT, owner)
        return bytes(found)

    def import_(self, file: bytes, **options: object) -> Importer:
        """Import a file; return what did it."""
        importer = Importer(self.store, self.shelf, **options)
        importer.put(read_lines(file.splitlines(keepends=True)), silent())
        return importer

    def shelve(self, data: bytes) -> str:
        """Put bytes on the shelf; return their SHA-256."""
        incoming = self.shelf.receive()
        incoming.write(data)
        incoming.finish()
        incoming.put()
        incoming.close()
        return incoming.sha256


def silent() -> Progress:
    return Progress(StringIO(), "moved", lambda: 0.0)


def attachment(attachment_id: str, owner: str, data: bytes, name: str = "a.png") -> Attachment:
    sha256 = hashlib.sha256(data).hexdigest()
    return Attachment(attachment_id, owner, name, "image/png", len(data), sha256, START)


@st.composite
def parts(draw: st.DrawFn, named: list[Attachment]) -> Part:
    kinds = [
        st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
        st.just({"type": "tool_call", "call_id": "c", "name": "n", "input": {"z": 2**63, "a": []}}),
        st.just({"type": "image", "url": "https://example.test/a.png"}),
    ]
    if named:
        kinds.append(st.sampled_from(named).map(lambda one: one.part))
    return draw(st.one_of(kinds))


@st.composite
def trees(draw: st.DrawFn, prefix: str, named: list[Attachment]) -> list[Message]:
    made: list[Message] = []
    for index in range(draw(st.integers(0, 6))):
        parents = [None, *(message.id for message in made)]
        made.append(
            Message(
                id=f"{prefix}-{draw(st.sampled_from('abc'))}{index}",
                role=draw(st.sampled_from(["user", "assistant", "system"])),
                content=tuple(draw(st.lists(parts(named), max_size=3))),
                created_at=draw(TIMES),
                parent_id=draw(st.sampled_from(parents)),
                status=draw(st.sampled_from(ENDS)),
                usage=draw(st.sampled_from([None, Usage(3, 4, "estimated")])),
            )
        )
    return made


@st.composite
def runs(draw: st.DrawFn, record: ChatSession, messages: list[Message]) -> list[WholeRun]:
    made = []
    for index, message in enumerate(messages):
        if not draw(st.booleans()):
            continue
        run = RunRecord(
            id=f"run-{message.id}",
            owner=record.owner,
            session_id=record.id,
            message_id=message.id,
            provider="p",
            model="m",
            worker_id="w",
            created_at=draw(TIMES),
            status=draw(st.sampled_from(ENDS)),
            ended_at=draw(TIMES),
            cost=draw(st.sampled_from([None, Cost(2**62, "EUR", True)])),
            error=draw(st.sampled_from([None, {"code": "x", "message": "é", "n": [1, None]}])),
            options=draw(st.sampled_from([None, {"b": 1, "a": {"x": 0.1}}])),
            folded=draw(st.booleans()),
            usage=Usage(1, index),
        )
        entries = mixed(draw(st.integers(1, 40)))
        if index == len(messages) - 1 and draw(st.booleans()):
            pending = [{"approval_id": "ap-1", "expires_at": START + 60}]
            waits = {"status": "requires_action", "ended_at": None, "pending": pending}
            run = replace(run, **waits, waits_until=START + 60, worker_id="", usage=None)
            entries = [entry_of("text", 1), entry_of("step_end", 2)]
        made.append(WholeRun(replace(run, last_seq=entries[-1].seq), entries))
    return made


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a memory store with some of everything."""
    world = World()
    for owner in draw(st.lists(st.sampled_from(OWNERS), max_size=3, unique=True)):
        used = UsedTokens(1, draw(st.integers(0, 99)), 2, 0, 3, "EUR", "2023-11-14", "p", "m")
        world.store.put_sums(owner, OwnerSums(draw(st.integers(0, 3)), [used]))
        named = [attachment(f"{owner}-{n}", owner, data) for n, data in enumerate(FILES)]
        for index in range(draw(st.integers(0, 3))):
            record = ChatSession(
                owner,
                f"s-{index}",
                draw(TIMES),
                draw(TIMES),
                draw(TEXTS),
                listed=draw(st.booleans()),
                system=draw(st.none() | TEXTS),
            )
            messages = draw(trees(f"{OWNERS.index(owner)}-{index}", named))
            ids = [one for message in messages for one in ids_in(message.content)]
            whole = WholeSession(
                replace(record, leaf_id=messages[-1].id if messages else None),
                messages,
                draw(runs(record, messages)),
                [one for one in named if one.id in ids],
            )
            for data in FILES:
                world.shelve(data)
            world.store.put_whole(whole, MADE_AT, lambda _: None, no_cost)
    return world
