"""Gemini's chunks. Source: Gemini API reference, "GenerateContentResponse"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.entries import LOGPROBS, OPAQUE, storable
from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.google.signatures import kept
from app.providers.wire.calls import ReplyCalls
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import text_in
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import raise_failure
from app.runs.ports import FINISH, USAGE, Piece


class GeminiChunks(StreamChunks):
    """The state of one stream: whether it is complete, half surrogate pairs, the last counts.

    There is no mark of the end, and some models repeat the finish reason in every chunk: a stream
    is read until its connection says that the body is over, or a gateway says `[DONE]`. A call
    comes whole, so that what cuts a reply cuts none of them.
    """

    ends_with_reason = False

    def __init__(self, first_call: int = 1, vendor: str = "") -> None:
        super().__init__()
        self._reply = ReplyText(splits_thoughts=False)
        self._calls = ReplyCalls(first_call, vendor)
        self._vendor = vendor
        self._count = 0  # of calls
        self._usage: Usage | None = None
        self._told: list[Piece] = []  # the finish and the usage that went out already

    def add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if "candidates" not in chunk and "promptFeedback" not in chunk:
            raise_failure(chunk, self.heard)
        usage = chunk.get("usageMetadata")
        if usage:
            self._usage = _usage(usage)
        try:
            blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
            candidate = (chunk.get("candidates") or [{}])[0] or {}
            parts = (candidate.get("content") or {}).get("parts") or ()
            reason = candidate.get("finishReason")
            self.heard += 1 if candidate else 0
            for part in (part for part in parts if part is not None):
                self._add_part(part, found)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if tokens := _tokens_in(candidate.get("logprobsResult")):
            found.append((LOGPROBS, {"content": storable(tokens)}))
        if blocked:
            self._finish("content_filter", found)
        elif reason and is_reason(reason):
            self._finish(reason, found)
        if self.finished and self._usage is not None:
            # Counts that come before are not of the whole reply yet.
            self._tell((USAGE, self._usage), found)

    def _add_part(self, part: dict[str, Any], found: list[Piece]) -> None:
        signature = part.get("thoughtSignature")
        if call := part.get("functionCall"):
            self._add_call(call, signature, found)
            return
        text = self._add_text(part.get("text"), part.get("thought"), found)
        shown = not part.get("thought") and self._add_image(part.get("inlineData"), found)
        if isinstance(signature, str) and signature:
            opaque = {"vendor": self._vendor, **kept(signature)}
            of = {"of": len(text)} if text else {"of_image": True} if shown else {}
            found.append((OPAQUE, {**opaque, **of}))

    def _add_image(self, said: Any, found: list[Piece]) -> bool:
        """Add an image that the model made; whether it is one."""
        if not said or not str(said.get("mimeType")).startswith("image/") or not said.get("data"):
            return False
        self._reply.show(str(said["mimeType"]), str(said["data"]), found)
        return True

    def _add_text(self, said: Any, thought: Any, found: list[Piece]) -> str:
        """Add what a part says; return what of it is the reply's text."""
        if not said:  # a signature alone, or a kind of part that was not asked for
            return ""
        text = said if isinstance(said, str) else text_in(said)
        if text and thought:
            self._reply.think(text, found)
            return ""
        if text:
            self._reply.say(text, found)
        return text

    def _add_call(self, call: dict[str, Any], signature: Any, found: list[Piece]) -> None:
        own = kept(signature) if isinstance(signature, str) and signature else None
        names = call.get("id"), self._count, call.get("name")
        self._calls.add(found, *names, call.get("args"), own)
        self._count += 1

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        told: list[Piece] = []
        self._reply.finish(reason, told, bool(self._count))
        self._calls.finish(told, is_cut=False)
        self.finished = True
        finishes = [piece for piece in told if piece[0] == FINISH]
        found += [piece for piece in told if piece[0] != FINISH]
        for piece in finishes:
            self._tell(piece, found)

    def _tell(self, piece: Piece, found: list[Piece]) -> None:
        if piece not in self._told:
            self._told = [told for told in self._told if told[0] != piece[0]] + [piece]
            found.append(piece)

    def end(self, found: list[Piece], complete: bool) -> None:
        if self.finished:
            return
        self._reply.end(found)
        if complete and (self._reply.has_text or self._count):
            self._finish("stop", found)
            if self._usage is not None:
                self._tell((USAGE, self._usage), found)


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    # Thoughts are paid for as output, and are not among the candidates' tokens.
    written = usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")
    return usage_of(usage.get("promptTokenCount"), *written)


def _tokens_in(result: Any) -> list[dict[str, Any]]:
    """Return the tokens of a chunk as OpenAI has them, with their likeliest others."""
    if not isinstance(result, Mapping):
        return []
    chosen, others = result.get("chosenCandidates"), result.get("topCandidates")
    if not isinstance(chosen, list):
        return []
    lists = others if isinstance(others, list) else []
    found = []
    for index, one in enumerate(chosen):
        top = lists[index].get("candidates") if index < len(lists) else None
        found.append({**_token(one), "top_logprobs": [_token(other) for other in top or ()]})
    return found


def _token(said: Mapping[str, Any]) -> dict[str, Any]:
    token = str(said.get("token", ""))
    written = list(token.encode("utf-8", "replace"))
    return {"token": token, "logprob": said.get("logProbability", 0.0), "bytes": written}
