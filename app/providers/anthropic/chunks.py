"""The events of a Message. Source: Claude API reference, "Streaming messages", "Messages"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.core.entries import OPAQUE, storable
from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.wire.calls import ReplyCalls
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import text_in
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import raise_failure
from app.runs.ports import FINISH, USAGE, Piece

INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
CUT_BY = {"length", "content_filter"}  # what ends a reply inside a call


@dataclass(slots=True)
class _Block:
    """One block of content on its way."""

    kind: str
    said: dict[str, Any]  # by its start
    texts: list[str] = field(default_factory=list)
    signature: str = ""


class MessageChunks(StreamChunks):
    """The state of one stream.

    Blocks of thoughts are wanted back with the calls that follow them, exactly and signed: they are
    kept once they are whole. A Message that came in one is read as its blocks are.
    """

    ends_with_reason = True

    def __init__(self, first_call: int = 1, vendor: str = "") -> None:
        super().__init__()
        self._reply = ReplyText(splits_thoughts=False)
        self._calls = ReplyCalls(first_call, vendor)
        self._has_calls = False
        self._vendor = vendor
        self._blocks: dict[Any, _Block] = {}
        self._counts: dict[str, Any] = {}

    def add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        kind = chunk.get("type")
        if kind == "ping":
            return
        if kind == "error" or (kind is None and "content" not in chunk):
            raise_failure(chunk, self.heard)
            return
        try:
            self._take(kind or "message", chunk, found)
        except (AttributeError, KeyError, TypeError):
            raise UpstreamMalformed() from None

    def _take(self, kind: str, chunk: dict[str, Any], found: list[Piece]) -> None:
        self.heard += 1
        if kind == "content_block_delta":
            self._add_delta(chunk.get("index"), chunk["delta"], found)
        elif kind == "content_block_start":
            self._begin(chunk.get("index"), chunk["content_block"], found)
        elif kind == "content_block_stop":
            self._end_block(chunk.get("index"), found)
        elif kind == "message_start":
            self._count(chunk["message"].get("usage"))
        elif kind == "message_delta":
            self._count(chunk.get("usage"))
            self._stop((chunk.get("delta") or {}).get("stop_reason"), found)
        elif kind == "message_stop":
            self.done = True
        elif kind == "message":
            self._add_message(chunk, found)

    def _add_message(self, message: dict[str, Any], found: list[Piece]) -> None:
        content = message.get("content") or ()
        if isinstance(content, str):
            content = ({"type": "text", "text": content},)
        for index, block in enumerate(content):
            self._begin(index, block, found)
            self._end_block(index, found)
        self._count(message.get("usage"))
        self._stop(message.get("stop_reason"), found)

    def _begin(self, index: Any, said: dict[str, Any], found: list[Piece]) -> None:
        block = self._blocks[index] = _Block(str(said.get("type")), said)
        if block.kind == "text" and (text := text_in(said.get("text"))):
            self._reply.say(text, found)
        elif block.kind == "thinking":
            self._think(block, said.get("thinking"), found)
            block.signature = said.get("signature") or ""
        elif block.kind == "tool_use":
            self._has_calls = True
            self._calls.add(found, said.get("id"), index, said.get("name"))

    def _add_delta(self, index: Any, delta: dict[str, Any], found: list[Piece]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            if text := text_in(delta.get("text")):
                self._reply.say(text, found)
            return
        block = self._blocks.get(index)
        if kind == "input_json_delta":
            if block is None:  # without a start nobody knows of what
                raise UpstreamMalformed()
            if args := delta.get("partial_json"):
                block.texts.append(str(args))
                self._calls.add(found, None, index, None, args)
        elif kind == "thinking_delta":
            block = block or self._blocks.setdefault(index, _Block("thinking", {}))
            self._think(block, delta.get("thinking"), found)
        elif kind == "signature_delta" and block is not None:
            block.signature += delta.get("signature") or ""

    def _think(self, block: _Block, text: Any, found: list[Piece]) -> None:
        if isinstance(text, str) and text:
            block.texts.append(text)
            self._reply.think(text, found)

    def _end_block(self, index: Any, found: list[Piece]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "tool_use" and not block.texts and block.said.get("input"):
            self._calls.add(found, None, index, None, block.said["input"])  # all of it at once
        elif block.kind == "thinking" and block.signature:
            thinking = {"thinking": "".join(block.texts), "signature": block.signature}
            self._keep({"type": "thinking", **thinking}, found)
        elif block.kind == "redacted_thinking" and block.said.get("data"):
            self._keep({"type": "redacted_thinking", "data": block.said["data"]}, found)

    def _keep(self, block: dict[str, Any], found: list[Piece]) -> None:
        found.append((OPAQUE, {"vendor": self._vendor, "block": storable(block)}))

    def _count(self, usage: Any) -> None:
        """Note the counts, which are of all that came so far."""
        if isinstance(usage, dict):
            self._counts.update({n: count for n, count in usage.items() if count is not None})

    def _stop(self, reason: Any, found: list[Piece]) -> None:
        if not self.finished and reason and is_reason(reason):
            self._finish(reason, found)
        if self.finished and (usage := self._usage()) is not None:
            found.append((USAGE, usage))

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        told: list[Piece] = []
        self._reply.finish(reason, told, self._has_calls)
        self.finished = True
        finish = [piece for piece in told if piece[0] == FINISH]
        found += [piece for piece in told if piece[0] != FINISH]
        for index in list(self._blocks):  # of servers that do not say where one ends
            self._end_block(index, found)
        self._calls.finish(found, any(ours in CUT_BY for _, ours in finish))
        found += finish

    def _usage(self) -> Usage | None:
        written = self._counts.get("output_tokens")
        counts = [self._counts[name] for name in INPUT if name in self._counts]
        if not counts or written is None or not all(type(count) is int for count in counts):
            return usage_of(self._counts.get("input_tokens"), written)
        return usage_of(sum(counts), written)

    def end(self, found: list[Piece], complete: bool) -> None:
        if self.finished:
            return
        self._reply.end(found)
        if complete and (self._reply.has_text or self._has_calls):
            self._finish("stop", found)
            if (usage := self._usage()) is not None:
                found.append((USAGE, usage))
