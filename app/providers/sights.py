"""Whether a model takes pictures, as far as that is known: its server's list says so, or its name.

Sources: OpenRouter's API reference, "List models" (`architecture.input_modalities`); Mistral's,
"List models" (`capabilities.vision`); the vendors' pages of their models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NONE = re.compile(
    r"gpt-3\.5|gpt-4(?:-0314|-0613|-32k)?\Z|o1-mini|o1-preview|o3-mini|text-|davinci|babbage"
    r"|claude-(?:2|instant)|gemma-?2|deepseek-(?:chat|reasoner|r1|v3)|whisper|tts-"
)
_SOME = re.compile(
    r"gpt-4o|gpt-4\.[15]|gpt-4-turbo|gpt-5|chatgpt-4o|o1(?:\Z|-2|-pro)|o3(?:\Z|-2|-pro)|o4-"
    r"|claude-(?:3|4|opus|sonnet|haiku)|gemini-|pixtral|llava|llama3\.2-vision|qwen2?\.?5?-?vl"
)


def by_name(model: str) -> bool | None:
    """Return what is known of a model by its name, with or without a vendor's before a slash."""
    name = model.rpartition("/")[2].lower()
    if _NONE.match(name):
        return False
    return True if _SOME.match(name) else None


def sights_in(listed: Any) -> dict[str, bool]:
    """Return what a list says of its models, by their ids."""
    entries = listed.get("data") if isinstance(listed, dict) else None
    found: dict[str, bool] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            sees = _said_of(entry)
            if sees is not None:
                found[entry["id"]] = sees
    return found


def _said_of(entry: Mapping[str, Any]) -> bool | None:
    match entry:
        case {"architecture": {"input_modalities": list(kinds)}}:
            return "image" in kinds
        case {"capabilities": {"vision": bool(sees)}}:
            return sees
    return None
