"""Logs of all that a model may say, and of what may stand among it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from app.core.entries import Entry
from tests.support.clock import START
from tests.support.kinds import DATA
from tests.support.samples import end_entry

TEXTS = st.text("ab\n€", min_size=1, max_size=4)


def thought(text: str, signature: str) -> tuple[str, Any]:
    return "opaque", {
        "vendor": "anthropic",
        "block": {"type": "thinking", "thinking": text, "signature": signature},
    }


HIDDEN = ("opaque", {"vendor": "v", "block": {"type": "redacted_thinking", "data": "x"}})
MADE = ("file", DATA["file"])
OTHERS = ("opaque", {"vendor": "v", "call_id": "c", "signature": "s"})
RUNGS: list[Any] = [
    TEXTS.map(lambda text: [("refusal", text)]),
    TEXTS.map(lambda text: [("text", text)]),
    TEXTS.map(lambda text: [("reasoning", text)]),
    TEXTS.map(lambda text: [("reasoning", text), thought(text, "signed")]),
    st.just([thought("", "signed")]),
    st.just([MADE]),
    st.sampled_from([[HIDDEN], [OTHERS], [("status", {"stage": "thinking"})], [("step_end", {})]]),
]


@st.composite
def calls(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Return calls of the client's or the server's, interleaved, with a text among them."""
    source = draw(st.sampled_from(["client", "client", "server"]))
    inputs = draw(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=2), min_size=1, max_size=3))
    pieces: list[tuple[str, Any]] = []
    queues = []
    for n, said in enumerate(inputs):
        names = {"n": n, "call_id": f"call_{n}", "name": f"tool_{n}", "source": source}
        text = json.dumps(said)
        args = [("tool_args", {"n": n, "delta": part}) for part in (text[:3], text[3:]) if part]
        ready = ("tool_ready", {**names, "input": said})
        queues.append([("tool_call", names), *args, ready])
    queues.append([("text", "meanwhile")] * draw(st.integers(0, 1)))
    while any(queues):
        queue = draw(st.sampled_from([one for one in queues if one]))
        pieces.append(queue.pop(0))
    return pieces


def numbered(rungs: list[list[tuple[str, Any]]]) -> list[Entry]:
    """Return the entries of a log: what a step calls has numbers that no other step's has."""
    entries: list[Entry] = []
    for step, rung in enumerate(rungs):
        for kind, data in rung:
            if isinstance(data, dict) and "n" in data:
                data = {**data, "n": data["n"] + 10 * step}
            entries.append(Entry(len(entries) + 1, kind, data, START))
    return [*entries, end_entry(len(entries) + 1)]


LOGS = st.lists(st.one_of(*RUNGS, calls()), max_size=6).map(numbered)
