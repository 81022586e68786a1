"""What servers put where a text is expected: a text, a list of typed parts, an object.

Seen at Mistral (`thinking` parts), Databricks and Bedrock's gateways (`reasoning` parts, objects
with `text` or `signature`), OpenRouter (`reasoning_details`). What has no text is read over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 8
_THOUGHTS = ("thinking", "reasoning", "thought", "summary")  # what types of thoughts begin with
_NOT_SAID = ("tool", "function", "image", "input_")  # what types of no text begin with
_TEXTS = ("text", "content", "summary", "refusal", "value", "thinking", "reasoning")


def text_in(value: Any) -> str:
    """Return all text in the value, joined; nothing for what has none."""
    return value if isinstance(value, str) else "".join(_texts(value, MAX_DEPTH))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list):
        for one in value:
            yield from _texts(one, depth - 1)
    elif depth and isinstance(value, dict) and not str(value.get("type")).startswith(_NOT_SAID):
        # One of them: where there are several they say the same.
        name = next((name for name in _TEXTS if value.get(name)), "")
        yield from _texts(value.get(name), depth - 1)


def split_parts(value: Any) -> tuple[str, str]:
    """Return the text and the thoughts that a message's content holds."""
    if not isinstance(value, list):
        return ("", text_in(value)) if _is_thought(value) else (text_in(value), "")
    text = "".join(text_in(part) for part in value if not _is_thought(part))
    return text, "".join(text_in(part) for part in value if _is_thought(part))


def _is_thought(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    return part.get("thought") is True or str(part.get("type")).startswith(_THOUGHTS)
