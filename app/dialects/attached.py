"""Pictures and files: as others' clients send them, and as those of models are shown. What is sent
as base64 stays text here, and what is named by an address stays one. The forms are those of
core/attachments.py; besides, `field` says where in the request a part is, for whoever finds its
bytes wrong.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.attachments import FILE, IMAGE, NAMED
from app.core.errors import InvalidRequest, UnsupportedParameter
from app.core.messages import Content, Part, text_of, text_parts
from app.dialects.calls import text_of as name_of
from app.dialects.client_held import unsupported

PATH = "/api/attachments/"
OURS = re.compile(r"(?:https?://[^/?#\s]+)?/api/attachments/([A-Za-z0-9_-]{1,64})\Z")
ADDRESS = re.compile(
    r"https://[^/?#\s\x00-\x20\x7f\ud800-\udfff][^\s\x00-\x20\x7f\ud800-\udfff]*\Z"
)
NO_BASE64 = re.compile(r"[A-Za-z]{1,16}:|/api/")
MAX_ADDRESS = 4096  # characters; signed addresses of the large stores have less than half
FIGURES = ("attachment_id", "name", "media_type", "bytes", "width", "height")
DETAILS = ("auto", "low", "high", "original")
BY_USER = "only a user's message has pictures and files here"
IN_RESULT = "a result of a tool is text here"
NO_PLACE = "this server takes text, pictures and files"
NO_SOUND = "this server takes no sound"
NO_ID = "this server has no such files: send the bytes, or the URL of an attachment"
NO_FETCH = "this server fetches no files: send the bytes"


def text_part(part: Mapping[str, Any], field: str, name: str = "text") -> Part:
    """Return the part that a text is, which goes by that name. Raises InvalidRequest."""
    if not isinstance(part.get(name), str):
        raise InvalidRequest({f"{field}.{name}": "must be a text"})
    return {"type": "text", "text": part[name]}


def by_url(said: Any, field: str, kind: str = IMAGE, **more: str) -> dict[str, Any]:
    """Return the part that a URL is: an attachment of ours, bytes (`data:`) that have `more`
    besides, or, of an image alone, an address. Raises InvalidRequest, UnsupportedParameter."""
    if not isinstance(said, str):
        raise InvalidRequest({field: "must be a URL"})
    if ours := OURS.match(said):
        return {"type": NAMED, "attachment_id": ours[1], "field": field}
    scheme, _, rest = said.partition(":")
    said = f"{scheme.lower()}:{rest}" if len(scheme) < 6 else said
    if said.startswith("data:"):
        return by_data(said, field, kind, **more)
    if kind != IMAGE and said.startswith("https:"):
        raise unsupported(field, NO_FETCH)
    if len(said) > MAX_ADDRESS or not ADDRESS.match(said):
        others = f", or an https: URL of at most {MAX_ADDRESS} characters" if kind == IMAGE else ""
        raise InvalidRequest({field: f"must be a data: URL, {PATH}<id>{others}"})
    return {"type": IMAGE, "url": said}


def by_data(said: Any, field: str, kind: str = IMAGE, **more: str) -> dict[str, Any]:
    """Return the part that base64, or a `data:` URL of it, is. Raises InvalidRequest."""
    if not isinstance(said, str) or not said:
        raise InvalidRequest({field: "must be base64, or a data: URL of it"})
    return {"type": kind, "data": said, **more, "field": field}


def by_file_data(said: Any, field: str, **more: str) -> dict[str, Any]:
    """Return the part that a file is by what OpenAI calls `file_data`: base64, or any URL of a file
    that is one here. Raises InvalidRequest, UnsupportedParameter."""
    is_url = isinstance(said, str) and NO_BASE64.match(said)
    return (by_url if is_url else by_data)(said, field, FILE, **more)


def by_text(said: Any, field: str, **more: str) -> dict[str, Any]:
    """Return the part that a file of plain text is. Raises InvalidRequest."""
    if not isinstance(said, str) or not said:
        raise InvalidRequest({field: "must be a text"})
    raw = base64.b64encode(said.encode("utf-8", "replace"))
    return by_data(f"data:text/plain;base64,{raw.decode()}", field, FILE, **more)


def named(said: Any, field: str) -> dict[str, str]:
    """Return what a part has of a file's name. Raises InvalidRequest."""
    return {"name": name_of(said, field)} if said else {}


def detailed(said: Any, field: str) -> dict[str, str]:
    """Return what a part has of how closely a picture is to be looked at. Raises InvalidRequest."""
    if said is not None and said not in DETAILS:
        raise InvalidRequest({field: f"must be one of {', '.join(DETAILS)}"})
    return {"detail": said} if said and said != DETAILS[0] else {}


def url_of(made: Part) -> str:
    """Return where what a model made can be read."""
    return f"{PATH}{made['attachment_id']}"


def figures_of(made: Part) -> dict[str, Any]:
    """Return what a client is told of what a model made."""
    return {name: made[name] for name in FIGURES if name in made}


def no_place(role: str, field: str) -> UnsupportedParameter:
    """Return the error of a part that is no text, in a message of anybody but the user."""
    return unsupported(field, IN_RESULT if role == "tool" else BY_USER)


def content_of(parts: Sequence[Part]) -> Content:
    """Return what a message has of these parts: texts by themselves are one, and empty ones beside
    others are none."""
    if all(part["type"] == "text" for part in parts):
        return text_parts(text_of(parts))
    return tuple(part for part in parts if part["type"] != "text" or part["text"])
