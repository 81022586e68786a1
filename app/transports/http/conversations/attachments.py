"""Attachments over HTTP: uploads, which go to the shelf as they come, and what is on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

from flask import Response, g, request
from typing_extensions import NotRequired, TypedDict
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    File,
    MultipartDecoder,
    NeedData,
    Preamble,
)

from app.core.attachments import Attachment
from app.core.errors import InvalidRequest, TooLarge
from app.dialects.frames import timestamp
from app.transports.guards.body import pieces_of
from app.transports.openapi.operations import (
    Answer,
    Content,
    Parameter,
    Routes,
    operation,
)
from app.transports.services import services

FIELD = "file"  # of a form
MULTIPART = "multipart/form-data"
FORM_BYTES = 65_536  # what a form has besides the file
MAX_HEAD_BYTES = 8192  # of a form's part
_BOUNDARY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,69}\Z")
# As pictures alone: what a browser would run, or open in a viewer of its own, is for download.
INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
CSP = "default-src 'none'; sandbox"
FILE_NAME = Parameter(
    "X-File-Name",
    "The name of a file that is the body itself: UTF-8, percent-encoded.",
    {"type": "string", "pattern": "^[ -~]*$"},
    "header",
)
UPLOAD_KEY = Parameter(
    "Idempotency-Key",
    "Stands for the upload that came with it for 24 h: the same bytes with it are that one.",
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    "header",
)
FORM = {
    "type": "object",
    "properties": {FIELD: {"type": "string", "format": "binary"}},
    "required": [FIELD],
}
routes = Routes("attachments", __name__, "Pictures and files.", "/api/attachments")


class StoredAttachment(TypedDict):
    """A file that messages can name."""

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    width: NotRequired[int]
    height: NotRequired[int]
    pages: NotRequired[int]
    created_at: str


@routes.post("")
@operation(
    "Upload a file",
    Answer("The file, which goes after a day unless a message names it.", 201),
    errors=(409, 503),
    parameters=(FILE_NAME, UPLOAD_KEY),
    takes=(Content("application/octet-stream"), Content(MULTIPART, FORM)),
)
def upload() -> StoredAttachment:
    attachments = services().attachments
    most = attachments.max_bytes
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise InvalidRequest({"idempotency_key": "must be 1 to 255 printable ASCII characters"})
    if request.mimetype == MULTIPART:
        name, pieces = _form(pieces_of(request, most + FORM_BYTES))
    else:
        name, pieces = _name(request.headers.get("X-File-Name", "")), pieces_of(request, most)
    return _told(attachments.receive(g.principal.id, name, pieces, key))


@routes.get("/<attachment_id>")
@operation(
    "Read a file",
    Answer(
        "Its bytes; what is no picture as a download.",
        200,
        (Content("*/*"),),
        may_have={
            "ETag": "Of its bytes.",
            "Content-Disposition": "Names the file (RFC 6266).",
            "Content-Security-Policy": "Nothing in it is run.",
        },
    ),
    Answer("The bytes that the client has.", 304, ()),
)
def read(attachment_id: str) -> Response:
    attachments = services().attachments
    found = attachments.find(g.principal.id, attachment_id)
    headers = {
        "ETag": f'"{found.sha256}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(found),
        "Content-Security-Policy": CSP,
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if found.sha256 in request.if_none_match:
        return Response(status=304, headers=headers)
    body = () if request.method == "HEAD" else attachments.bytes_of(found)
    is_text = found.media_type == "text/plain"
    kind = "text/plain; charset=utf-8" if is_text else found.media_type
    response = Response(body, headers=headers, content_type=kind)
    response.content_length = found.size
    return response


@routes.delete("/<attachment_id>")
@operation("Delete a file that no message has", Answer("It is gone.", 204), errors=(409, 503))
def delete(attachment_id: str) -> None:
    services().attachments.remove(g.principal.id, attachment_id)


def _told(attachment: Attachment) -> StoredAttachment:
    told: StoredAttachment = {
        "id": attachment.id,
        **attachment.figures(),  # type: ignore[typeddict-item]
        "created_at": timestamp(attachment.created_at),
    }
    return told


def disposition(attachment: Attachment) -> str:
    """Return the Content-Disposition of the file (RFC 6266), by a name in plain ASCII too."""
    how = "inline" if attachment.media_type in INLINE else "attachment"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", attachment.name).strip("-.") or "file"
    return f"{how}; filename={plain}; filename*=UTF-8''{quote(attachment.name, safe='')}"


def _name(written: str) -> str:
    try:
        return unquote_to_bytes(written.encode("ascii")).decode()
    except ValueError:  # of what is no ASCII too
        raise InvalidRequest({"X-File-Name": "must be percent-encoded UTF-8"}) from None


def _form(pieces: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """Return the name and the bytes of the form's file, which is read as it comes. Raises
    InvalidRequest, TooLarge."""
    boundary = request.mimetype_params.get("boundary", "")
    if not _BOUNDARY.match(boundary):
        raise InvalidRequest({FIELD: "needs a form with a boundary"})
    decoder = MultipartDecoder(boundary.encode())
    events = _events(decoder, pieces)
    for event in events:
        if isinstance(event, File) and event.name == FIELD:
            return event.filename, _file(events)
        if isinstance(event, File) or not isinstance(event, Data):
            raise InvalidRequest({FIELD: "must be the form's one field, and a file"})
    raise InvalidRequest({FIELD: "is missing: the form must have a file in this field"})


def _file(events: Iterator[object]) -> Iterator[bytes]:
    for event in events:
        if not isinstance(event, Data):
            raise InvalidRequest({FIELD: "must be the form's only field"})
        yield event.data
        if not event.more_data:
            break
    for event in events:  # to the form's end, so that one that is cut off is no file
        if not isinstance(event, Epilogue):
            raise InvalidRequest({FIELD: "must be the form's only field"})


def _events(decoder: MultipartDecoder, pieces: Iterator[bytes]) -> Iterator[object]:
    """Yield what the form has, but for what is before it. Raises InvalidRequest, TooLarge."""
    broken = InvalidRequest({FIELD: "is in a form that is cut off, or malformed"})
    waiting = 0
    ended = False
    while not ended:
        piece = next(pieces, None)
        waiting = 0 if piece is None else waiting + len(piece)
        try:
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), NeedData):
                waiting = 0
                if not isinstance(event, Preamble):
                    yield event
                if isinstance(event, Epilogue):
                    ended = True
                    break
        except ValueError:
            raise broken from None
        if piece is None and not ended:
            raise broken
        if waiting > FORM_BYTES + MAX_HEAD_BYTES:
            raise TooLarge("The form's head is too long.", fields={FIELD: "has too long a head"})
