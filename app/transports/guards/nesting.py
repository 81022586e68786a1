"""JSON's shape, looked at before it is parsed: a megabyte of brackets takes a tenth of a second."""

from __future__ import annotations

from itertools import accumulate

MAX_DEPTH = 100
MAX_CONTAINERS = 10_000  # lists and objects; what is large and sound has fewer
MAX_OUTSIDE = 1_000_000  # bytes that are in no string: what is large and sound is long strings
MAX_QUOTES = 1_000_000
STEPS = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")  # one down, one up
OTHERS = bytes(set(range(256)) - set(b"[{]}"))


def is_bounded(data: bytes | str) -> bool:
    """Whether JSON is nested at most MAX_DEPTH deep, has at most MAX_CONTAINERS lists and objects,
    and is not large but for its strings; of what is no JSON it may say either."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    if len(raw) <= MAX_OUTSIDE and raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return True
    unescaped = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > MAX_QUOTES:
        return False
    outside = b"".join(unescaped.split(b'"')[::2])  # of strings
    if len(outside) > MAX_OUTSIDE:
        return False
    steps = outside.translate(STEPS, OTHERS)
    if steps.count(1) > MAX_CONTAINERS:
        return False
    return max(accumulate(memoryview(steps).cast("b")), default=0) <= MAX_DEPTH
