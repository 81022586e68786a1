"""What a request asks of the stand-in upstream, and the pieces that it answers with.

A request's last message says `bench pieces=200 rate=20 size=24`. A piece is `~` and its number, in
five hexadecimal digits; where the size allows, `.` and the time it was sent, CLOCK_MONOTONIC in
nanoseconds (one clock for all processes of a machine), in fourteen; then filler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBERED_BYTES = 6
STAMPED_BYTES = 21
MARK = re.compile(rb"~([0-9a-f]{5})(?:\.([0-9a-f]{14}))?")
ASKED = re.compile(rb"bench pieces=(\d+) rate=([0-9.]+) size=(\d+)( together)?")


@dataclass(frozen=True, slots=True)
class Ask:
    """How many pieces, how many of them a second (0: as fast as they are taken), bytes each.

    Streams that are `together` tick at the same moments; others each at its own.
    """

    pieces: int
    rate: float = 0
    size: int = 24
    together: bool = False

    def to_text(self) -> str:
        """Return the message that asks for it."""
        together = " together" if self.together else ""
        return f"bench pieces={self.pieces} rate={self.rate:g} size={self.size}{together}"


def find_ask(body: bytes) -> Ask:
    """Return what the last message of a request's body asks for. Raises ValueError."""
    at = body.rfind(b"bench pieces=")
    found = ASKED.match(body, at) if at >= 0 else None
    if found is None:
        raise ValueError("no message asks for anything")
    return Ask(int(found[1]), float(found[2]), int(found[3]), bool(found[4]))


def piece(number: int, size: int, now_ns: int) -> bytes:
    """Return the text of one piece; numbers start at 0."""
    if size < STAMPED_BYTES:
        return (b"~%05x" % number).ljust(size, b" ")
    return (b"~%05x.%014x" % (number, now_ns)).ljust(size, b" ")


class PieceCounter:
    """Finds the pieces of one reply in its frames, each once.

    A frame may repeat what was there before (`partial`, `full_response`), so only the number that
    is due counts. A number beyond it is a gap, and the reply is not complete.
    """

    def __init__(self) -> None:
        self.count = 0
        self.gap = False

    def feed(self, frames: bytes) -> list[int]:
        """Return the time stamps (0 where there is none) of the pieces that are new."""
        stamps = []
        for number, stamp in MARK.findall(frames):
            found = int(number, 16)
            if found == self.count:
                self.count += 1
                stamps.append(int(stamp, 16) if stamp else 0)
            elif found > self.count:
                self.gap = True
        return stamps
