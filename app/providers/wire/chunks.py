"""What the chunks of every wire need: JSON as servers really write it, whole characters, token
counts.

Without pydantic: a model object a chunk costs more than everything else that happens to the chunk.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from app.core.entries import FILE, REASONING, TEXT
from app.core.run_errors import UpstreamMalformed
from app.core.usage import Usage
from app.providers.wire.reasons import reason_of
from app.providers.wire.thoughts import ThoughtSplitter
from app.runs.ports import FINISH, Piece

MAX_TOKENS = 2**53  # what JSON numbers keep exactly; orjson refuses to write more than 64 bits
DONE = (b"[DONE]", b"DONE")  # what the mark of the end begins with
_DECODER = json.JSONDecoder(parse_constant=lambda constant: None)


def loads(data: bytes) -> Any:
    """Return the JSON value, None for what is none.

    NaN and infinities, which Python's servers write into what nobody reads, are null; bytes that
    are no UTF-8 are U+FFFD.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        # The standard library reads half a surrogate pair, which some servers send.
        return _DECODER.decode(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def objects_in(text: str) -> tuple[list[dict[str, Any]], str]:
    """Return the JSON objects that follow one another in a text, and what is left behind them."""
    found: list[dict[str, Any]] = []
    at = end = 0
    while (at := text.find("{", end)) >= 0:
        try:
            one, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(one)
    return found, text[end:].strip(" \t\r\n,]")


def is_done(data: bytes) -> bool:
    """Whether that is the mark of a stream's end, however it is written."""
    return data.strip(b" \t\r\n\"'").upper().startswith(DONE)


def token_count(written: Any) -> int | None:
    """Return a count of tokens, None for what is none."""
    if isinstance(written, str) and written.isdecimal():
        written = int(written[:20])
    if isinstance(written, float) and written.is_integer():
        written = int(written)
    return written if type(written) is int and 0 <= written <= MAX_TOKENS else None


def usage_of(read: Any, *written: Any) -> Usage | None:
    """Return the usage of counts as a server wrote them; one that is missing counts nothing.

    None where there is none, or one of them cannot be read: then it has to be estimated.
    """
    counts = [token_count(one) for one in (read, *written) if one is not None]
    if not counts or None in counts:
        return None
    output = sum(token_count(one) or 0 for one in written)
    return Usage(token_count(read) or 0, output) if output <= MAX_TOKENS else None


class StreamChunks(ABC):
    """One wire's chunks; the state of one stream."""

    ends_with_reason: bool  # a finish reason is the last of it, on this wire

    def __init__(self) -> None:
        self.finished = False  # a finish reason came
        self.done = False  # the mark of the end came: nothing after it counts
        self.heard = 0  # chunks that were about the reply, those too that brought nothing

    @abstractmethod
    def add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        """Add the pieces of a chunk, those before a fault too. Raises UpstreamMalformed, and what
        an error in the stream is."""

    @abstractmethod
    def end(self, found: list[Piece], complete: bool) -> None:
        """Add what was held back; nothing more comes. Text without a reason is a whole reply if it
        is `complete` by another mark: `[DONE]`, or that it came as one object."""

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add_chunk` does."""
        found: list[Piece] = []
        self.add(events, found)
        return found

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of the data of these events. Raises what `add_chunk` does."""
        for data in events:
            try:
                chunk = orjson.loads(data)
            except orjson.JSONDecodeError:
                chunk = None
            if type(chunk) is dict:  # as good as always
                self.add_chunk(chunk, found)
                continue
            for chunk in self._chunks_in(data):
                self.add_chunk(chunk, found)
            if self.done:
                break

    def _chunks_in(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the objects that the data of an event are: one as a rule.

        None for what cannot have been one: null, a number, a word such as `ping`. Raises
        UpstreamMalformed for what begins as an object and is none.
        """
        data = data.strip()
        while data.startswith(b"data:"):  # wrapped twice on the way
            data = data[5:].lstrip()
        if is_done(data):
            self.done = True
            return
        parsed = loads(data)
        if isinstance(parsed, dict):
            yield parsed
        elif isinstance(parsed, list):
            yield from (one for one in parsed if isinstance(one, dict))
        elif parsed is None and (lines := data.splitlines())[1:]:
            for line in lines:  # events with single line ends between them
                yield from self._chunks_in(line)
        elif parsed is None and data[:1] == b"{":
            raise UpstreamMalformed()


class WholeText:
    """One text that comes in pieces: surrogate pairs are joined, across pieces too."""

    def __init__(self) -> None:
        self.half = ""  # of a pair; waits for the other

    def take(self, text: str) -> str:
        """Return the piece in whole characters; a lone half is U+FFFD."""
        if not self.half:
            if text.isascii():
                return text
            try:
                text.encode()
                return text
            except UnicodeEncodeError:
                pass
        joined = self.half + text
        self.half = ""
        if "\ud800" <= joined[-1] <= "\udbff":
            self.half = joined[-1]
            joined = joined[:-1]
        return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def end(self) -> str:
        """Return U+FFFD if half a pair was left, else nothing."""
        half, self.half = self.half, ""
        return "\ufffd" if half else ""


class ReplyText:
    """The text and thoughts of one reply, in whole characters and each where it belongs."""

    def __init__(self, splits_thoughts: bool) -> None:
        self.has_text = False  # or an image
        self.has_thoughts = False
        self._images: set[int] = set()  # hashes: some gateways say all again at the end
        self._reason = ""
        self._text = WholeText()
        self._thoughts = WholeText()
        self._splitter = ThoughtSplitter() if splits_thoughts else None

    def say(self, text: str, found: list[Piece]) -> None:
        """Add a piece of text."""
        if self._splitter is None and text.isascii() and not self._text.half:  # as a rule
            self.has_text = True
            found.append((TEXT, text))
            return
        text = self._text.take(text)
        if self._splitter is not None:
            self._split(self._splitter.take(text), found)
            if self._splitter.done:
                self._splitter = None
        elif text:
            self.has_text = True
            found.append((TEXT, text))

    def think(self, thoughts: str, found: list[Piece]) -> None:
        """Add a piece of thoughts."""
        if thoughts := self._thoughts.take(thoughts):
            self.has_thoughts = True
            found.append((REASONING, thoughts))

    def show(self, media_type: str, data: str, found: list[Piece]) -> None:
        """Add an image, once; without a type `data` is its address, which only a text can have."""
        if hash(data) in self._images:
            return
        self._images.add(hash(data))
        if media_type:
            self.has_text = True
            found.append((FILE, {"data": data, "media_type": media_type}))
        else:
            self.say(f"![image]({data})", found)

    def end(self, found: list[Piece]) -> None:
        """Add what was held back."""
        if half := self._thoughts.end():
            found.append((REASONING, half))
        if half := self._text.end():
            self.say(half, found)
        if self._splitter is not None:
            self._split(self._splitter.end(), found)
            self._splitter = None

    def finish(self, reason: Any, found: list[Piece], has_calls: bool = False) -> None:
        """Add what was held back, and our finish reason for the server's: with calls, which many
        end with `stop`, it is that there are some. Raises UpstreamError for one that is a
        failure."""
        self.end(found)
        ours = reason_of(reason, self.has_text or has_calls)
        if has_calls and ours == "stop":
            ours = "tool_calls"
        if ours == "stop" and self._reason:  # some gateways add one of their own behind
            return
        self._reason = ours
        found.append((FINISH, ours))

    def _split(self, pieces: list[tuple[str, str]], found: list[Piece]) -> None:
        for piece in pieces:
            if piece[0] == TEXT:
                self.has_text = True
            else:
                self.has_thoughts = True
            found.append(piece)
