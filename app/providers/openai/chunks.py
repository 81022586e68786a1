"""Chunks of chat completions, as all servers that speak them write them."""

from __future__ import annotations

from typing import Any

from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import split_parts, text_in
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import raise_failure
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
        choices = chunk.get("choices")
        if chunk.get("error") or not choices:
            raise_failure(chunk, self.heard)
        if choices:
            self._add_choice(choices, found)
        usage = chunk.get("usage")
        if usage:
            self._add_usage(usage, found)
        elif choices and isinstance(vendors := chunk.get("x_groq"), dict):
            self._add_usage(vendors.get("usage"), found)

    def _add_choice(self, choices: Any, found: list[Piece]) -> None:
        try:
            choice = choices[0]
            if choice is None:
                return
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
        if type(message) is dict and not self._reply.has_text:
            self._add_message(message, found, whole=True)
        elif not delta and isinstance(text := choice.get("text"), str) and text:
            self._reply.say(text, found)
        if len(choice) > 3:  # besides index, delta and reason
            if choice.get("error"):
                raise_failure({"error": choice["error"]}, self.heard)
            if usage := choice.get("usage"):
                self._add_usage(usage, found)
        if reason is None and "finish_reason" not in choice:
            reason = choice.get("finishReason") or (delta or {}).get("finish_reason")
        if reason and is_reason(reason):
            self._reply.finish(reason, found)
            self.finished = True

    def _add_usage(self, usage: Any, found: list[Piece]) -> None:
        read = usage_in(usage)
        if read is not None and not (read.output_tokens == 0 and self._reply.has_text):
            found.append((USAGE, read))  # none for text is no count

    def _add_message(self, message: Any, found: list[Piece], whole: bool = False) -> None:
        if not isinstance(message, dict):
            raise UpstreamMalformed()
        text = message.get("content")
        values = (message[name] for name in THOUGHTS if message.get(name))
        thoughts: Any = next((text for text in map(text_in, values) if text), None)
        if text is not None and not isinstance(text, str):
            text, among = split_parts(text)
            thoughts = thoughts or among
        if thoughts and not (whole and self._reply.has_thoughts):
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


def usage_in(usage: Any) -> Usage | None:
    """Return the usage that a chunk reports, None for what cannot be read."""
    if not isinstance(usage, dict):
        return None
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    return usage_of(read, usage.get("completion_tokens", usage.get("output_tokens")))
