"""Chunks of chat completions, as all servers that speak them write them."""

from __future__ import annotations

from typing import Any

from app.core.entries import LOGPROBS, OPAQUE, storable
from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.wire.calls import ReplyCalls
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import split_parts, text_in
from app.providers.wire.images import images_in
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import raise_failure
from app.runs.ports import FINISH, USAGE, Piece

# What servers call thoughts, the most usual first.
THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details")


class CompletionChunks(StreamChunks):
    """The state of one stream.

    A `delta` adds to the reply, a `message` is all of it: that counts only where nothing was said
    by deltas.
    """

    ends_with_reason = True  # what comes after a finish reason is no part of the reply

    def __init__(
        self, splits_thoughts: bool = False, first_call: int = 1, vendor: str = ""
    ) -> None:
        super().__init__()
        self._reply = ReplyText(splits_thoughts)
        self._calls = ReplyCalls(first_call, vendor)
        self._vendor = vendor
        self._thoughts: list[str] | None = None  # of servers that want them back, with calls
        self._details: list[Any] = []

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
                if reason is message is None and len(choice) == 3 and "finish_reason" in choice:
                    return  # as a rule
            else:
                self._add_message(delta, found)
        if type(message) is dict and not self._reply.has_text and not self._calls:
            self._add_message(message, found, whole=True)
        elif not delta and isinstance(text := choice.get("text"), str) and text:
            self._reply.say(text, found)
        if len(choice) > 3:  # besides index, delta and reason
            if tokens := _tokens_in(choice):
                found.append((LOGPROBS, {"content": storable(tokens)}))
            if choice.get("error"):
                raise_failure({"error": choice["error"]}, self.heard)
            if usage := choice.get("usage"):
                self._add_usage(usage, found)
        if reason is None and "finish_reason" not in choice:
            reason = choice.get("finishReason") or (delta or {}).get("finish_reason")
        if reason and is_reason(reason):
            self._finish(reason, found)

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        told: list[Piece] = []
        self._reply.finish(reason, told, bool(self._calls))
        self.finished = True
        if self._calls and told and told[-1][0] == FINISH:
            finish = told.pop()
            self._calls.finish(told, finish[1] in {"length", "content_filter"})
            told += self._wanted_back()
            told.append(finish)
        found += told

    def _wanted_back(self) -> list[Piece]:
        fields: dict[str, Any] = {}
        if self._thoughts is not None:
            fields["reasoning_content"] = storable("".join(self._thoughts))
        if self._details:
            fields["reasoning_details"] = storable(self._details)
        return [(OPAQUE, {"vendor": self._vendor, "fields": fields})] if fields else []

    def _add_calls(self, message: dict[str, Any], found: list[Piece]) -> None:
        calls = message.get("tool_calls") or ()
        one = message.get("function_call")  # OpenAI's older name for a call
        for call in [*calls, {"function": one}] if one else calls:
            if not isinstance(call, dict):
                raise UpstreamMalformed()
            said = call.get("function") or call.get("custom")
            said = said if isinstance(said, dict) else call
            own = call.get("extra_content")
            self._calls.add(
                found,
                call.get("id"),
                call.get("index"),
                said.get("name"),
                said.get("arguments", said.get("input")),
                {"extra_content": storable(own)} if own else None,
            )

    def _add_usage(self, usage: Any, found: list[Piece]) -> None:
        read = usage_in(usage)
        if read is not None and not (read.output_tokens == 0 and self._reply.has_text):
            found.append((USAGE, read))  # none for text is no count

    def _add_message(self, message: Any, found: list[Piece], whole: bool = False) -> None:
        if not isinstance(message, dict):
            raise UpstreamMalformed()
        if message.get("tool_calls") or message.get("function_call"):
            if not isinstance(message.get("tool_calls") or [], list):
                raise UpstreamMalformed()
            self._add_calls(message, found)
        if isinstance(thought := message.get("reasoning_content"), str):
            if self._thoughts is None:
                self._thoughts = []
            self._thoughts.append(thought)
        if isinstance(details := message.get("reasoning_details"), list):
            self._details += details
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
        for parts in (message.get("content"), message.get("images")):
            for media_type, data in images_in(parts):
                self._reply.show(media_type, data, found)

    def end(self, found: list[Piece], complete: bool) -> None:
        if self.finished:
            return
        self._reply.end(found)
        if complete and (self._reply.has_text or self._calls):
            self._finish("stop", found)


def _tokens_in(choice: dict[str, Any]) -> list[Any]:
    """Return the objects of tokens that a choice has besides its text."""
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return tokens if isinstance(tokens, list) else []


def usage_in(usage: Any) -> Usage | None:
    """Return the usage that a chunk reports, None for what cannot be read."""
    if not isinstance(usage, dict):
        return None
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    return usage_of(read, usage.get("completion_tokens", usage.get("output_tokens")))
