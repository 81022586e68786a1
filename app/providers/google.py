"""Gemini, by its own wire: POST /models/<model>:streamGenerateContent?alt=sse, without an SDK.

Google's OpenAI-compatible endpoint would do for the text. It does not give thoughts apart from the
text, nor say why a prompt was blocked; so this speaks the native one. Source: Gemini API reference,
"models.streamGenerateContent".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import orjson
from pydantic import AfterValidator, BaseModel, SecretStr

from app.core.entries import REASONING, TEXT
from app.core.messages import ProviderMessage
from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
)
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.providers.settings import SECTION, Address, Variables
from app.providers.wire.chunks import WholeText, parse_object, token_count
from app.providers.wire.http import Bounds, HttpStream, HttpStreams
from app.providers.wire.pieces import read_pieces, read_whole
from app.providers.wire.status import error_for_status
from app.runs.ports import FINISH, USAGE, Piece, PieceStream

# OpenAI's names of what is passed on, and Gemini's.
PARAMETERS = {
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "stop": "stopSequences",
    "top_p": "topP",
}
ERROR_BYTES = 16384  # of an error's body: enough for its reason and its RetryInfo
RETRY_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,9})(\.\d+)?s"')


def _header(value: SecretStr) -> SecretStr:
    """Check that a key can go in a header (RFC 9110, 5.5)."""
    key = value.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("printable ASCII, as it was copied")
    return value


class GoogleSettings(BaseModel):
    """Google's Gemini."""

    model_config = SECTION
    aliases: ClassVar = ("gemini",)
    variables: ClassVar = Variables("GEMINI_API_KEY", "GEMINI_BASE_URL", "GEMINI_MODEL")

    gemini_api_key: Annotated[SecretStr, AfterValidator(_header)] = SecretStr("")
    """Key of Google's Gemini."""
    gemini_base_url: Address = "https://generativelanguage.googleapis.com/v1beta"
    """Address of Gemini's API."""
    gemini_model: str = "gemini-3.8-flash"
    """Model asked for by default."""
    gemini_stream: bool = True
    """0 hands its replies out as if they came whole."""

    @property
    def streams(self) -> bool:
        return self.gemini_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> GoogleProvider | None:
        key = self.gemini_api_key.get_secret_value()
        if not key:
            return None
        return GoogleProvider(name, key, self.gemini_base_url, self.gemini_model, bounds)


class GoogleProvider:
    """A provider; one pool of connections for all runs."""

    def __init__(
        self,
        name: str,
        api_key: str,
        base_url: str,
        default_model: str,
        bounds: Bounds,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = frozenset(PARAMETERS)
        self._base_url = base_url.rstrip("/")
        self._max_reply_bytes = bounds.max_reply_bytes
        self._headers = {
            "x-goog-api-key": api_key,  # never in the URL: URLs are logged on the way
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            # Compression would hold back deltas until a block is full.
            "Accept-Encoding": "identity",
        }
        self._streams = HttpStreams(
            bounds.connect_timeout_s, bounds.read_timeout_s, bounds.reader_of
        )
        self._thoughtless: set[str] = set()  # models that refuse to be asked for thoughts

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError."""
        with self._opened(request, "streamGenerateContent?alt=sse") as answer:
            content_type = answer.headers.get("content-type", "")
            yield from read_pieces(content_type, answer, GeminiChunks(), self._max_reply_bytes)

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        with self._opened(request, "generateContent") as answer:
            yield from read_whole(answer, GeminiChunks(), self._max_reply_bytes)

    @contextmanager
    def _opened(self, request: ProviderRequest, method: str) -> Iterator[HttpStream]:
        upstream = request.upstream
        upstream.opened = True
        answer = None
        try:
            answer = self._open(request, method)
            yield answer
        finally:
            if answer is not None:
                answer.close()
            upstream.closed = True

    def _open(self, request: ProviderRequest, method: str) -> HttpStream:
        """Return the answer to a request that was taken, without thoughts where they are
        refused."""
        with_thoughts = request.model not in self._thoughtless
        answer = self._post(request, method, with_thoughts)
        if answer.status == 200:
            return answer
        said = _said(answer)
        if not (answer.status == 400 and with_thoughts and _refuses_thoughts(said)):
            raise _error_of(answer, said)
        answer = self._post(request, method, False)
        if answer.status != 200:
            raise _error_of(answer, _said(answer))
        self._thoughtless.add(request.model)
        return answer

    def _post(self, request: ProviderRequest, method: str, with_thoughts: bool) -> HttpStream:
        # The name comes from a client: quoted, it can be no other path, and no query.
        model = quote(request.model.removeprefix("models/"), safe="", errors="replace")
        url = f"{self._base_url}/models/{model}:{method}"
        body = orjson.dumps(request_body(request, with_thoughts))
        return self._streams.open("POST", url, self._headers, body)


def request_body(request: ProviderRequest, with_thoughts: bool) -> dict[str, Any]:
    """Return the GenerateContentRequest."""
    config: dict[str, Any] = {}
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    for name, value in request.parameters.items():
        config[PARAMETERS[name]] = [value] if name == "stop" and isinstance(value, str) else value
    if with_thoughts:
        config["thinkingConfig"] = {"includeThoughts": True}
    body: dict[str, Any] = {"contents": _contents(request.messages), "generationConfig": config}
    system = [{"text": m.text} for m in request.messages if m.role == "system" and m.text]
    if system:
        body["systemInstruction"] = {"parts": system}
    return body


def _contents(messages: Iterable[ProviderMessage]) -> list[dict[str, Any]]:
    """Return the turns; neighbours of one role are one turn, as roles have to take turns."""
    contents: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system" or not message.text:  # an empty part is refused
            continue
        role = "model" if message.role == "assistant" else "user"
        if not contents or contents[-1]["role"] != role:
            contents.append({"role": role, "parts": []})
        contents[-1]["parts"].append({"text": message.text})
    return contents


def _said(answer: HttpStream) -> bytes:
    """Return the beginning of an error's body and close it; none of it is ever shown."""
    try:
        return answer.head(ERROR_BYTES)
    finally:
        answer.close()


def _refuses_thoughts(said: bytes) -> bool:
    # "Thinking is not enabled for models/..." or "... thinking_config.include_thoughts ..."
    return b"thinking" in said.lower()


def _error_of(answer: HttpStream, said: bytes) -> RunError:
    if answer.status == 400 and b"API_KEY_INVALID" in said:  # Google's 401
        return UpstreamAuth()
    error = error_for_status(answer.status, answer.headers.get("retry-after"))
    if isinstance(error, UpstreamRateLimited) and error.retry_after_s is None:
        delay = RETRY_DELAY.search(said)  # google.rpc.RetryInfo: what Google sends instead
        if delay:
            error.retry_after_s = int(delay[1]) + bool(delay[2])
    return error


FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
}


