"""What holds for every dialect, to the last byte and whatever was said. Each is a row: rows.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import END, KINDS, TEXT, Entry, texts_of
from app.core.errors import (
    ChatError,
    InvalidRequest,
    NotFound,
    OverCapacity,
    RateLimited,
    SessionBusy,
    TooLarge,
)
from app.dialects.dialect import MERGE_ABOVE, Dialect, Spoken
from app.dialects.documents.either import PromptOrConversation
from app.dialects.routes import ROUTES
from tests.dialects.documents.rows import ROWS as DOCUMENTS
from tests.dialects.golden import Golden, escaped
from tests.dialects.rows import ROWS
from tests.dialects.speech import (
    FAILED,
    STOPPED,
    TIMED_OUT,
    TRICKY,
    TRICKY_JSON,
    refusal,
    reply_of,
    said,
    streamed,
    thought,
    whole,
)
from tests.support.kinds import entry_of, mixed
from tests.support.samples import end_entry, texts

GOLDEN = {row.dialect.name: row for row in (*ROWS, *DOCUMENTS)}
ENDS: dict[str, Any] = {"completed": None, "stopped": STOPPED, "failed": FAILED}
OTHER_KINDS = [kind for kind in KINDS if kind not in {TEXT, END}]

each_end = pytest.mark.parametrize("end", ENDS)
each = pytest.mark.parametrize("row", GOLDEN.values(), ids=list(GOLDEN))


def spoken(dialect: Dialect) -> list[Dialect]:
    """Return the dialects of a route."""
    if not isinstance(dialect, PromptOrConversation):
        return [dialect]
    bodies: list[dict[str, Any]] = [
        {"prompt": "hi"},
        {"conversation": [{"role": "user", "content": "hi"}]},
    ]
    parsed: list[Spoken] = [dialect.parse(body, {}) for body in bodies]
    return [one.dialect for one in parsed]


def test_every_dialect_of_the_routes_has_its_row() -> None:
    assert set(GOLDEN) == {one.name for route in ROUTES for one in spoken(route.dialect)}


# --- bytes --------------------------------------------------------------------------------------


@each
def test_stream_is_what_is_written_down(row: Golden) -> None:
    assert streamed(row.dialect, said("Hello", " there")) == row.hello
    assert row.stream([("Hello", 1), (" there", 1)], "completed") == row.hello


@each
@each_end
def test_end_is_told_after_what_came(row: Golden, end: str) -> None:
    encoded = streamed(row.dialect, said("so far", end=ENDS[end]))

    assert encoded == row.stream([("so far", 1)], end)


@each
@each_end
def test_empty_reply_is_its_end_alone(row: Golden, end: str) -> None:
    assert streamed(row.dialect, said(end=ENDS[end])) == row.stream([], end)


@each
def test_text_that_looks_like_frames_is_one_line(row: Golden) -> None:
    assert escaped(TRICKY) == TRICKY_JSON
    assert streamed(row.dialect, said(TRICKY)) == row.stream([(TRICKY, 1)], "completed")


@each
def test_viewer_far_behind_gets_one_larger_piece(row: Golden) -> None:
    pieces = "x" * (MERGE_ABOVE + 1)

    assert streamed(row.dialect, said(*pieces)) == row.stream([(pieces, len(pieces))], "completed")


@each
@each_end
@pytest.mark.parametrize("after", range(4))
def test_resume_goes_on_where_it_was(row: Golden, after: int, end: str) -> None:
    pieces = ["a", " b", "c"]
    encoded = streamed(row.dialect, said(*pieces, end=ENDS[end]), after)

    assert encoded == row.stream([(piece, 1) for piece in pieces], end, after)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, row in GOLDEN.items() for kind in OTHER_KINDS if kind not in row.shows],
)
def test_entry_without_a_place_is_skipped_and_never_misread(name: str, kind: str) -> None:
    row = GOLDEN[name]
    other = entry_of(kind, 2)
    before, after = texts("a"), [*texts("b", first=3), end_entry(4)]
    reply = reply_of([*before, other, *after])

    def encoded(entries: list[Entry]) -> bytes:
        encoder = row.dialect.encoder(reply, 0, {})
        return encoder.opening + encoder.encode(entries)

    assert encoded([*before, other, *after]) == encoded([*before, *after])


@each
def test_kind_that_has_a_place_is_shown(row: Golden) -> None:
    assert row.shows <= set(OTHER_KINDS)
    for kind in row.shows:
        entries = [*texts("a"), entry_of(kind, 2), *texts("b", first=3), end_entry(4)]
        assert streamed(row.dialect, entries) != streamed(row.dialect, said("a", "b"))


@each
def test_silence_is_told_by_what_says_nothing(row: Golden) -> None:
    encoder = row.dialect.encoder(reply_of([]), 0, {})

    assert encoder.opening.decode() == row.opening
    assert encoder.heartbeat.decode() == row.heartbeat


@each
def test_whole_answer(row: Golden) -> None:
    answer = whole(row.dialect, said("Hel", "lo"))

    assert {key: answer[key] for key in row.whole} == dict(row.whole)
    assert set(answer) - set(row.whole) <= {"ttft_ms"}


@pytest.mark.parametrize(
    "error",
    [
        NotFound(),
        SessionBusy(run_id="run-1"),
        TooLarge(),
        RateLimited(retry_after_s=3),
        OverCapacity(),
        TIMED_OUT,
    ],
    ids=lambda error: error.code,
)
@each
def test_error_body_is_the_errors_sentence(row: Golden, error: ChatError) -> None:
    assert row.dialect.error(error) == row.problem(error, error.message)


@each
def test_error_body_names_the_fields(row: Golden) -> None:
    error = InvalidRequest({"model": "too odd", "a": "absent"})
    sentence = "The request is not valid: check a, model."
    if row.dialect.name != "native":  # whose error has them as they are
        sentence += " a: absent; model: too odd"

    assert row.dialect.error(error) == row.problem(error, sentence)


# --- requests -----------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("asked", ["nothing", "continue", "stop"])
def test_caller_says_what_leaving_means(row: Golden, asked: str) -> None:
    said = {} if asked == "nothing" else {"on_disconnect": asked}
    request = row.dialect.parse({**row.dialect.examples[0], **said}, {"session_id": "s-1"}).request
    by_default = row.dialect.name.startswith(("openai_", "ollama_", "anthropic_"))

    assert request.stop_when_unwatched is (asked == "stop" or (not said and by_default))


@each
def test_leaving_means_one_of_two(row: Golden) -> None:
    refused = refusal(row.dialect, {**row.dialect.examples[0], "on_disconnect": "pause"})

    assert set(refused.fields) == {"on_disconnect"}


# --- whatever was said --------------------------------------------------------------------------

ODD = st.sampled_from('\u2028\u2029\u0085\r\n\\"\x1e\x7f\ufeff: ')
TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), ODD), min_size=1, max_size=8)
PIECES = st.lists(TEXT, max_size=8)


def events(row: Golden, encoded: str) -> list[dict[str, Any]]:
    """Return what a client reads that takes every line end of Unicode's for one."""
    lines = encoded.splitlines()
    if row.dialect.content_type.startswith("text/event-stream"):
        assert all(line[:2] in {"", ": ", "id", "da", "ev"} for line in lines)
        lines = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def text_of(row: Golden, encoded: str) -> str:
    return "".join(map(row.text_of, events(row, encoded)))


