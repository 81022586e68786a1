"""The table of calls, at the provider: streamed and whole, and cut at every byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.run_errors import RunError
from app.core.tools import Calls
from app.providers.wire.pieces import read_pieces
from app.runs.ports import Piece, PieceStream
from tests.support.asking import joined, request_of
from tests.support.call_cases import MADE, CallCase, Called
from tests.support.case_tables import CALL_CASES, chunks_of
from tests.support.upstream import Upstream
from tests.support.wires import WIRES

NO_BOUND = 4_000_000
FIRST = 4  # of the calls' numbers
OURS = re.compile(r"call_[0-9a-f]{24}\Z")
each = pytest.mark.parametrize("case", CALL_CASES, ids=lambda case: case.name)


def test_no_name_is_there_twice() -> None:
    names = [case.name for case in CALL_CASES]

    print(f"{len(names)} cases")
    assert len(set(names)) == len(names)


def taken(stream: PieceStream) -> tuple[list[Piece], str]:
    """Return the pieces, and how they ended."""
    pieces: list[Piece] = []
    try:
        for batch in stream:
            pieces += batch
    except RunError as error:
        return pieces, error.code
    return pieces, joined(pieces).get("finish", "none")


def called(pieces: list[Piece]) -> tuple[Called, ...]:
    """Return the calls, in the order of their numbers, which leave none out."""
    calls = Calls.of((kind, data) for kind, data in pieces if kind.startswith("tool_"))
    assert list(calls.by_number) == list(range(FIRST, FIRST + len(calls)))
    found = []
    for one in calls.by_number.values():
        call_id = MADE if OURS.match(one.call_id) else one.call_id
        said: Any = (one.invalid if one.input is None else one.input) if one.is_ready else None
        found.append(Called(one.name, said, call_id))
    return tuple(found)


def wanted_back(pieces: list[Piece]) -> tuple[dict[str, Any], ...]:
    """Return what the vendor wants back; calls are named by their place."""
    places = [data["call_id"] for kind, data in pieces if kind == "tool_call"]
    found = []
    for data in (dict(data) for kind, data in pieces if kind == "opaque"):
        assert data.pop("vendor") == "vendor"
        if "call_id" in data:
            data["call"] = places.index(data.pop("call_id"))
        found.append(data)
    return tuple(found)


def outcome(stream: PieceStream) -> dict[str, Any]:
    pieces, end = taken(stream)
    kept = joined(pieces)
    return {
        "calls": called(pieces),
        "end": end,
        "text": kept["text"],
        "thoughts": kept["reasoning"],
        "back": wanted_back(pieces),
    }


def expected(case: CallCase) -> dict[str, Any]:
    return {name: getattr(case, name) for name in ("calls", "end", "text", "thoughts", "back")}


def read(case: CallCase, *reads: bytes) -> PieceStream:
    chunks = chunks_of(case.wire, FIRST, "vendor")
    return read_pieces([part for part in reads if part], chunks, NO_BOUND)


@pytest.fixture(scope="module")
def model_server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def providers(model_server: Upstream) -> dict[str, Any]:
    """A provider of each wire."""
    origin = f"http://127.0.0.1:{model_server.port}"
    made = {}
    for name, wire in WIRES.items():
        made[name] = wire.provider(origin)
        made[name].name = "vendor"
    return made


@pytest.mark.parametrize("asked", ["stream", "whole"])
@each
def test_case_comes_out_right(
    case: CallCase, asked: str, model_server: Upstream, providers: dict[str, Any]
) -> None:
    model_server.reply = case.as_case.reply
    request = request_of(first_call=FIRST)

    assert outcome(getattr(providers[case.wire], asked)(request)) == expected(case)


@each
def test_case_is_the_same_wherever_it_is_split(case: CallCase) -> None:
    body = case.body
    for place in range(len(body) + 1):
        assert outcome(read(case, body[:place], body[place:])) == expected(case), place
    letters = [body[index : index + 1] for index in range(len(body))]
    assert outcome(read(case, *letters)) == expected(case)


@each
def test_no_call_is_whole_before_the_reply_is(case: CallCase) -> None:
    for place in range(len(case.body)):
        pieces, end = taken(read(case, case.body[:place]))
        kinds = [kind for kind, _ in pieces]
        if "finish" not in kinds:
            assert "tool_ready" not in kinds and end.startswith("upstream_"), place
        for index, one in enumerate(called(pieces)):
            assert one.input in (None, case.calls[index].input), place


@each
def test_pieces_of_arguments_are_the_arguments(case: CallCase) -> None:
    pieces, _ = taken(read(case, case.body))
    calls = Calls.of((kind, data) for kind, data in pieces if kind.startswith("tool_"))
    for one in calls.by_number.values():
        written = "".join(one.args)
        written.encode()  # whole characters alone
        if one.invalid is not None:
            assert one.invalid == written
