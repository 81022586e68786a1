"""Frames that a client sends over a websocket, each with what it must be answered.

They are for a server that echoes messages of Engine.IO: text that begins with 4, and bytes. Behind
what ends the connection nothing is ever answered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
MAX_BYTES = 1_000_000
MAX_FRAGMENTS = 10_000
NO_CODE = 1005  # of a Close without one


def masked(data: bytes, mask: bytes = MASK) -> bytes:
    """Data as a client sends it."""
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    is_masked: bool = True,
    width: int = 0,
    size: int | None = None,
) -> bytes:
    """A client's frame; its length is `size` if that is given, in `width` bytes."""
    size = len(data) if size is None else size
    width = width or (1 if size < 126 else 2 if size < 65536 else 8)
    first, mask = (fin << 7) | (rsv << 4) | opcode, is_masked << 7
    if width == 1:
        head = bytes((first, mask | size))
    elif width == 2:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (MASK + masked(data) if is_masked else data)


def close(code: int, reason: bytes = b"") -> bytes:
    """A client's Close."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    name: str
    data: bytes
    section: str
    close: int | None = None  # the code that it is answered with; None: it goes on
    messages: tuple[str | bytes, ...] = ()
    pongs: tuple[bytes, ...] = ()


def _reserved() -> Iterator[Case]:
    for rsv in range(1, 8):
        yield Case(f"reserved bits {rsv:03b}", frame(TEXT, b"4x", rsv=rsv), "5.2", 1002)
    for name, opcode in {"bytes": BINARY, "a ping": PING, "a pong": PONG, "a Close": CLOSE}.items():
        yield Case(f"a reserved bit of {name}", frame(opcode, rsv=4), "5.2", 1002)
    later = frame(TEXT, b"4x", fin=False) + frame(CONT, b"y", rsv=4)
    yield Case("a reserved bit of a fragment", later, "5.2", 1002)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Case(f"opcode {opcode}", frame(opcode, b"4x"), "5.2", 1002)
        yield Case(
            f"opcode {opcode} behind a message",
            frame(TEXT, b"4x") + frame(opcode),
            ("5.2"),
            1002,
            messages=("4x",),
        )
    yield Case("opcode 3, not final", frame(3, fin=False), "5.2", 1002)
    yield Case("opcode 11, not final", frame(11, fin=False), "5.2", 1002)


def _masks() -> Iterator[Case]:
    for name, opcode in {"text": TEXT, "bytes": BINARY, "a ping": PING, "a pong": PONG}.items():
        yield Case(f"{name}, unmasked", frame(opcode, b"4x", is_masked=False), "5.1", 1002)
    yield Case("nothing, unmasked", frame(TEXT, is_masked=False), "5.1", 1002)
    unmasked = frame(CLOSE, b"\x03\xe8", is_masked=False)
    yield Case("a Close, unmasked", unmasked, "5.1", 1002)
    later = frame(TEXT, b"4x", fin=False) + frame(CONT, b"y", is_masked=False)
    yield Case("a fragment, unmasked", later, "5.1", 1002)
    zero = bytes((0x81, 0x82)) + bytes(4) + b"4x"
    yield Case("a mask of zeros", zero, "5.3", messages=("4x",))


def _lengths() -> Iterator[Case]:
    for size in (0, 1, 125):
        data = frame(BINARY, b"x" * size, width=2)
        yield Case(f"{size} bytes by a length of 16 bits", data, "5.2", 1002)
    for size in (0, 125, 126, 65535):
        data = frame(BINARY, b"x" * size, width=8)
        yield Case(f"{size} bytes by a length of 64 bits", data, "5.2", 1002)
    for size in (1 << 63, (1 << 63) + 5, (1 << 64) - 1):
        yield Case(f"a length of {size:#x}", frame(BINARY, width=8, size=size), "5.2", 1002)
    for size in (1, 125, 126, 127, 65535, 65536, 65537):
        data = b"\x00\xff" * (size // 2) + b"x" * (size % 2)
        yield Case(f"{size} bytes", frame(BINARY, data), "5.2", messages=(data,))
        text = "4" + "x" * (size - 1)
        yield Case(f"text of {size} bytes", frame(TEXT, text.encode()), "5.2", messages=(text,))
    yield Case("no bytes", frame(BINARY), "5.2", messages=(b"",))


def _controls() -> Iterator[Case]:
    for name, opcode in {"ping": PING, "pong": PONG, "Close": CLOSE}.items():
        yield Case(f"a {name} of 126 bytes", frame(opcode, b"\x03\xe8" + b"x" * 124), "5.5", 1002)
        announced = frame(opcode, width=2, size=126)
        yield Case(f"a {name} that says 126 bytes", announced, "5.5", 1002)
        announced = frame(opcode, width=8, size=70_000)
        yield Case(f"a {name} that says 70000 bytes", announced, "5.5", 1002)
        yield Case(f"a {name} that is not final", frame(opcode, fin=False), "5.5", 1002)
        within = frame(TEXT, b"4x", fin=False) + frame(opcode, fin=False)
        yield Case(f"a {name} that is not final, in a message", within, "5.5", 1002)
        wide = frame(opcode, b"\x03\xe8", width=2)
        yield Case(f"a {name} by a length of 16 bits", wide, "5.5", 1002)
    for data in (b"", b"x", b"hello", bytes(range(125)), b"\xff" * 125):
        yield Case(
            f"a ping of {len(data)} bytes, {data[:1]!r}",
            frame(PING, data),
            ("5.5.2"),
            pongs=(data,),
        )
    many = tuple(b"%d" % number for number in range(20))
    yield Case("many pings", b"".join(frame(PING, data) for data in many), "5.5.2", pongs=many)
    for data in (b"", b"hello", b"\xfe" * 125):
        yield Case(f"a pong of {len(data)} bytes", frame(PONG, data), "5.5.3")
    yield Case("many pongs", frame(PONG, b"x") * 100, "5.5.3")
    both = frame(PONG, b"a") + frame(PING, b"b") + frame(PONG, b"b")
    yield Case("pongs about a ping", both, "5.5.3", pongs=(b"b",))


def _closes() -> Iterator[Case]:
    yield Case("a Close of nothing", frame(CLOSE), "5.5.1", NO_CODE)
    yield Case("a Close of one byte", frame(CLOSE, b"\x03"), "5.5.1", 1002)
    for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999):
        yield Case(f"Close {code}", close(code), "7.4", code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535):
        yield Case(f"Close {code}, which is none", close(code), "7.4", 1002)
    yield Case("a reason", close(1000, "gr\u00fc\u00dfe \U0001f600".encode()), "7.1.6", 1000)
    yield Case("a reason of 123 bytes", close(1000, b"x" * 123), "7.1.6", 1000)
    for reason in BAD_UTF8:
        yield Case(f"a reason of {reason!r}", close(1000, reason), "8.1", 1007)
    for name, behind in {
        "a ping": frame(PING, b"x"),
        "a message": frame(TEXT, b"4x"),
        "another Close": close(1001),
        "what is no frame": b"\xff" * 50,
        "a request": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }.items():
        yield Case(f"{name} behind a Close", close(1000) + behind, "1.4", 1000)
    inside = frame(TEXT, b"4x", fin=False) + close(1000)
    yield Case("a Close between fragments", inside, "5.4", 1000)
    after = frame(TEXT, b"4x") + close(1001)
    yield Case("a Close behind a message", after, "5.5.1", 1001, messages=("4x",))


BAD_UTF8 = (
    *(b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xc3", b"\xc3(", b"\xe0\x80\xaf", b"\xe2\x82"),
    *(b"\xe2(\xa1", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf0\x9f\x98"),
    *(b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80"),
    *(
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"x\xffx",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed",
    ),
)
GOOD_UTF8 = (
    *("\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff"),
    *("\U00010000", "\U0010fffd", "\U0010ffff", "\u03ba\u1f79\u03c3\u03bc\u03b5", "e\u0301"),
    *("\u2028\u2029\u0085", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufeff"),
)


def _texts() -> Iterator[Case]:
    for text in GOOD_UTF8:
        data = f"4{text}"
        yield Case(f"text {text!a}", frame(TEXT, data.encode()), "8.1", messages=(data,))
    for bad in BAD_UTF8:
        yield Case(f"text {bad!r}", frame(TEXT, b"4" + bad), "8.1", 1007)
        yield Case(f"bytes {bad!r}", frame(BINARY, bad), "5.6", messages=(bad,))
    whole = "4\u00e9\u20ac\U0001f600"
    yield Case("text, a byte a fragment", fragments(whole.encode(), 1), "8.1", messages=(whole,))
    split = fragments("4\U0001f600".encode(), 3)
    yield Case("a character over fragments", split, "8.1", messages=("4\U0001f600",))
    early = frame(TEXT, b"4\xff", fin=False)
    yield Case("bad text in a fragment that is not the last", early, "8.1", 1007)
    later = frame(TEXT, b"4\xc3", fin=False) + frame(CONT, b"(", fin=False)
    yield Case("bad text over fragments", later, "8.1", 1007)
    cut = frame(TEXT, b"4\xf0\x9f", fin=False) + frame(CONT, b"\x98")
    yield Case("a character without its end", cut, "8.1", 1007)
    ended = frame(TEXT, b"4\xf0\x9f", fin=False) + frame(CONT)
    yield Case("a character without its end, and an empty fragment", ended, "8.1", 1007)


def fragments(data: bytes, size: int, opcode: int = TEXT) -> bytes:
    """A message in fragments of that size."""
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    last = len(parts) - 1
    return b"".join(
        frame(opcode if number == 0 else CONT, part, fin=number == last)
        for number, part in enumerate(parts)
    )


def _fragments() -> Iterator[Case]:
    open_text, end = frame(TEXT, b"4x", fin=False), frame(CONT, b"y")
    yield Case("two fragments", open_text + end, "5.4", messages=("4xy",))
    yield Case(
        "bytes in fragments",
        fragments(b"\xff\xfe\xfd", 1, BINARY),
        ("5.4"),
        messages=(b"\xff\xfe\xfd",),
    )
    empties = frame(TEXT, fin=False) + frame(CONT, fin=False) * 3 + frame(CONT, b"4x")
    yield Case("empty fragments", empties, "5.4", messages=("4x",))
    nothing = frame(BINARY, fin=False) + frame(CONT)
    yield Case("fragments of nothing", nothing, "5.4", messages=(b"",))
    pinged = open_text + frame(PING, b"a") + frame(PONG) + frame(CONT, b"z", fin=False) + end
    yield Case("controls between fragments", pinged, "5.4", messages=("4xzy",), pongs=(b"a",))
    yield Case("a fragment of nothing that began", frame(CONT, b"4x"), "5.4", 1002)
    yield Case("the same, not final", frame(CONT, b"4x", fin=False), "5.4", 1002)
    again = open_text + end + frame(CONT, b"z")
    yield Case("a fragment behind the last", again, "5.4", 1002, messages=("4xy",))
    whole = frame(TEXT, b"4x") + frame(CONT, b"y")
    yield Case("a fragment behind a message", whole, "5.4", 1002, messages=("4x",))
    for name, opcode in {"text": TEXT, "bytes": BINARY}.items():
        yield Case(f"{name} between fragments", open_text + frame(opcode, b"4y"), "5.4", 1002)
        begun = open_text + frame(opcode, b"4y", fin=False)
        yield Case(f"{name} in fragments between fragments", begun, "5.4", 1002)
    several = b"".join(frame(TEXT, b"4%d" % number) for number in range(30))
    texts = tuple(f"4{number}" for number in range(30))
    yield Case("many messages", several, "5.4", messages=texts)


def _sizes() -> Iterator[Case]:
    at, most = "7.4.1", b"\xfe" * MAX_BYTES
    yield Case("the largest message", frame(BINARY, most), at, messages=(most,))
    yield Case("one byte more", frame(BINARY, most + b"x"), at, 1009)
    hundred = fragments(most, 100, BINARY)
    yield Case("the largest message in the most fragments", hundred, at, messages=(most,))
    pinged = frame(BINARY, most, fin=False) + frame(PING, b"p" * 125) + frame(CONT)
    yield Case("a ping in the largest message", pinged, at, messages=(most,), pongs=(b"p" * 125,))
    over = frame(BINARY, most, fin=False) + frame(CONT, b"x")
    yield Case("one byte more, over fragments", over, at, 1009)
    over = fragments(most + b"x" * 100, 60_000, BINARY)
    yield Case("too much over fragments", over, at, 1009)
    for size in (MAX_BYTES + 1, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1):
        said = frame(BINARY, width=8, size=size)
        yield Case(f"{size} bytes that are only announced", said, at, 1009)
    later = frame(BINARY, most, fin=False) + frame(CONT, size=1)
    yield Case("one byte more that is only announced", later, at, 1009)
    empty = frame(BINARY, fin=False) + frame(CONT, fin=False) * (MAX_FRAGMENTS - 2)
    yield Case("the most fragments", empty + frame(CONT, b"x"), at, messages=(b"x",))
    yield Case("one fragment more", empty + frame(CONT, fin=False) + frame(CONT), at, 1009)
    yield Case("fragments without an end", empty + frame(CONT, fin=False) * 50_000, at, 1009)
    large = frame(TEXT, b"4", fin=False) + frame(CONT, b"x" * 60_000, fin=False) * 25
    yield Case("large fragments without an end", large, at, 1009)


CASES = [
    *_reserved(),
    *_masks(),
    *_lengths(),
    *_controls(),
    *_closes(),
    *_texts(),
    *_fragments(),
    *_sizes(),
]
