"""The demo provider: answers without a model, and says how to set one up.

Its text has a table, a list and code, so that a front end has something to render.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.entries import TEXT
from app.core.runs import ProviderRequest
from app.providers.wrappers.complete import paced, split_words
from app.runs.ports import FINISH, PieceStream

QUOTE_CHARS = 200  # enough to see that one's own message arrived
REPLY = """\
Hello! You wrote:

> {message}

This is Tandem's **demo**: no model is set up yet, so these words come from the server itself, \
{words} at a time.

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
| stop a reply | `POST /api/runs/<run_id>/stop` |
"""


class DemoProvider:
    """Whole replies, handed out in pieces of a few words."""

    name = "demo"
    default_model = "demo"
    parameters: frozenset[str] = frozenset()

    def __init__(self, sleep: Callable[[float], None], chunk_words: int, delay_s: float) -> None:
        self._sleep = sleep
        self._chunk_words = chunk_words
        self._delay_s = delay_s

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the reply, paced if the request says so."""
        reply = self._reply(request)
        if request.paced:
            for piece in paced(reply, self._chunk_words, self._delay_s, self._sleep):
                yield [(TEXT, piece)]
        else:
            yield [(TEXT, piece) for piece in split_words(reply, self._chunk_words)]
        yield [(FINISH, "stop")]

    def _reply(self, request: ProviderRequest) -> str:
        said = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
        line = " ".join(said.split())
        if len(line) > QUOTE_CHARS:
            line = line[:QUOTE_CHARS] + "…"
        words = "one word" if self._chunk_words == 1 else f"{self._chunk_words} words"
        return REPLY.format(message=line, words=words)
