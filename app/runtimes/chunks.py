"""Bodies in chunks, read strictly: as RFC 9112, 7.1 has them, or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from app.runtimes.requests import MAX_HEADERS, TOKEN
from app.runtimes.server import PIECE_BYTES

MAX_LINE_BYTES = 4096  # between chunks
MAX_EXTRA_BYTES = 65_536  # a body's extensions and trailers together
TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
# What may be there so far, since a refusal does not wait for the end of a line.
SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(;%s)?(?:\r\n?)?" % TEXT)
TRAILER_SO_FAR = re.compile(rb"%s(?:\r\n?)?" % TEXT)
TRAILER = re.compile(rb"(?:%s:%s)?\r\n" % (TOKEN, TEXT))
FRAMING = (b"content-length:", b"transfer-encoding:", b"host:")  # no trailer may say these


class BadChunks(ValueError):
    """A chunked body that is none; where it ends cannot be known."""


class Chunks:
    """A body in chunks, read from a buffered stream up to its end and no further."""

    def __init__(self, stream: Any, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called between parts, however small they are, and may give up the turn."""
        self._stream = stream
        self._check = check
        self._left = 0  # of the chunk
        self._extra = 0
        self._is_over = False
        self._is_bad = False

    def read(self, size: int | None = None) -> bytes:
        """Read so many bytes, or all. Raises BadChunks, and OSError if it is cut off."""
        return self._take(self._stream.read, size, is_line=False)

    def readline(self, size: int | None = None) -> bytes:
        """Read a line. Raises as `read` does."""
        return self._take(self._stream.readline, size, is_line=True)

    def _take(self, read: Callable[[int], bytes], size: int | None, is_line: bool) -> bytes:
        if self._is_bad:
            raise BadChunks("the body went wrong before")
        wanted = None if size is None or size < 0 else size
        parts: list[bytes] = []
        self._is_bad = True  # until all has gone well; a timeout, too, leaves it in the middle
        while wanted != 0 and (self._left or self._begin_chunk()):
            most = min(self._left, PIECE_BYTES)
            part = read(most if wanted is None else min(most, wanted))
            if not part:
                raise OSError("the body is cut off in a chunk")
            parts.append(part)
            self._left -= len(part)
            if wanted is not None:
                wanted -= len(part)
            if not self._left and (self._byte() != b"\r" or self._byte() != b"\n"):
                raise BadChunks("a chunk does not end in CRLF")
            self._check()
            if is_line and part.endswith(b"\n"):
                break
        self._is_bad = False
        return b"".join(parts)

    def _byte(self) -> bytes:
        byte: bytes = self._stream.read(1)
        if not byte:
            raise OSError("the body is cut off at the end of a chunk")
        return byte

    def _begin_chunk(self) -> bool:
        """Go to the next chunk; whether there is one."""
        if self._is_over:
            return False
        line = self._line(SIZE)
        found = SIZE.fullmatch(line)
        assert found is not None
        self._count(len(found[2] or b""))
        self._left = int(found[1], 16)
        if not self._left:
            self._end()
        return not self._is_over

    def _end(self) -> None:
        for _ in range(MAX_HEADERS + 1):
            line = self._line(TRAILER_SO_FAR)
            if not TRAILER.fullmatch(line) or line.lower().startswith(FRAMING):
                raise BadChunks("a trailer is no header, or none that may be one")
            if line == b"\r\n":
                self._is_over = True
                return
            self._count(len(line))
        raise BadChunks("there are too many trailers")

    def _count(self, extra: int) -> None:
        self._extra += extra
        if self._extra > MAX_EXTRA_BYTES:
            raise BadChunks("there are too many extensions or trailers")

    def _line(self, so_far: re.Pattern[bytes]) -> bytes:
        """Read a line that looks like this at each of its bytes."""
        line = b""
        while not line.endswith(b"\n"):
            buffered = self._stream.peek(1)
            if not buffered:
                raise OSError("the body is cut off between chunks")
            line += self._stream.read(buffered.find(b"\n") + 1 or len(buffered))
            if len(line) > MAX_LINE_BYTES or not so_far.fullmatch(line):
                raise BadChunks("a line between chunks is not valid")
        return line
