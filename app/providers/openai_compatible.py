"""Any server that speaks OpenAI's chat completions, over real HTTP with the OpenAI SDK.

The SDK makes the request and tells failures apart; the bytes of the stream are read here. A stream
counts as complete only with a finish reason: the SDK itself takes one that is cut, empty or not a
stream at all for a reply that is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from app.providers.completion_chunks import CompletionChunks
from app.providers.http_stream import HttpStreams, ReaderOf, no_reader
from app.providers.piece_reader import read_pieces, read_whole
from app.providers.upstream_status import error_for_status
from app.providers.urllib3_transport import Urllib3Transport
from app.runs.interfaces import PieceStream
from app.runs.records import ProviderRequest
from app.runs.run_errors import RunError, UpstreamError, UpstreamIncomplete, UpstreamRefused

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
NO_KEY = "none"  # the SDK wants one; servers without authentication ignore it
# Of these hosts the newer models refuse `max_tokens`. Most others know that name alone, and ignore
# the newer one in silence: Ollama does.
NEW_NAME_HOSTS = ("api.openai.com", ".openai.azure.com")


class OpenAICompatible:
    """A provider; one client, and so one pool of connections, for all runs."""

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
        self._client = openai.OpenAI(
            api_key=api_key or NO_KEY,
            base_url=base_url,
            max_retries=0,  # retries are ours: the SDK's would hide them
            http_client=httpx2.Client(
                transport=Urllib3Transport(
                    HttpStreams(connect_timeout_s, read_timeout_s, reader_of)
                ),
                follow_redirects=False,
            ),
        )

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError."""
        with self._opened(request, stream=True) as answer:
            yield from read_pieces(
                answer.headers.get("content-type", ""),
                answer.stream,
                CompletionChunks(),
                self._max_reply_bytes,
            )

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        with self._opened(request, stream=False) as answer:
            yield from read_whole(answer.stream, CompletionChunks(), self._max_reply_bytes)

    @contextmanager
    def _opened(self, request: ProviderRequest, stream: bool) -> Iterator[Any]:
        upstream = request.upstream
        upstream.opened = True
        try:
            with _mapped_errors(), self._open(request, stream) as response:
                yield response.http_response
        finally:
            upstream.closed = True

    def _open(self, request: ProviderRequest, stream: bool) -> Any:
        # The SDK walks every message it is given; what is in extra_body it takes as it is.
        extra: dict[str, Any] = {
            **request.parameters,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages],
        }
        options: dict[str, Any] = {}
        if stream:
            options |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        if request.max_tokens is not None:
            extra[self._max_tokens_field] = request.max_tokens
        return self._client.chat.completions.with_streaming_response.create(
            model=request.model,
            messages=[],
            extra_body=extra,
            # Compression would hold back deltas until a block is full.
            extra_headers={"Accept-Encoding": "identity"},
            **options,
        )


def max_tokens_field_of(base_url: str) -> str:
    """Return what the server at that address calls the limit of a reply's tokens."""
    host = urlsplit(base_url).hostname or ""
    return "max_completion_tokens" if host.endswith(NEW_NAME_HOSTS) else "max_tokens"


@contextmanager
def _mapped_errors() -> Iterator[None]:
    """Raise the SDK's errors as ours; nothing of upstream's text goes along."""
    try:
        yield
    except openai.APIStatusError as error:
        raise error_for_status(
            error.status_code, error.response.headers.get("retry-after")
        ) from None
    except openai.APIConnectionError as error:
        # What the transport raised, which the SDK has wrapped.
        ours = error.__cause__
        raise (ours if isinstance(ours, RunError) else UpstreamRefused()) from None
    except openai.OpenAIError:
        raise UpstreamError() from None
    except httpx2.HTTPError:
        raise UpstreamIncomplete() from None