@each
@given(pieces=PIECES)
def test_text_is_read_as_it_was_said(row: Golden, pieces: list[str]) -> None:
    assert text_of(row, streamed(row.dialect, said(*pieces))) == "".join(pieces)


@each
@given(pieces=PIECES, after=st.integers(0, 8))
def test_what_a_cursor_has_not_seen_follows(row: Golden, pieces: list[str], after: int) -> None:
    after = min(after, len(pieces))

    assert text_of(row, streamed(row.dialect, said(*pieces), after)) == "".join(pieces[after:])


@each
def test_joined_or_not_the_end_is_the_same(row: Golden) -> None:
    entries = said(*(f"{n}é " for n in range(MERGE_ABOVE + 1)))
    encoder = row.dialect.encoder(reply_of(entries), 0, {})
    single = encoder.opening + b"".join(encoder.encode([entry]) for entry in entries)
    joined = streamed(row.dialect, entries)

    assert text_of(row, joined) == text_of(row, single.decode())
    assert events(row, joined)[-1] == events(row, single.decode())[-1]
    assert len(joined) < len(single)


@each
def test_reasoning_and_status_are_never_text(row: Golden) -> None:
    assert text_of(row, streamed(row.dialect, thought("hm", "Yes"))) == "Yes"


@each
def test_heartbeat_says_nothing(row: Golden) -> None:
    encoder = row.dialect.encoder(reply_of([]), 0, {})

    assert text_of(row, encoder.heartbeat.decode()) == ""
    assert encoder.opening.endswith(b"\n") and encoder.heartbeat.endswith(b"\n")


@each
@each_end
def test_nothing_of_the_end_comes_before_it(row: Golden, end: str) -> None:
    entries = said("a", "b", end=ENDS[end])
    going, ended = streamed(row.dialect, entries[:-1]), streamed(row.dialect, entries)

    assert ended.startswith(going) and len(ended) > len(going)


@each
def test_log_of_all_kinds_has_its_text_from_every_cursor(row: Golden) -> None:
    entries = mixed(80)
    for after in range(0, 80, 7):
        encoded = streamed(row.dialect, entries, after)
        assert text_of(row, encoded) == "".join(texts_of(entries[after:]))
