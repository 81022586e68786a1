"""A run that has said something, as an encoder is given it; and what a dialect makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.chats.request import check_request
from app.core.entries import Entry
from app.core.errors import RequestError
from app.core.run_errors import UpstreamTimeout
from app.core.runs import RunEnd
from app.dialects.dialect import Dialect, Reply
from app.runs.log import RunLog
from tests.support.clock import START
from tests.support.samples import end_entry, run_end, run_record, texts

# What breaks readers and writers of lines, and how it is written in JSON.
TRICKY = '🙂 "q"\u2028\u0085\u2029\n\ndata: x\r\n'
TRICKY_JSON = r"🙂 \"q\"\u2028\u0085\u2029\n\ndata: x\r\n"

TIMED_OUT = UpstreamTimeout()
FAILED = run_end("failed", "error", TIMED_OUT)
STOPPED = run_end("stopped", "stopped")

MAX_MESSAGE_BYTES = 100


def reply_of(entries: Sequence[Entry], **fields: Any) -> Reply:
    """Return a reply whose log has these entries; `fields` are of its run."""
    return Reply(run_record(**fields), RunLog(entries), "ann")


def said(*pieces: str, end: RunEnd | None = None) -> list[Entry]:
    """Return texts, and their end."""
    return [*texts(*pieces), end_entry(len(pieces) + 1, end)]


def thought(thinking: str, text: str) -> list[Entry]:
    """Return reasoning, a status, a text, and their end."""
    reasoning = Entry(1, "reasoning", thinking, START)
    status = Entry(2, "status", {"status": "thinking"}, START)
    return [reasoning, status, *texts(text, first=3), end_entry(4)]


def streamed(dialect: Dialect, entries: Sequence[Entry], after: int = 0, **options: Any) -> str:
    """Return all that a viewer at `after` gets of an answer."""
    encoder = dialect.encoder(reply_of(entries), after, options)
    encoded = encoder.opening + encoder.encode(entries[after:])
    return (encoded + encoder.close()).decode()


def whole(dialect: Dialect, entries: Sequence[Entry], **options: Any) -> dict[str, Any]:
    """Return the answer that is not streamed."""
    return dialect.whole(reply_of(entries), options)


def refusal(
    dialect: Dialect, body: Mapping[str, Any], path: Mapping[str, str] | None = None
) -> RequestError:
    """Return how the body is refused, by the dialect or by what every request is checked for."""
    with pytest.raises(RequestError) as refused:
        check_request(dialect.parse(body, path or {}).request, MAX_MESSAGE_BYTES)
    return refused.value
