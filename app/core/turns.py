"""What a model is given, in the form that all wires have in common: roles that take turns, and each
call of a tool followed by its result. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from app.core.messages import (
    Content,
    Part,
    ProviderMessage,
    has_content,
    text_of,
    text_parts,
)


def taking_turns(messages: Iterable[ProviderMessage]) -> list[ProviderMessage]:
    """Return the messages with neighbours of one role joined, a blank line between their texts, and
    without those that are empty: many models' templates take no others.

    A reply that called tools is several: what was said and called, as `assistant`, and the results,
    as `tool`. A call that has no result gets one which says so: else the request is refused.
    """
    turns: list[ProviderMessage] = []
    said = (message for message in messages if has_content(message.content))
    for role, group in groupby(_steps(said), key=lambda message: message.role):
        neighbours = list(group)
        if len(neighbours) == 1:
            turns += neighbours
        elif role == "tool":
            turns.append(ProviderMessage(role, tuple(p for one in neighbours for p in one.content)))
        else:
            turns.append(ProviderMessage(role, _joined(neighbours)))
    return _answered(turns) if any(calls_in(turn.content) for turn in turns) else turns


def _steps(messages: Iterable[ProviderMessage]) -> Iterator[ProviderMessage]:
    for message in messages:
        if message.role != "assistant" or all(p["type"] != "tool_result" for p in message.content):
            yield message
            continue
        for is_result, group in groupby(message.content, key=lambda p: p["type"] == "tool_result"):
            content = tuple(group)
            if is_result or has_content(content):
                yield ProviderMessage("tool" if is_result else "assistant", content)


def _joined(messages: Sequence[ProviderMessage]) -> Content:
    parts: list[Part] = []
    for message in messages:
        if parts and parts[-1]["type"] not in {"tool_call", "opaque"}:
            parts += text_parts("\n\n")
        parts += message.content
    return _texts_joined(parts)


def _texts_joined(parts: Iterable[Part]) -> Content:
    """Return the parts with neighbouring texts made one."""
    found: list[Part] = []
    for is_text, group in groupby(parts, key=lambda part: part["type"] == "text"):
        found += text_parts(text_of(group)) if is_text else group
    return tuple(found)


def calls_in(content: Iterable[Part]) -> list[Part]:
    """Return the parts that are calls."""
    return [part for part in content if part["type"] == "tool_call"]


def _answered(turns: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Return the turns with a result for each call."""
    found: list[ProviderMessage] = []
    asked: list[Part] = []
    for turn in turns:
        results = _named(turn.content, asked) if turn.role == "tool" else ()
        missing = _missing(asked, results)
        if missing or results:
            found.append(ProviderMessage("tool", (*results, *missing)))
        if turn.role != "tool":
            found.append(turn)
        asked = calls_in(turn.content)
    if missing := _missing(asked, ()):
        found.append(ProviderMessage("tool", missing))
    return found


def _named(results: Content, calls: Iterable[Part]) -> Content:
    """Return the results with the names of their calls, which a client need not have said."""
    names = {call["call_id"]: call["name"] for call in calls}
    return tuple(
        part if part["name"] else {**part, "name": names.get(part["call_id"], "")}
        for part in results
    )


def _missing(calls: Iterable[Part], results: Iterable[Part]) -> Content:
    """Return a result for each call that none of the results is of."""
    known = {part["call_id"] for part in results}
    return tuple(
        {"type": "tool_result", "call_id": call["call_id"], "name": call["name"], "unknown": True}
        for call in calls
        if call["call_id"] not in known
    )
