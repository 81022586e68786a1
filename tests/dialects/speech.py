"""A run that has said something, as an encoder is given it."""

from __future__ import annotations

from collections.abc import Sequence

from app.dialects.base import Reply
from app.runs.records import RunEnd
from app.runs.run_log import Entry, RunLog
from tests.support.samples import end_entry, run_record, texts


def reply_of(entries: Sequence[Entry]) -> Reply:
    """Return a reply whose log has these entries."""
    return Reply(run_record(), RunLog(entries), "ann")


def said(*pieces: str, end: RunEnd | None = None) -> list[Entry]:
    """Return texts, and their end."""
    return [*texts(*pieces), end_entry(len(pieces) + 1, end)]
