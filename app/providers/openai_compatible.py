"""Any server that speaks OpenAI's chat completions, over real HTTP with the OpenAI SDK.

The SDK makes the request and tells failures apart; the bytes of the stream are read here. A stream
counts as complete only with a finish reason: the SDK itself takes one that is cut, empty or not a
stream at all for a reply that is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai

from app.providers.completion_chunks import CompletionChunks
from app.providers.sse_reader import EventTooLarge, SseReader
from app.providers.urllib3_transport import Urllib3Transport
from app.runs.interfaces import PieceStream
from app.runs.records import ProviderRequest
from app.runs.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTooLarge,
)

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
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self._max_reply_bytes = max_reply_bytes
        self._client = openai.OpenAI(
            api_key=api_key or NO_KEY,
            base_url=base_url,
            max_retries=0,  # retries are ours: the SDK's would hide them
            http_client=httpx2.Client(
                transport=Urllib3Transport(connect_timeout_s, read_timeout_s),
                follow_redirects=False,
            ),
        )

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError."""
        upstream = request.upstream
        upstream.opened = True
        try:
            with _mapped_errors(), self._open(request) as response:
                yield from self._read(response.http_response)
        finally:
            upstream.closed = True

    def _open(self, request: ProviderRequest) -> Any:
        messages = [{"role": m.role, "content": m.text} for m in request.messages]
        options: dict[str, Any] = {}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        if request.max_tokens is not None:
            options["max_tokens"] = request.max_tokens
        return self._client.chat.completions.with_streaming_response.create(
            model=request.model,
            # The SDK walks every message it is given; what is in extra_body it takes as it is.
            messages=[],
            extra_body={**request.parameters, "messages": messages},
            stream=True,
            stream_options={"include_usage": True},
            # Compression would hold back deltas until a block is full.
            extra_headers={"Accept-Encoding": "identity"},
            **options,
        )

    def _read(self, response: httpx2.Response) -> PieceStream:
        if "text/event-stream" not in response.headers.get("content-type", ""):
            raise UpstreamIncomplete()
        reader = SseReader(self._max_reply_bytes)
        chunks = CompletionChunks()
        for received in response.stream:  # type: ignore[union-attr]
            pieces = chunks.pieces(reader.feed(received))
            if pieces:
                yield pieces
            if chunks.done:
                break
        else:
            last = chunks.pieces(reader.close())
            if last:
                yield last
        if not chunks.finished:
            raise UpstreamIncomplete()


@contextmanager
def _mapped_errors() -> Iterator[None]:
    """Raise the foreign errors as ours; nothing of upstream's text goes along."""
    try:
        yield
    except RunError:
        raise
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise UpstreamTimeout() from error
    except openai.APIConnectionError as error:
        raise UpstreamRefused() from error
    except openai.APIStatusError as error:
        raise _for_status(error.status_code) from error
    except httpx2.TransportError as error:
        raise UpstreamIncomplete() from error
    except openai.OpenAIError as error:
        raise UpstreamError() from error
    except EventTooLarge as error:
        raise UpstreamTooLarge() from error
    except UnicodeError as error:
        raise UpstreamMalformed() from error


def _for_status(status: int) -> RunError:
    if status in {401, 403}:
        return UpstreamAuth()
    if status == 429:
        return UpstreamRateLimited()
    if 400 <= status < 500:
        return UpstreamRejected()
    return UpstreamError()
