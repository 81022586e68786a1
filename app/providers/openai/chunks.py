"""Chunks of chat completions, as all servers that speak them write them."""

from __future__ import annotations

from typing import Any

from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import split_parts, text_in
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import refusal_in
from app.runs.ports import USAGE, Piece

# What servers call thoughts, the most usual first.
THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details")


class CompletionChunks(StreamChunks):
    """The state of one stream.

    A `delta` adds to the reply, a `message` is all of it: that counts only where nothing was said
    by deltas.
    """

    ends_with_reason = True  # what comes after a finish reason is no part of the reply

    def __init__(self, splits_thoughts: bool = False) -> None:
        super().__init__()
        self._reply = ReplyText(splits_thoughts)

    def add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if chunk.get("error"):
            raise refusal_in(chunk["error"]).error()
        choices = chunk.get("choices")
        if choices:
            self._add_choice(choices, found)
        elif choices is None and is_error(chunk):
            raise refusal_in(chunk).error()
        usage = chunk.get("usage")
        if usage:
            _add_usage(usage, found)
        elif choices is not None and (vendors := chunk.get("x_groq")):
            _add_usage(vendors.get("usage") if isinstance(vendors, dict) else None, found)

    def _add_choice(self, choices: Any, found: list[Piece]) -> None:
        try:
            choice = choices[0]
            delta, message = choice.get("delta"), choice.get("message")
            reason = choice.get("finish_reason")
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        self.heard += 1
        if delta:
            if type(delta) is not dict:
                raise UpstreamMalformed()
            if len(delta) == 1 and type(text := delta.get("content")) is str and text:
                self._reply.say(text, found)
            else:
                self._add_message(delta, found)
        if message and not self._reply.has_text:
            self._add_message(message, found, whole=True)
        elif not delta and isinstance(text := choice.get("text"), str) and text:
            self._reply.say(text, found)
        if len(choice) > 3:  # besides index, delta and reason
            self._add_beside(choice, found)
        if reason and is_reason(reason):
            self._reply.finish(reason, found)
            self.finished = True

    def _add_beside(self, choice: dict[str, Any], found: list[Piece]) -> None:
        if choice.get("error"):
            raise refusal_in(choice["error"]).error()
        if usage := choice.get("usage"):
            _add_usage(usage, found)

    def _add_message(self, message: Any, found: list[Piece], whole: bool = False) -> None:
        if not isinstance(message, dict):
            raise UpstreamMalformed()
        text = message.get("content")
        thoughts: Any = None
        if len(message) > 1:
            thoughts = next((message[name] for name in THOUGHTS if message.get(name)), None)
        if text is not None and not isinstance(text, str):
            text, among = split_parts(text)
            thoughts = thoughts or among
        if thoughts and not (whole and self._reply.has_thoughts):
            if thoughts := thoughts if isinstance(thoughts, str) else text_in(thoughts):
                self._reply.think(thoughts, found)
        if not text and (refusal := message.get("refusal")):  # a reply like any other
            text = text_in(refusal)
        if text:
            self._reply.say(text, found)

    def end(self, found: list[Piece], complete: bool) -> None:
        if self.finished:
            return
        self._reply.end(found)
        if complete and self._reply.has_text:
            self.finished = True
            self._reply.finish("stop", found)


def is_error(chunk: dict[str, Any]) -> bool:
    """Whether an object that is no chunk says that something went wrong."""
    kinds = (chunk.get("object"), chunk.get("type"), chunk.get("status"))
    if "error" in kinds:
        return True
    text = chunk.get("message") or chunk.get("detail") or chunk.get("error_msg")
    return bool(text) and ("code" in chunk or "error_code" in chunk or "detail" in chunk)


def _add_usage(usage: Any, found: list[Piece]) -> None:
    if read := usage_in(usage):
        found.append((USAGE, read))


def usage_in(usage: Any) -> Usage | None:
    """Return the usage that a chunk reports, None for what cannot be read."""
    if not isinstance(usage, dict):
        return None
    return usage_of(usage.get("prompt_tokens"), usage.get("completion_tokens"))
