"""Files that are not whole, not ours, or not right: each is refused, with the line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from app.moving.lines import Refused
from app.moving.reading import check, read_lines
from tests.moving.worlds import World, silent

VERSION_1 = (Path(__file__).parent / "version1.jsonl").read_bytes()
HEADER, OWNER, BYTES, SESSION, END = VERSION_1.splitlines(keepends=True)


def resealed(*lines: bytes) -> bytes:
    """Return a file of these lines whose checksum is right."""
    sha256 = hashlib.sha256(b"".join(lines)).hexdigest()
    end = {**orjson.loads(END), "sha256": sha256}
    return HEADER + b"".join(lines) + orjson.dumps(end) + b"\n"


def with_session(change: Callable[[dict], object]) -> bytes:
    """Return the file with a session that was changed."""
    session = orjson.loads(SESSION)
    change(session)
    return resealed(OWNER, BYTES, orjson.dumps(session) + b"\n")


def test_file_of_version_1_is_read_for_ever(world: World) -> None:
    assert world.import_(VERSION_1).arrived.new == 1
    assert world.store.read_sums("ann").number == 3
    assert [m.text for m in world.store.read_branch("ann", "s-1")] == ["What is this?", "A line."]
    run = world.store.find_run("ann", "run-1")
    assert (run.status, run.usage.output_tokens) == ("completed", 2)
    assert [e.kind for e in world.store.read_entries("run-1")] == ["text", "end"]
    found = world.store.find_attachment("ann", "at-1")
    assert (found.name, world.shelf.read(found.sha256)) == ("a.txt", b"a text")
    assert world.exported() == VERSION_1


CUT = "is cut off after line"
DAMAGED = "changed or damaged"
FAULTS = {
    "nothing": (b"", "the file is empty"),
    "no export": (b"PK\x03\x04\n", "no export of Tandem's"),
    "other JSON": (b'{"format":"x"}\n', "no export of Tandem's"),
    "a list": (b"[]\n", "no export of Tandem's"),
    "newer": (
        VERSION_1.replace(b'"version":1', b'"version":2'),
        "version 2, and .* reads version 1",
    ),
    "header alone": (HEADER, f"{CUT} 1"),
    "cut between lines": (HEADER + OWNER + BYTES, f"{CUT} 3"),
    "cut in a line": (HEADER + OWNER + BYTES[:20], f"{CUT} 3"),
    "cut in the end": (VERSION_1[:-1], f"{CUT} 5"),
    "end alone": (HEADER + END, "lines are missing"),
    "two files in one": (VERSION_1 * 2, "line 6 comes after the end"),
    "no JSON": (HEADER + OWNER + b"{oops\n" + SESSION + END, "line 3 is no JSON"),
    "half a character": (HEADER + OWNER + b'{"type":"\xff"}\n', "line 3 is no JSON"),
    "no known line": (HEADER + b'{"type":"tag"}\n' + END, "line 2 is not as an export has it"),
    "field missing": (
        HEADER + b'{"type":"owner","owner":"a"}\n',
        "line 2 .*number: Field required",
    ),
    "wrong type": (HEADER + OWNER.replace(b":3,", b':"3",'), "line 2 .*number: Input should be"),
    "line taken out": (HEADER + BYTES + SESSION + END, "lines are missing"),
    "bytes taken out": (HEADER + OWNER + SESSION + END, "line 3: the bytes of at-1 are missing"),
    "text changed": (VERSION_1.replace(b"A line", b"A lime"), DAMAGED),
    "other bytes": (VERSION_1.replace(b"YSB0", b"YSB1"), "line 3: its bytes do not have the SHA"),
    "no base64": (VERSION_1.replace(b"YSB0", b"YS?0"), "line 3: its data is no base64"),
    "parent comes later": (with_session(lambda s: s["messages"].reverse()), "before its parent"),
    "own parent": (
        with_session(lambda s: s["messages"][0].update(parent_id=s["messages"][0]["id"])),
        "before its parent",
    ),
    "id twice": (with_session(lambda s: s["messages"].append(s["messages"][0])), "twice"),
    "run of another": (
        with_session(lambda s: s["runs"][0]["record"].update(owner="bob")),
        "run run-1 belongs to another session",
    ),
    "run without a message": (
        with_session(lambda s: s["messages"].pop()),
        "run run-1 has no message",
    ),
    "unknown kind": (
        with_session(lambda s: s["runs"][0]["entries"][0].__setitem__(0, "smell")),
        "no known kind: smell",
    ),
    "no SHA-256": (
        with_session(lambda s: s["attachments"][0].update(sha256="../../etc/passwd")),
        "attachment at-1 is not",
    ),
    "attachment of another": (
        with_session(lambda s: s["attachments"][0].update(owner="bob")),
        "attachment at-1 is not",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_file_is_refused_with_the_line(fault: str) -> None:
    file, said = FAULTS[fault]

    with pytest.raises(Refused, match=said):
        check(read_lines(file.splitlines(keepends=True)), silent())


def test_stream_that_was_cut_leaves_nothing_half(world: World) -> None:
    for end in range(len(HEADER + OWNER + BYTES), len(VERSION_1) - len(END), 97):
        with pytest.raises(Refused, match=CUT):
            world.import_(VERSION_1[:end])
        assert world.store.read_whole("ann", "s-1") is None
    assert world.shelf.listed(0x73) == []  # where those bytes would be
