"""A cursor is a place in one run's log: `<run_id>:<seq>`, the `id:` line of every native event."""

from __future__ import annotations

from app.core.errors import BadCursor

MAX_SEQ_DIGITS = 12  # no log gets near 10^12 entries; a longer number is noise


def format_cursor(run_id: str, seq: int) -> str:
    """Return the cursor just after entry `seq` of the run."""
    return f"{run_id}:{seq}"


def parse_seq(text: str) -> int:
    """Return `text` as a sequence number (0 = from the start). Raises BadCursor."""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_SEQ_DIGITS:
        raise BadCursor()
    return int(text)


def parse_cursor(text: str) -> tuple[str, int]:
    """Split `<run_id>:<seq>`. Raises BadCursor."""
    run_id, colon, seq = text.rpartition(":")
    if not colon or not run_id:
        raise BadCursor()
    return run_id, parse_seq(seq)


def seq_of_run(text: str, run_id: str) -> int:
    """Return the seq of a cursor that must be of `run_id`; a bare number counts as one. Raises
    BadCursor."""
    if ":" not in text:
        return parse_seq(text)
    named, seq = parse_cursor(text)
    if named != run_id:
        raise BadCursor()
    return seq
