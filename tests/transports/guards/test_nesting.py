"""JSON's shape, beside that of the value which it is parsed to."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from app.transports.guards.nesting import MAX_CONTAINERS, MAX_DEPTH, is_bounded

TEXTS = ["", "[", "]]", '"', '"[', "\\", '\\"{', "\\\\", "é\u2028[", "a" * 50, "{}"]


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def wide(containers: int) -> bytes:
    return b"[" + b",".join([b"{}"] * (containers - 1)) + b"]"


@pytest.mark.parametrize(
    "data,is_it",
    [
        (b"", True),
        (b"{}", True),
        (deep(MAX_DEPTH), True),
        (deep(MAX_DEPTH + 1), False),
        (b"[" + b",".join([deep(MAX_DEPTH - 1)] * 50) + b"]", True),
        (b"[" + b",".join([deep(MAX_DEPTH)] * 50) + b"]", False),
        (wide(MAX_CONTAINERS), True),
        (wide(MAX_CONTAINERS + 1), False),
        (b'{"a":"' + b"[" * 100_000 + b'"}', True),
        (b'{"a":"' + rb"\"[" * 100_000 + b'"}', True),
        (b'{"a":"' + rb"\\" * 100_000 + b'","b":' + deep(MAX_DEPTH) + b"}", False),
        (b"[" + b",".join([b"1"] * 400_000) + b"]", True),
        (b"[" + b",".join([b"1"] * 600_000) + b"]", False),
        (b'{"a":"' + b"A" * 3_000_000 + b'"}', True),
        (b'{"a":"' + rb"\/" * 3_000_000 + b'"}', True),
        (b'{"a":"' + rb"\"" * 3_000_000 + b'"}', True),
        (b'{"a":"' + b"A" * 3_000_000 + b'","b":' + deep(MAX_DEPTH) + b"}", False),
        (b'{"a":"' + b"A" * 3_000_000 + b'","b":' + deep(MAX_DEPTH - 1) + b"}", True),
        (b"[" * 101 + b"]" * 3_000_000, False),
        (b"[" + b'"",' * 600_000 + b'""]', False),
    ],
)
def test_the_bounds(data, is_it):
    assert is_bounded(data) is is_it
    assert is_bounded(data.decode()) is is_it


def value(chance: random.Random, depth: int) -> Any:
    """Return a value nested about that deep."""
    if depth <= 0:
        return chance.choice([1, None, True, chance.choice(TEXTS)])
    items = [chance.choice(TEXTS) for _ in range(chance.randrange(3))]
    items.append(value(chance, depth - 1))
    if chance.random() < 0.5:
        return items
    return {f"{number}{chance.choice(TEXTS)}": item for number, item in enumerate(items)}


def depth_of(found: Any) -> int:
    inner = found.values() if isinstance(found, dict) else found
    if not isinstance(found, (dict, list)):
        return 0
    return 1 + max(map(depth_of, inner), default=0)


@pytest.mark.parametrize("seed", range(200))
def test_the_depth_is_that_of_the_value(seed):
    chance = random.Random(seed)
    made = [value(chance, chance.randrange(MAX_DEPTH - 8, MAX_DEPTH + 8)) for _ in range(2)]
    assert is_bounded(orjson.dumps(made)) == (depth_of(made) <= MAX_DEPTH)
