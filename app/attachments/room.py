"""The room that a model has for what is attached, and how a text is cut to it."""

from __future__ import annotations

from app.core.usage import BYTES_PER_TOKEN, estimate_tokens

MOST_DATA = 18_000_000  # base64, in one request: Gemini takes 20 MB of body
LEAST_TOKENS = 32  # of a text: less than that says nothing
MOST_TEXT = 8_000_000  # bytes, where there is no other bound


class Room:
    """What is left of it: tokens, and bytes of base64. The first to come has the first of it."""

    def __init__(self, tokens: int, taken: int, left_out: list[str] | None = None) -> None:
        """Of `tokens`, 0 for no bound, so many are taken. Names of files that find no room, or not
        all that they need, are added to `left_out`."""
        self.left_out = left_out if left_out is not None else []
        self.tokens = max(0, tokens - taken) if tokens else None
        self._data = MOST_DATA

    def take(self, tokens: int, data: int) -> bool:
        """Take so much; False, and nothing is taken, where there is not enough."""
        if data > self._data or (self.tokens is not None and tokens > self.tokens):
            return False
        self._data -= data
        if self.tokens is not None:
            self.tokens -= tokens
        return True


def cut_text(name: str, text: str, room: Room) -> str:
    """Return a file's text below its name, as much as there is room for, with a mark that says how
    much is left out; takes the room."""
    head = f"[file: {name}]\n"
    raw = text.encode("utf-8", "replace")
    most = MOST_TEXT
    if room.tokens is not None:
        tokens = room.tokens - estimate_tokens(head)
        most = tokens * BYTES_PER_TOKEN if tokens >= LEAST_TOKENS else 0
    said = text
    if len(raw) > most:
        kept = raw[:most].decode("utf-8", "ignore")
        room.left_out.append(name)
        missing = len(raw) - len(kept.encode())
        mark = f"[{missing} of {len(raw)} bytes are left out for want of room]"
        said = f"{kept}\n{mark}" if kept else mark
    tokens = estimate_tokens(head + said)
    room.take(tokens if room.tokens is None else min(tokens, room.tokens), 0)
    return head + said
