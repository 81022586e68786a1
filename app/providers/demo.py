"""The demo provider: answers without a model, and says how to set one up.

Its text has a table, a list and code, so that a front end has something to render.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from app.core.entries import TEXT
from app.core.messages import Part
from app.core.runs import ProviderRequest
from app.core.tools import result_text
from app.providers.wire.calls import ReplyCalls
from app.providers.wire.images import FILE, IMAGE, IMAGE_URL, SHOWN
from app.providers.wrappers.complete import paced, split_words
from app.runs.ports import FINISH, Piece, PieceStream

QUOTE_CHARS = 200  # enough to see that one's own message arrived
REPLY = """\
Hello! You wrote:

> {message}

{attached}This is Tandem's **demo**: no model is set up yet, so these words come from the server \
itself, {words} at a time.

To get real replies:

1. Put `OPENAI_API_KEY` into the file `.env`, or `OPENAI_BASE_URL` for any compatible server.
2. Restart with `make run`.

```bash
echo 'OPENAI_API_KEY=sk-...' >> .env
make run
```

| You can | with |
|---|---|
| stream over HTTP | `POST /api/chat/stream` |
| stream over Socket.IO | the event `chat_stream` |
| see a tool called | the message `/call current_time {{"zone": "UTC"}}`, with that tool |
| stop a reply | `POST /api/runs/<run_id>/stop` |
"""
CALL = re.compile(r"^/call ([A-Za-z0-9_-]{1,64})[ \t]*(.*)$", re.M)
DONE = "The tool `{name}` answered:\n\n> {result}\n\n"


class DemoProvider:
    """Whole replies, handed out in pieces of a few words."""

    name = "demo"
    default_model = "demo"
    # It calls what it is told to call, and has no use for what shapes a model's answer.
    parameters = frozenset(
        {
            *("parallel_tool_calls", "reasoning_effort", "seed", "stop", "tool_choice", "tools"),
            *(IMAGE, IMAGE_URL, FILE),
        }
    )

    def __init__(self, sleep: Callable[[float], None], chunk_words: int, delay_s: float) -> None:
        self._sleep = sleep
        self._chunk_words = chunk_words
        self._delay_s = delay_s

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the reply, paced if the request says so."""
        results = _results(request)
        wanted = CALL.findall(_last_said(request)) if request.parameters.get("tools") else []
        if wanted and not results:
            yield _calls(wanted, request.first_call)
            return
        reply = "".join(map(_told, results)) or self._reply(request)
        if request.paced:
            for piece in paced(reply, self._chunk_words, self._delay_s, self._sleep):
                yield [(TEXT, piece)]
        else:
            yield [(TEXT, piece) for piece in split_words(reply, self._chunk_words)]
        yield [(FINISH, "stop")]

    def _reply(self, request: ProviderRequest) -> str:
        line = " ".join(_last_said(request).split())
        if len(line) > QUOTE_CHARS:
            line = line[:QUOTE_CHARS] + "…"
        words = "one word" if self._chunk_words == 1 else f"{self._chunk_words} words"
        return REPLY.format(message=line, words=words, attached=_attached(request))


def _last_said(request: ProviderRequest) -> str:
    return next((m.text for m in reversed(request.messages) if m.role == "user"), "")


def _attached(request: ProviderRequest) -> str:
    """Return a list of what came with the user's last message; empty for nothing."""
    last = next((m.content for m in reversed(request.messages) if m.role == "user"), ())
    told = [_shown(part) for part in last if part["type"] in SHOWN]
    return "\n".join(["With it came:\n", *told, "\n"]) if told else ""


def _shown(part: Part) -> str:
    name = " ".join(str(part.get("name") or part.get("url") or "").split()).replace("`", "'")
    size = f", {part['width']} × {part['height']} pixels" if part.get("width") else ""
    return f"- {part['type']} `{name[:QUOTE_CHARS]}`{size}"


def _results(request: ProviderRequest) -> list[Part]:
    """Return the results that came since the user's last message."""
    found: list[Part] = []
    for message in reversed(request.messages):
        if message.role == "user":
            break
        found = [part for part in message.content if part["type"] == "tool_result"] + found
    return found


def _told(result: Part) -> str:
    return DONE.format(name=result.get("name", ""), result=result_text(result)[:QUOTE_CHARS])


def _calls(wanted: list[tuple[str, str]], first: int) -> list[Piece]:
    found: list[Piece] = []
    calls = ReplyCalls(first, DemoProvider.name)
    for index, (name, args) in enumerate(wanted):
        calls.add(found, index=index, name=name, args=args)
    calls.finish(found, is_cut=False)
    return [*found, (FINISH, "tool_calls")]
