"""Any server that speaks OpenAI's chat completions: what it is asked, how its chunks are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import httpx2
import openai
import orjson
from pydantic import BaseModel, SecretStr

from app.core.entries import REASONING, TEXT
from app.core.run_errors import UpstreamError, UpstreamMalformed, UpstreamRefused
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.providers.settings import SECTION, Address, Variables
from app.providers.wire.chunks import WholeText, parse_object, token_count
from app.providers.wire.http import Bounds, HttpStream, HttpStreams
from app.providers.wire.pieces import read_pieces, read_whole
from app.providers.wire.status import error_for_status
from app.runs.ports import FINISH, USAGE, Piece, PieceStream

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


class OpenAISettings(BaseModel):
    """OpenAI's API, or one that is compatible with it."""

    model_config = SECTION
    aliases: ClassVar[tuple[str, ...]] = ()
    variables: ClassVar = Variables("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")

    openai_api_key: SecretStr = SecretStr("")
    """Key of the OpenAI-compatible server."""
    openai_base_url: Address = "https://api.openai.com/v1"
    """Address of the OpenAI-compatible server; setting it is enough where no key is needed."""
    openai_model: str = "gpt-5-mini"
    """Model asked for when a request names none."""
    openai_max_tokens_field: Literal["", "max_tokens", "max_completion_tokens"] = ""
    """What the server calls the limit of a reply; by default what is known of its host."""
    openai_stream: bool = True
    """0 asks it for whole replies."""

    @property
    def streams(self) -> bool:
        return self.openai_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> OpenAICompatible | None:
        if not self.openai_api_key and "openai_base_url" not in self.model_fields_set:
            return None
        return OpenAICompatible(
            name,
            self.openai_api_key.get_secret_value(),
            self.openai_base_url,
            self.openai_model,
            bounds,
            self.openai_max_tokens_field,
        )


class OpenAICompatible:
    """A provider; one pool of connections for all runs."""

    def __init__(
        self,
        name: str,
        api_key: str,
        base_url: str,
        default_model: str,
        bounds: Bounds,
        max_tokens_field: str = "",
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self._max_tokens_field = max_tokens_field or max_tokens_field_of(base_url)
        self._max_reply_bytes = bounds.max_reply_bytes
        # At the start: the SDK's imports take 20 ms, and a run would hold up all others for it.
        self._heads = {
            stream: completions_head(api_key, base_url, stream) for stream in (True, False)
        }
        self._streams = HttpStreams(
            bounds.connect_timeout_s, bounds.read_timeout_s, bounds.reader_of
        )

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


DONE = b"[DONE]"
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class CompletionChunks:
    """The state of one stream: whether it is complete, and half a surrogate pair."""

    def __init__(self) -> None:
        self.finished = False  # a finish reason came
        self.done = False  # [DONE] came: nothing after it counts
        self._text = WholeText()
        self._reasoning = WholeText()

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add` does."""
        found: list[Piece] = []
        self.add(events, found)
        return found

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of these events, those before a fault too. Raises UpstreamMalformed,
        UpstreamError."""
        for data in events:
            if data == DONE:
                self.done = True
                break
            self._add_chunk(parse_object(data), found)

    def _add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if chunk.get("error"):
            raise UpstreamError()
        choices = chunk.get("choices")
        if choices:
            self._add_choice(choices, found)
        usage = chunk.get("usage")
        if usage:
            found.append((USAGE, _usage(usage)))

    def _add_choice(self, choices: Any, found: list[Piece]) -> None:
        try:
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message") or {}
            text = delta.get("content")
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            reason = choice.get("finish_reason")
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if reasoning and (reasoning := self._reasoning.take(reasoning)):
            found.append((REASONING, reasoning))
        if text and (text := self._text.take(text)):
            found.append((TEXT, text))
        if reason:
            self._finish(reason, found)

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        if not isinstance(reason, str):
            raise UpstreamMalformed()
        if half := self._reasoning.end():
            found.append((REASONING, half))
        if half := self._text.end():
            found.append((TEXT, half))
        self.finished = True
        found.append((FINISH, FINISH_REASONS.get(reason, "stop")))


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        raise UpstreamMalformed()
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Usage(token_count(read), token_count(written))


NO_KEY = "none"  # the SDK wants one; servers without authentication ignore it


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body, and so without the body's length."""

    method: str
    url: str
    headers: Mapping[str, str]


def completions_head(api_key: str, base_url: str, stream: bool) -> RequestHead | None:
    """Return the head of each request for chat completions to that server, None for a key that
    cannot be in a header.

    Nobody is asked. What is in the environment now (OPENAI_ORG_ID and the like) counts.
    """
    client = openai.OpenAI(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(_unsent)),
    )
    try:
        with client.chat.completions.with_streaming_response.create(
            model="",
            messages=[],
            stream=stream,
            # Compression would hold back deltas until a block is full.
            extra_headers={"Accept-Encoding": "identity"},
        ):
            raise AssertionError("nobody was asked, and somebody has answered")
    except openai.APIConnectionError as error:
        return _head_of(error.request)
    except UnicodeEncodeError:
        return None


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the body as JSON. Raises ValueError for a lone surrogate, as the SDK does."""
    try:
        return orjson.dumps(body)
    except TypeError:  # more than 64 bits, or nested deep, which is no fault: the SDK sends it
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _unsent(request: httpx2.Request) -> httpx2.Response:
    # The SDK's error has the request. An answer would be logged like a real one.
    raise httpx2.ConnectError("only the request is wanted")


def _head_of(request: httpx2.Request) -> RequestHead:
    headers = dict(request.headers.items())
    del headers["content-length"]
    return RequestHead(request.method, str(request.url), headers)
