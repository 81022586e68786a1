"""The native dialect: its events, byte by byte, from any cursor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.chats.placing import Place
from app.core.entries import Entry
from app.core.errors import InvalidRequest
from app.core.messages import text_parts
from app.core.run_errors import UpstreamTimeout
from app.core.runs import RunEnd
from app.core.usage import Usage
from app.dialects.dialect import MERGE_ABOVE
from app.dialects.native import Event, Native, NativeEvents, Wanted
from tests.dialects.speech import reply_of, said
from tests.support.clock import START
from tests.support.samples import run_end, texts

NATIVE = Native()
ALL = {
    "partial": True,
    "reasoning": False,
    "stats": False,
    "full_response": True,
    "tool_deltas": False,
}


def frames(entries: list[Entry], after: int = 0, **options: Any) -> bytes:
    """Return what a viewer at `after` gets."""
    encoder = NATIVE.encoder(reply_of(entries), after, options)
    encoded = encoder.encode(entries[after:])
    encoder.close()
    return encoded


def events(entries: list[Entry], after: int = 0, partial: bool = True) -> list[Event]:
    wanted = Wanted(partial)
    return NativeEvents(reply_of(entries), after, wanted).events(entries[after:])


def test_text_without_partial_costs_its_own_bytes_only() -> None:
    assert frames(texts("a", "b"), partial=False) == (
        b'id: run-1:1\ndata: {"token":"a","count":1,"run_id":"run-1","seq":1}\n\n'
        b'id: run-1:2\ndata: {"token":"b","count":2,"run_id":"run-1","seq":2}\n\n'
    )


def test_text_with_stats_says_how_fast_it_has_come_so_far() -> None:
    entries = [Entry(n, "text", "a", START + n / 4) for n in (1, 2, 3)]

    assert frames(entries, after=1, partial=False, stats=True) == (
        b'id: run-1:2\ndata: {"token":"a","count":2,"tokens_per_second":4.0,'
        b'"run_id":"run-1","seq":2}\n\n'
        b'id: run-1:3\ndata: {"token":"a","count":3,"tokens_per_second":4.0,'
        b'"run_id":"run-1","seq":3}\n\n'
    )


def test_a_piece_at_once_has_no_speed() -> None:
    [event] = NativeEvents(reply_of(texts("a")), 0, Wanted(stats=True)).events(texts("a"))

    assert event.payload["tokens_per_second"] == 0.0


def test_status_is_its_own_event() -> None:
    assert frames([Entry(1, "status", {"step": "search"}, START)]) == (
        b'id: run-1:1\ndata: {"age_s":0.0,"step":"search","run_id":"run-1","seq":1}\n\n'
    )


def test_reasoning_is_skipped_and_not_counted() -> None:
    entries = [Entry(1, "reasoning", "hm", START), *texts("a", first=2)]

    [event] = events(entries)
    assert (event.seq, event.payload["count"], event.payload["partial"]) == (2, 1, "a")


def test_stopped_run_is_done_with_its_kept_text() -> None:
    [event] = events(said("so far", end=run_end("stopped", "stopped")), after=1)

    assert (event.name, event.payload["done"]) == ("chat_complete", True)
    assert event.payload["finish_reason"] == "stopped"
    assert event.payload["full_response"] == "so far"


def test_end_without_the_whole_text_has_the_rest() -> None:
    entries = said("so", " far")
    [short] = NativeEvents(reply_of(entries), 2, Wanted(full_response=False)).events(entries[2:])
    [whole] = events(entries, after=2)

    assert whole.payload == {**short.payload, "full_response": "so far"}
    assert "full_response" not in short.payload


def test_events_are_named_for_socket_io() -> None:
    failed = run_end("failed", "error", UpstreamTimeout())
    entries = [*texts("a"), Entry(2, "status", {}, START)]

    assert [event.name for event in events(entries)] == ["chat_token", "chat_status"]
    assert [event.name for event in events(said())] == ["chat_complete"]
    assert [event.name for event in events(said(end=failed))] == ["chat_stream_error"]


def test_end_without_time_or_first_piece_has_no_rate() -> None:
    [event] = events(said(end=RunEnd("stopped", "stopped", Usage(1, 0), 0.0)))

    assert event.payload["tokens_per_second"] == 0.0
    assert event.payload["ttft_ms"] is None


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("partial", [True, False])
def test_resume_goes_on_where_it_was(after: int, partial: bool) -> None:
    entries = said("a", "b", "c", "d")

    assert events(entries, after, partial) == events(entries, 0, partial)[after:]


def test_viewer_just_behind_gets_every_piece() -> None:
    assert len(events(texts(*"x" * MERGE_ABOVE))) == MERGE_ABOVE


@pytest.mark.parametrize("after", [0, 10])
def test_viewer_far_behind_gets_one_larger_piece(after: int) -> None:
    pieces = [f"{index} " for index in range(MERGE_ABOVE + 11)]
    [event] = events(texts(*pieces), after)

    assert event.payload["token"] == "".join(pieces[after:])
    assert event.payload["partial"] == "".join(pieces)
    assert event.payload["count"] == event.payload["seq"] == len(pieces)


def test_joining_keeps_other_entries_in_their_place() -> None:
    status = Entry(41, "status", {"step": 1}, START)
    entries = [*texts(*"a" * 40), status, *texts(*"b" * 40, first=42)]
    joined = events(entries)

    assert [event.seq for event in joined] == [40, 41, 81]
    assert [event.payload.get("count") for event in joined] == [40, None, 80]
    assert joined[2].payload["token"] == "b" * 40


@pytest.mark.parametrize("partial", [True, False])
def test_joined_or_not_the_text_is_the_same(partial: bool) -> None:
    entries = said(*(f"{index}é" for index in range(100)))
    encoder = NativeEvents(reply_of(entries), 0, Wanted(partial))
    single = [event for entry in entries for event in encoder.events([entry])]
    joined = events(entries, 0, partial)

    for found in (single, joined):
        tokens = "".join(event.payload.get("token", "") for event in found)
        assert tokens == found[-1].payload["full_response"]
    assert joined[-1] == single[-1]
    assert joined[-2].payload["count"] == single[-2].payload["count"] == 100


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\u0085", "\r", "\n", "\r\n"])
def test_no_frame_has_a_line_end_of_the_text(line_end: str) -> None:
    encoded = frames(said(f"a{line_end}b")).decode()

    for frame in encoded.removesuffix("\n\n").split("\n\n"):
        assert len(frame.splitlines()) == 2
    token = json.loads(encoded.splitlines()[1].removeprefix("data: "))
    assert token["token"] == token["partial"] == f"a{line_end}b"


def test_body_with_all_fields_is_read() -> None:
    body = {"message": "hi", "session_id": "s", "provider": "p", "model": "m", "system": "y"}
    spoken = NATIVE.parse({**body, "temperature": 1, "max_tokens": 5, "partial": False})
    request = spoken.request

    assert request.content == text_parts(body.pop("message"))
    assert {name: getattr(request, name) for name in body} == body
    assert (request.temperature, request.max_tokens) == (1, 5)
    assert spoken.options == {**ALL, "partial": False}


def test_message_alone_is_enough_and_more_is_ignored() -> None:
    spoken = NATIVE.parse({"message": "hi", "colour": "red"})

    assert (spoken.request.content, spoken.request.paced) == (text_parts("hi"), True)
    assert spoken.options == ALL


@pytest.mark.parametrize(
    "asked,place,must_exist",
    [
        ({}, Place("leaf"), False),
        ({"session_must_exist": True}, Place("leaf"), True),
        ({"parent_id": None}, Place("under"), False),
        ({"parent_id": None, "session_must_exist": True}, Place("under"), True),
        ({"parent_id": "m-1"}, Place("under", "m-1"), True),
        ({"edit": "m-1"}, Place("edit", "m-1"), True),
        ({"regenerate": "m-1", "message": None}, Place("regenerate", "m-1"), True),
    ],
)
def test_place_of_a_message_is_read(asked: dict[str, Any], place: Place, must_exist: bool) -> None:
    request = NATIVE.parse({"message": "hi", "session_id": "s", **asked}).request

    assert (request.place, request.must_exist) == (place, must_exist)


@pytest.mark.parametrize(
    "body,field",
    [
        ({"parent_id": 1}, "parent_id"),
        ({"session_must_exist": 1}, "session_must_exist"),
        ({"session_must_exist": True}, "session_id"),
        ({"parent_id": "m-1"}, "session_id"),
        ({"edit": "m-1"}, "session_id"),
        ({"edit": "m-1", "parent_id": None, "session_id": "s"}, "edit"),
        ({"edit": "m-1", "regenerate": "m-2", "session_id": "s"}, "edit"),
        ({"regenerate": "m-1", "parent_id": "m-2", "session_id": "s"}, "regenerate"),
        ({"regenerate": "m-1", "session_id": "s"}, "message"),
    ],
)
def test_wrong_place_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        NATIVE.parse({"message": "hi", **body})
    assert set(refused.value.fields) == {field}


@pytest.mark.parametrize(
    "field,value",
    [
        ("message", 1),
        ("session_id", 1),
        ("temperature", 2.1),
        ("temperature", "1"),
        ("temperature", float("nan")),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("partial", "yes"),
        ("stats", 1),
        ("full_response", "no"),
        ("when_busy", "queue"),
    ],
)
def test_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        NATIVE.parse({"message": "hi", field: value})
    assert set(refused.value.fields) == {field}
