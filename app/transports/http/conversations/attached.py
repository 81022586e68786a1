"""Pictures and files in the file of a conversation: their bytes in JSON, links in Markdown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import quote

from typing_extensions import NotRequired, TypedDict

from app.attachments.service import AttachmentService
from app.core.errors import NotFound
from app.core.messages import Message, Part
from app.dialects.frames import json_line

MOST_BYTES = 32_000_000  # of all attachments together: more are links


class ExportedFile(TypedDict):
    """A file that messages name: with its bytes in base64, or with where they are."""

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    data: NotRequired[str]
    url: NotRequired[str]


def url_of(attachment_id: str) -> str:
    """Return where the bytes are."""
    return f"/api/attachments/{quote(attachment_id, safe='')}"


def files_of(messages: Iterable[Message]) -> list[ExportedFile]:
    """Return the files that the messages name, each once, without bytes."""
    found: dict[str, ExportedFile] = {}
    for part in (part for message in messages for part in message.content):
        if attachment_id := part.get("attachment_id"):
            found[attachment_id] = {
                "id": attachment_id,
                "name": part["name"],
                "media_type": part["media_type"],
                "bytes": part["bytes"],
                "sha256": part["sha256"],
            }
    return list(found.values())


def how(files: Iterable[ExportedFile]) -> Literal["data", "links"]:
    """Return how they are in the file."""
    return "data" if sum(one["bytes"] for one in files) <= MOST_BYTES else "links"


def with_files(
    head: object, files: list[ExportedFile], attachments: AttachmentService, owner: str
) -> Iterator[bytes]:
    """Yield the JSON object `head` with one more field, `attachments`; a file's bytes are never in
    memory all at once. One that is gone has neither bytes nor a link."""
    yield json_line(head).rstrip()[:-1] + b',"attachments":['
    as_data = how(files) == "data"
    for index, file in enumerate(files):
        yield b"," if index else b""
        if not as_data:
            yield json_line({**file, "url": url_of(file["id"])}).rstrip()
            continue
        try:
            pieces = attachments.bytes_of(attachments.find(owner, file["id"]))
        except NotFound:
            yield json_line(file).rstrip()
            continue
        yield json_line(file).rstrip()[:-1] + b',"data":"'
        yield from _encoded(pieces)
        yield b'"}'
    yield b"]}\n"


def _encoded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        whole = left + piece
        end = len(whole) - len(whole) % 3
        yield base64.b64encode(whole[:end])
        left = whole[end:]
    yield base64.b64encode(left)


def as_links(content: Iterable[Part]) -> list[str]:
    """Return the Markdown of what is a picture or a file."""
    links = []
    for part in content:
        if part["type"] in {"image", "file"}:
            name = re.sub(r"([\\\[\]<>`*_!])", r"\\\1", " ".join(part.get("name", "").split()))
            mark = "!" if part["type"] == "image" else ""
            where = url_of(part["attachment_id"]) if "attachment_id" in part else part["url"]
            links.append(f"{mark}[{name}]({re.sub(r'[()<> ]', _percent, where)})")
    return links


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
