"""What every dialect is made of, and the two rules all share: JSON on one line, requests checked by
model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.chats.request import ChatRequest
from app.core.entries import END, STATUS, Entry, is_content
from app.core.entries import joined as entries_joined
from app.core.errors import ChatError
from app.core.runs import RunRecord
from app.core.tools import Reply as AnswerReply
from app.runs.log import RunLog

SSE_CONTENT_TYPE = "text/event-stream; charset=utf-8"
PING = b": ping\n\n"
OPEN = b": open\n\n"  # eventlet sends the headers with the first byte: this is it
MERGE_ABOVE = 64  # a viewer this many entries behind gets one larger piece instead


@dataclass(frozen=True, slots=True)
class Answers(ABC):
    """What a request brings in the place of a message: answers to what a run waits for. The run is
    named by its id, or by that of its reply in a session."""

    session_id: str
    run_id: str | None
    message_id: str
    field: str  # where they are in the request

    @abstractmethod
    def replies(self, max_bytes: int, by: str) -> list[AnswerReply]:
        """Return them; outputs are cut to so many bytes, approvals are that person's."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A parsed request: who speaks, what the dialect wants to remember of it for the answer, and,
    where that is asked for in the body, whether the answer is to be streamed, or only the run's
    ids. One that has `answers` asks for nothing new."""

    dialect: Dialect
    request: ChatRequest
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: bool | None = None
    detached: bool = False
    answers: Answers | None = None


class Answerer(NamedTuple):
    """Who answers."""

    provider: str
    model: str


def named_by(entry: Entry) -> Answerer | None:
    """Return who answers from here on, if that is what the entry says: it is another than was asked
    for."""
    if entry.kind == STATUS:
        match entry.data:
            case {"status": "answering", "provider": str(provider), "model": str(model)}:
                return Answerer(provider, model)
    return None


@dataclass(frozen=True, slots=True)
class Reply:
    """The run an encoder encodes, and whom it is for."""

    record: RunRecord
    log: RunLog
    user: str

    @property
    def ended(self) -> dict[str, Any]:
        """The data of the end, of a run that has ended."""
        assert self.log.end is not None
        data: dict[str, Any] = self.log.end.data
        return data

    @property
    def answerer(self) -> Answerer:
        """Who answers, as far as the log has come; until somebody does, who was asked."""
        end = self.log.end
        if end is not None:
            provider, model = end.data.get("provider"), end.data.get("model")
            return Answerer(provider or self.record.provider, model or self.record.model)
        for entry in self.log.since(0):
            if is_content(entry.kind):
                break  # it would have been said before
            named = named_by(entry)
            if named is not None:
                return named
        return Answerer(self.record.provider, self.record.model)


class Encoder(ABC):
    """Turns the entries of one run, in order, into bytes for one viewer; stateful.

    A subclass says what texts, reasoning and the end become; of a viewer far behind, neighbouring
    texts come joined.
    """

    opening: bytes = OPEN
    heartbeat: bytes = PING

    def silence(self, age_s: float) -> bytes:
        """Return what is sent after silence, `age_s` seconds after the run began."""
        return self.heartbeat

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """Return the frames of these entries, in one piece."""
        if len(entries) == 1:  # by far the most often
            (entry,) = entries
            return self.ending(entry) if entry.kind == END else self.piece(entry, 1)
        return b"".join(
            self.ending(entry) if entry.kind == END else self.piece(entry, count)
            for entry, count in joined(entries)
        )

    @abstractmethod
    def piece(self, entry: Entry, count: int) -> bytes:
        """Return the frames of an entry that stands for `count` of its kind; nothing for a kind
        the dialect has no place for."""

    @abstractmethod
    def ending(self, entry: Entry) -> bytes:
        """Return the frames of the end."""

    def close(self) -> bytes:
        """Return what follows all entries, where the run waits and its last one does not say so.
        Raises ReplyCut where the framing cannot say that the reply is cut."""
        return b""


class Dialect(ABC):
    """One way to speak; its routes are rows in the table (routes.py).

    The shapes are what /openapi.json is made of: `body` validates, the others are what is answered.
    """

    name: str
    body: Any  # model of the request
    event: Any  # type of what one event, or line, of the stream carries
    answer: Any  # type of the answer that is not streamed
    problem: Any  # type of an answer that is an error
    examples: Sequence[Mapping[str, Any]] = ()  # requests that work with the demo provider
    content_type = SSE_CONTENT_TYPE
    last_data: str | None = None  # what the last event carries, where that is not JSON
    own_headers: Mapping[str, str] = {}  # that its answers may have, and what they say
    query: Mapping[str, str] = {}  # what may be in the query as well as in the body, and what it is
    accepted_status = 202
    detached: Any = None  # type of the answer that has the ids of a run only, if there is one
    takes_parts = False  # its requests may have the bytes of pictures and files in them
    holds_headers = False  # until the first piece or a failure: its clients retry on a status only

    @abstractmethod
    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request, with what the path names. Raises InvalidRequest naming the fields."""

    @abstractmethod
    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder for the entries beyond `after`."""

    @abstractmethod
    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer that is not streamed, of a run that has ended well or was stopped."""

    @abstractmethod
    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body of an answer that is an error."""

    def accepted(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of a run that has begun, and is followed on another connection."""
        return {"run_id": reply.record.id, "session_id": reply.record.session_id}

    def headers(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers that only this dialect's answers have."""
        return {}


def joined(entries: Sequence[Entry], most: int = MERGE_ABOVE) -> Iterator[tuple[Entry, int]]:
    """Yield the entries, each with how many it stands for: of more than `most`, neighbouring texts
    come joined."""
    if len(entries) <= most:
        return ((entry, 1) for entry in entries)
    return entries_joined(entries)


class ReplyCut(Exception):
    """The reply did not complete and the framing can say so only by breaking off."""
