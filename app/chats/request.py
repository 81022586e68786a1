"""What a caller asks, whatever dialect it was said in; and who asks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.chats.placing import AT_LEAF, Place
from app.core.attachments import TYPES
from app.core.errors import InvalidRequest, TooLarge
from app.core.messages import Content, Part, ProviderMessage, is_blank, is_plain, text_of

MAX_ATTACHED = 100  # pictures and files of a request, the conversation that comes with it too
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
SESSION_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
# Not dots only: a session id is a path segment, and a client's URL library would resolve `..` away.
_SESSION_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._:-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `id` owns what it makes; `name` is what the wire shows."""

    id: str
    name: str
    is_admin: bool = False
    expires_at: float | None = None  # of the access token, seconds since the epoch


ANONYMOUS = Principal("anonymous", "anonymous")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One message to be answered. None means: as the settings say."""

    content: Content
    session_id: str | None = None
    provider: str | None = None
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    paced: bool = True
    fall_back_whole: bool = False  # a whole reply where streaming fails before its first piece
    dialect: str = "native"
    caller: str = ""  # whom limits count
    idempotency_key: str | None = None
    stop_when_unwatched: bool = False
    must_exist: bool = False  # the session: NotFound instead of a new one
    numbered: bool = False  # a new session is named by the owner's next number
    role: str = "user"  # of the message
    history: tuple[ProviderMessage, ...] = ()  # messages that come with it, and before it
    listed: bool = True  # a new session: whether it is shown, and kept like others
    place: Place = AT_LEAF
    parameters: Mapping[str, Any] = field(default_factory=dict)  # for a provider that takes them
    hints: Mapping[str, Any] = field(default_factory=dict)  # likewise; others do without
    names: Mapping[str, str] = field(default_factory=dict)  # how the client calls our fields
    server_tools: tuple[str, ...] = ()  # those that the server is to run
    # What its dialect wants to remember with the run, to tell of it later: JSON.
    options: Mapping[str, Any] | None = None
    waits: bool = False  # the client answers calls and questions later: its run waits for that

    @property
    def has_tools(self) -> bool:
        """Whether the run may go through several steps, or wait."""
        return bool(self.server_tools) or (self.waits and "tools" in self.parameters)

    def asked(self) -> dict[str, Any] | None:
        """Return what a run that waits needs to go on: JSON, for its record. None where it cannot
        wait."""
        if not (self.waits and self.has_tools):
            return None
        return {
            "system": self.system,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "parameters": dict(self.parameters),
            "hints": dict(self.hints),
            "server_tools": list(self.server_tools),
        }

    @classmethod
    def of_asked(cls, asked: Mapping[str, Any]) -> ChatRequest:
        """Return the request that goes on."""
        tools = tuple(asked["server_tools"])
        return cls((), **{**asked, "server_tools": tools}, waits=True)

    def fingerprint(self) -> str:
        """Return a hash of what was asked: the same for the same request, on every transport."""
        said = json.dumps(self._said(_digest), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def weight(self) -> int:
        """Return how many bytes of JSON there is of what was asked, besides the base64 of pictures
        and files."""
        said = [self._said(lambda data: ""), self.options and dict(self.options)]
        return len(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def _said(self, of_data: Callable[[str], str]) -> list[Any]:
        """Return what tells two requests apart, with this in the place of base64."""
        asked: list[Any] = [
            _asked(self.content, of_data),
            self.session_id,
            self.provider,
            self.model,
            self.system,
            self.temperature,
            self.max_tokens,
            [[message.role, _asked(message.content, of_data)] for message in self.history],
        ]
        if self.role != "user":
            asked.append(self.role)
        if not self.listed:
            asked.append("held by the client")
        if self.place != AT_LEAF or self.parameters:
            asked += [self.place.kind, self.place.target, dict(self.parameters)]
        if self.hints:
            asked.append(dict(self.hints))
        if self.server_tools:
            asked.append(list(self.server_tools))
        return asked

    def field_name(self, ours: str) -> str:
        """Return what the client calls the field."""
        return self.names.get(ours, ours)


def _asked(content: Content, of_data: Callable[[str], str]) -> Any:
    """Return what of the content tells two requests apart; plain text is itself."""
    texts = [part["text"] for part in content if part["type"] == "text"]
    if len(texts) == len(content) == 1:
        return texts[0]
    return [_told(part, of_data) for part in content]


def _told(part: Part, of_data: Callable[[str], str]) -> Part:
    told = {name: value for name, value in part.items() if name != "field"}  # where it was is how
    return {**told, "data": of_data(part["data"])} if "data" in part else told


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()


def check_session_id(session_id: str, name: str = "session_id") -> str:
    """Return the id if it is 1 to 128 of `A-Za-z0-9._:-` and not dots only. Raises InvalidRequest
    that calls it `name`."""
    if not _SESSION_ID.match(session_id):
        raise InvalidRequest({name: "must be 1 to 128 of A-Z a-z 0-9 . _ : - and not only dots"})
    return session_id


def check_texts(texts: Mapping[str, str | None], max_bytes: int) -> None:
    """Refuse NULs and lone surrogates in any text, and texts over `max_bytes` of UTF-8.

    PostgreSQL stores neither, and a database that takes what the next one refuses is a trap.
    """
    wrong: dict[str, str] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if "\x00" in text:
            wrong[name] = "must not contain a NUL character"
            continue
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            wrong[name] = "must not contain a lone surrogate"
            continue
        if size > max_bytes:
            raise TooLarge(
                f"`{name}` is longer than the {max_bytes} bytes of UTF-8 that are allowed.",
                fields={name: f"at most {max_bytes} bytes"},
            )
    if wrong:
        raise InvalidRequest(wrong)


def check_request(request: ChatRequest, max_message_bytes: int) -> ChatRequest:
    """Return the request if every field is within its rules. Raises InvalidRequest, TooLarge."""
    name = request.field_name
    if request.session_id is not None:
        check_session_id(request.session_id, name("session_id"))
    key = request.idempotency_key
    if key is not None and not _KEY.match(key):
        raise InvalidRequest({"idempotency_key": "must be 1 to 255 printable ASCII characters"})
    if request.place.has_message and is_blank(request.content):
        raise InvalidRequest({name("message"): "must not be blank"})
    if request.history or not is_plain(request.content):
        _check_attached(request)
    texts = {"system": request.system, "model": request.model}
    texts.update(_texts(name("message"), request.content))
    for index, message in enumerate(request.history):
        texts.update(_texts(f"{name('history')}.{index}.content", message.content))
    check_texts(texts, max_message_bytes)
    return request


def _check_attached(request: ChatRequest) -> None:
    """Raise InvalidRequest naming the message which has one picture or file too many."""
    fields = [f"{request.field_name('history')}.{n}.content" for n in range(len(request.history))]
    fields.append(request.field_name("message"))
    contents = [*(message.content for message in request.history), request.content]
    count = 0
    for field_name, content in zip(fields, contents, strict=True):
        count += sum(part["type"] in TYPES for part in content)
        if count > MAX_ATTACHED:
            why = f"at most {MAX_ATTACHED} pictures and files in a request"
            raise InvalidRequest({field_name: why})


def _texts(name: str, content: Content) -> dict[str, str | None]:
    """Return the texts of the content by the names that errors have for them."""
    if len(content) == 1:
        return {name: text_of(content)}
    return {
        f"{name}.{index}.text": part["text"]
        for index, part in enumerate(content)
        if part["type"] == "text"
    }
