"""Names of servers' tools, as all providers take them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

MAX_LENGTH = 64
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def names_of(tools: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], str]:
    """Return `<server>_<tool>` for each tool of each server, by server and the server's own name.

    A name that would be too long, or another's, ends in a sum of what it stands for instead, so
    that it stays the same whatever else there is. A tool that is there twice is there once.
    """
    found: dict[tuple[str, str], str] = {}
    plain = {
        (server, tool): _OTHER.sub("_", f"{server}_{tool}")
        for server, own in tools.items()
        for tool in own
    }
    exact = {key: name for key, name in plain.items() if name == "_".join(key)}
    used: set[str] = set()
    for key, name in [*exact.items(), *plain.items()]:  # who needs no change goes first
        if key in found:
            continue
        if len(name) > MAX_LENGTH or name in used:
            name = _with_sum(name, key)
        if name not in used:  # else two sums are one: the tool is left out
            found[key] = name
            used.add(name)
    return found


def _with_sum(name: str, key: tuple[str, str]) -> str:
    end = hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: MAX_LENGTH - 9]}_{end}"
