"""HTTP's chunked coding, taken apart by reads and not by chunks: RFC 9112, section 7.1.

A model's server sends a chunk a token. The standard library reads each by itself, three calls a
chunk; what one read of the socket brought is one piece of work here, however many chunks it has.
"""

from __future__ import annotations

import re

MAX_LINE_BYTES = 4096  # of a chunk's size with its extensions, or a trailer
MAX_TRAILERS = 100
MAX_SIZES = 64  # remembered of one body
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\Z")


class ChunkedBody:
    """The state of one body. `surplus` is whether anything came after its end."""

    def __init__(self) -> None:
        self.done = False
        self.surplus = False
        self._left = 0  # of the chunk under way
        self._line = self._size  # what takes the next line
        self._rest = b""  # of a line that has not come whole
        self._trailers = 0
        self._sizes: dict[bytes, int] = {}  # by the lines that said them

    def feed(self, data: bytes) -> bytes:
        """Return what these bytes hold of the body. Raises ValueError for what is no chunk."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        parts = []
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if not self._left and data[at : at + 2] == b"\r\n":  # as a rule it is all here
                    at += 2
                    self._line = self._size
                continue
            if self._line == self._size:
                at = self._whole_chunks(data, at, parts)
            end = data.find(b"\n", at)
            if end < 0:
                self._rest = data[at:]
                if len(self._rest) > MAX_LINE_BYTES:
                    raise ValueError("a line that is too long")
                return b"".join(parts)
            self._line(data[at:end].removesuffix(b"\r"))
            at = end + 1
        self.surplus = self.surplus or at < len(data)
        return b"".join(parts)

    def _whole_chunks(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Add the chunks from there on that are here whole and of a size met before; return where
        the next line begins. As a rule it is all of a read, and the sizes are few."""
        sizes = self._sizes
        while size := sizes.get(data[at : (begin := data.find(b"\n", at) + 1)]):
            stop = begin + size
            if data[stop : stop + 2] != b"\r\n":
                break
            parts.append(data[begin:stop])
            at = stop + 2
        return at

    def _size(self, line: bytes) -> None:
        found = SIZE.match(line)
        if found is None:
            raise ValueError("a chunk without a size")
        self._left = int(found[1], 16)
        if self._left and len(self._sizes) < MAX_SIZES:
            self._sizes[line + b"\r\n"] = self._left
        self._line = self._after if self._left else self._trailer

    def _after(self, line: bytes) -> None:
        if line:
            raise ValueError("a chunk that is longer than its size")
        self._line = self._size

    def _trailer(self, line: bytes) -> None:
        self._trailers += 1
        if self._trailers > MAX_TRAILERS:
            raise ValueError("trailers without end")
        self.done = not line
