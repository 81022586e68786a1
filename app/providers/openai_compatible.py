"""Any server that speaks OpenAI's chat completions.

What a request is but for its body is the OpenAI SDK's (sdk_requests.py); it is sent, and its answer
read, without the SDK. A stream counts as complete only with a finish reason: the SDK itself takes
one that is cut, empty or not a stream at all for a reply that is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from app.providers.completion_chunks import CompletionChunks
from app.providers.http_stream import HttpStream, HttpStreams, ReaderOf, no_reader
from app.providers.piece_reader import read_pieces, read_whole
from app.providers.sdk_requests import body_bytes, completions_head
from app.providers.upstream_status import error_for_status
from app.runs.interfaces import PieceStream
from app.runs.records import ProviderRequest
from app.runs.run_errors import UpstreamRefused

# What is passed on as it is, besides temperature and max_tokens.
PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "response_format",
        "seed",
        "stop",
        "top_p",
    }
)
# Of these hosts the newer models refuse `max_tokens`. Most others know that name alone, and ignore
# the newer one in silence: Ollama does.
NEW_NAME_HOSTS = ("api.openai.com", ".openai.azure.com")


class OpenAICompatible:
    """A provider; one pool of connections for all runs."""

    def __init__(
        self,
        name: str,
        api_key: str,
        base_url: str,
        default_model: str,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 600.0,
        max_reply_bytes: int = 4_000_000,
        max_tokens_field: str = "",
        reader_of: ReaderOf = no_reader,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self._max_tokens_field = max_tokens_field or max_tokens_field_of(base_url)
        self._max_reply_bytes = max_reply_bytes
        # At the start: the SDK's imports take 20 ms, and a run would hold up all others for it.
        self._heads = {
            stream: completions_head(api_key, base_url, stream) for stream in (True, False)
        }
        self._streams = HttpStreams(connect_timeout_s, read_timeout_s, reader_of)

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError."""
        with self._opened(request, stream=True) as answer:
            content_type = answer.headers.get("content-type", "")
            yield from read_pieces(content_type, answer, CompletionChunks(), self._max_reply_bytes)

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        with self._opened(request, stream=False) as answer:
            yield from read_whole(answer, CompletionChunks(), self._max_reply_bytes)

    @contextmanager
    def _opened(self, request: ProviderRequest, stream: bool) -> Iterator[HttpStream]:
        upstream = request.upstream
        upstream.opened = True
        answer = None
        try:
            answer = self._post(request, stream)
            # Of an error the status says it all: its body is not read, however long it is.
            if answer.status >= 300:
                raise error_for_status(answer.status, answer.headers.get("retry-after"))
            yield answer
        finally:
            if answer is not None:
                answer.close()
            upstream.closed = True

    def _post(self, request: ProviderRequest, stream: bool) -> HttpStream:
        head = self._heads[stream]
        if head is None:
            raise UpstreamRefused()
        body = body_bytes(self._body(request, stream))
        return self._streams.open(head.method, head.url, head.headers, body)

    def _body(self, request: ProviderRequest, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            **request.parameters,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages],
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_tokens is not None:
            body[self._max_tokens_field] = request.max_tokens
        return body


def max_tokens_field_of(base_url: str) -> str:
    """Return what the server at that address calls the limit of a reply's tokens."""
    host = urlsplit(base_url).hostname or ""
    return "max_completion_tokens" if host.endswith(NEW_NAME_HOSTS) else "max_tokens"
