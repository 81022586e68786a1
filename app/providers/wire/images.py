"""Images on their way: those that models make, whichever shape a server gives them; and those of
replies, for wires on which only a user may show any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.core.messages import Part, ProviderMessage, text_parts

IMAGE, IMAGE_URL, FILE = "image", "image_url", "file"  # what a provider's `parameters` say of parts
SHOWN = frozenset({IMAGE, FILE})
_DATA_URL = re.compile(r"data:(image/[\w.+-]+)(?:;[\w=-]+)*;base64,", re.I)
_ADDRESS = re.compile(r"https?://[^\s()<>\"]+")


def data_url(part: Part) -> str:
    """Return the address of an image, or of a file whose bytes are in it."""
    return part["url"] if "url" in part else f"data:{part['media_type']};base64,{part['data']}"


def has_shown(content: Iterable[Part]) -> bool:
    """Whether there are images or files among the parts."""
    return any(part["type"] in SHOWN for part in content)


def needed(messages: Iterable[ProviderMessage]) -> frozenset[str]:
    """Return what of `parameters` a provider needs for the parts of these messages."""
    shown = (part for one in messages for part in one.content if part["type"] in SHOWN)
    return frozenset(IMAGE_URL if "url" in part else part["type"] for part in shown)


def shown_by_users(turns: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Return the turns with images of a reply in the user's next one, and a word in their place."""
    found: list[ProviderMessage] = []
    waiting: list[Part] = []
    for turn in turns:
        if turn.role == "assistant" and has_shown(turn.content):
            waiting += [part for part in turn.content if part["type"] in SHOWN]
            turn = ProviderMessage(turn.role, tuple(_words(turn.content)))
        elif turn.role == "user" and waiting:
            turn = ProviderMessage(turn.role, (*waiting, *turn.content))
            waiting = []
        found.append(turn)
    return found


def _words(content: Sequence[Part]) -> Iterator[Part]:
    for index, part in enumerate(content):
        if part["type"] not in SHOWN:
            yield part
            continue
        before = "\n\n" if index and content[index - 1]["type"] == "text" else ""
        after = "\n\n" if index + 1 < len(content) and content[index + 1]["type"] == "text" else ""
        named = part.get("name") or part.get("url") or "made by you"
        yield from text_parts(f"{before}[image: {named}]{after}")


def images_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the images among parts of a message, each as its media type and base64; of one that is
    elsewhere the type is empty, and its address stands in the place of its bytes."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and (found := _image(one)) is not None:
            yield found


def _image(part: dict[str, Any]) -> tuple[str, str] | None:
    named = part.get("image_url")
    url = named.get("url") if isinstance(named, dict) else named
    if isinstance(url, str):
        if found := _DATA_URL.match(url):
            return found[1].lower(), url[found.end() :]
        return ("", url) if _ADDRESS.fullmatch(url) else None
    source = part.get("source")
    source = source if isinstance(source, dict) else part
    data, media_type = source.get("data"), source.get("media_type") or source.get("mime_type")
    if isinstance(data, str) and data and str(media_type).startswith("image/"):
        return str(media_type), data
    data = part.get("b64_json")
    return ("image/png", data) if isinstance(data, str) and data else None
