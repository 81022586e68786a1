"""Logs of every kind of entry."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from app.core.entries import END, KINDS, Entry
from tests.support.clock import START
from tests.support.samples import run_end

NAMES = {"n": 1, "call_id": "call-1", "name": "current_time"}
DATA: dict[str, Any] = {
    "status": {"status": "retrying", "attempt": 2, "provider": "other"},
    "tool_call": {**NAMES, "source": "server"},
    "tool_args": {"n": 1, "delta": '{"zone": "'},
    "tool_ready": {**NAMES, "source": "server", "input": {"zone": "UTC"}},
    "approval": {**NAMES, "approval_id": "ap-1", "expires_at": START + 60},
    "approval_answer": {**NAMES, "approval_id": "ap-1", "approved": True, "by": "ann"},
    "tool_started": NAMES,
    "tool_result": {**NAMES, "output": "12:00 🕛"},
    "step_end": {"usage": {"input_tokens": 1, "output_tokens": 2}, "finish_reason": "tool_calls"},
    "file": {
        "type": "image",
        "attachment_id": "at-1",
        "name": "a.png",
        "media_type": "image/png",
        "bytes": 70,
        "sha256": "5f" * 32,
        "width": 1,
        "height": 2,
    },
}


def entry_of(kind: str, seq: int) -> Entry:
    """Return an entry of that kind; the texts of two differ."""
    if kind == END:
        return Entry(seq, END, run_end().to_json(), START)
    data = f"{kind} {seq} é\u2028" if KINDS[kind].is_text else DATA.get(kind, {"of": kind})
    return Entry(seq, kind, data, START)


def mixed(length: int) -> list[Entry]:
    """Return a log of that many entries of all kinds in turn, texts often twice; the last is the
    end."""
    names = cycle([name for name in KINDS if name != END] + ["text", "text", "reasoning", "text"])
    return [entry_of(next(names), seq) for seq in range(1, length)] + [entry_of(END, length)]