class GeminiChunks:
    """The state of one stream: whether it is complete, half surrogate pairs, the last counts.

    There is no mark of the end, and some models repeat the finish reason in every chunk: a stream
    is read until its connection says that the body is over.
    """

    done = False

    def __init__(self) -> None:
        self.finished = False  # a finish reason came
        self._text = WholeText()
        self._reasoning = WholeText()
        self._usage: Usage | None = None
        self._told: list[Piece] = []  # the finish and the usage that went out already

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add` does."""
        found: list[Piece] = []
        self.add(events, found)
        return found

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of these events, those before a fault too. Raises UpstreamMalformed,
        UpstreamError."""
        for data in events:
            self._add_chunk(parse_object(data), found)

    def _add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if chunk.get("error"):
            raise UpstreamError()
        usage = chunk.get("usageMetadata")
        if usage:
            self._usage = _usage(usage)
        try:
            blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
            candidate = (chunk.get("candidates") or [{}])[0]
            parts = (candidate.get("content") or {}).get("parts") or ()
            reason = candidate.get("finishReason")
            for part in parts:
                self._add_part(part.get("text"), part.get("thought"), found)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if blocked:
            self._finish("content_filter", found)
        elif reason:
            if not isinstance(reason, str):
                raise UpstreamMalformed()
            self._finish(FINISH_REASONS.get(reason, "stop"), found)
        if self.finished and self._usage is not None:
            # Counts that come before are not of the whole reply yet.
            self._tell((USAGE, self._usage), found)

    def _add_part(self, text: Any, thought: Any, found: list[Piece]) -> None:
        if not text:  # a signature, or a kind of part that was not asked for
            return
        if thought:
            if text := self._reasoning.take(text):
                found.append((REASONING, text))
        elif text := self._text.take(text):
            found.append((TEXT, text))

    def _finish(self, reason: str, found: list[Piece]) -> None:
        if half := self._reasoning.end():
            found.append((REASONING, half))
        if half := self._text.end():
            found.append((TEXT, half))
        self.finished = True
        self._tell((FINISH, reason), found)

    def _tell(self, piece: Piece, found: list[Piece]) -> None:
        if piece not in self._told:
            self._told = [told for told in self._told if told[0] != piece[0]] + [piece]
            found.append(piece)


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        raise UpstreamMalformed()
    # Thoughts are paid for as output, and are not among the candidates' tokens.
    written = token_count(usage.get("candidatesTokenCount"))
    thought = token_count(usage.get("thoughtsTokenCount"))
    return Usage(token_count(usage.get("promptTokenCount")), token_count(written + thought))
