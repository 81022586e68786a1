"""The dialect of Vercel's AI SDK: UI message stream v1, `POST /api/ai-sdk/chat`.

Source: AI SDK, "Stream Protocols", data stream protocol. The chat's id is the session; of what the
client sends only the last user's message is new, or what it answers to a reply that waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.chats.placing import AT_LEAF, Place
from app.chats.request import ChatRequest
from app.core.attachments import FILE, IMAGE
from app.core.entries import FILE as FILE_ENTRY
from app.core.errors import ChatError, InvalidRequest
from app.core.messages import Content, Part, text_parts
from app.dialects.ai_sdk.answers import answers_in
from app.dialects.ai_sdk.parts import LAST_DATA, UiEncoder, file_of
from app.dialects.ai_sdk.shapes import UiChatBody, UiMessage, UiOptions, UiPart, UiReply
from app.dialects.attached import by_url, content_of, named
from app.dialects.calls import checked_tools
from app.dialects.client_held import explained
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken
from app.dialects.frames import validated
from app.dialects.native_shapes import Problem

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
VERSION = (
    "The version of the package `ai`: from 6 on the stream has approvals, and what came later."
)


class AiSdk(Dialect):
    """The dialect of Vercel's AI SDK."""

    name = "ai_sdk"
    body = UiChatBody
    event = UiPart
    answer = UiReply
    problem = Problem
    examples = (
        {
            "id": "chat-1",
            "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}],
        },
    )
    last_data = LAST_DATA
    takes_parts = True
    own_headers = {"x-vercel-ai-ui-message-stream": "The protocol's version, `v1`."}
    query = {"version": VERSION}

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request, or the answers to a reply that waits. Raises InvalidRequest,
        UnsupportedParameter."""
        said = validated(UiChatBody, body)
        options = {"version": said.version}
        if said.trigger == "submit-message" and said.messages:
            answers = answers_in(said)
            if answers is not None:
                return Spoken(self, ChatRequest((), said.id), options, answers=answers)
        asked = [index for index, one in enumerate(said.messages) if one.role == "user"]
        if not asked:
            raise InvalidRequest({"messages": "must have a message of the user"})
        last = said.messages[asked[-1]]
        place = _place(said, said.messages[: asked[-1]])
        field = f"messages.{asked[-1]}.parts"
        systems = [one.text() for one in said.messages if one.role == "system"]
        request = ChatRequest(
            _content(last, field) if place.has_message else text_parts(last.text()),
            session_id=said.id,
            model=said.model,
            provider=said.provider,
            system=said.system or "\n\n".join(systems) or None,
            temperature=said.temperature,
            stop_when_unwatched=said.on_disconnect == "stop",
            place=place,
            parameters=said.passed_on(_definitions(said)),
            server_tools=tuple(one for one in said.tools or () if isinstance(one, str)),
            waits=True,
            names={"message": field, "session_id": "id"},
        )
        return Spoken(self, request, options)

    def wanted(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a stream that is resumed. Raises InvalidRequest."""
        return {"version": validated(UiOptions, asked).version}

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; its client makes a message anew, so it is asked from the start, or
        from where the reply has waited for it."""
        return UiEncoder(reply, after, int(options.get("version", 5)))

    def headers(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the header by which clients know the protocol."""
        return HEADERS

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the reply as the client's own message; no route asks for it yet."""
        made = [file_of(entry.data) for entry in reply.log.everything() if entry.kind == FILE_ENTRY]
        parts = [{"type": "text", "text": reply.log.text()}, *made]
        return {"id": reply.record.message_id, "role": "assistant", "parts": parts}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the native error body: the client shows whatever it is."""
        payload = error.payload()
        return {"error": {**payload, "message": explained(error.message, error.fields)}}


def _content(message: UiMessage, field: str) -> Content:
    """Return what the user says: texts and files. Parts of other types are for the page alone."""
    parts: list[Part] = []
    for index, part in enumerate(message.parts):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            parts.append({"type": "text", "text": part["text"]})
        elif part.get("type") == "file":
            parts.append(_file(part, f"{field}.{index}"))
    return content_of(parts)


def _file(part: Mapping[str, Any], field: str) -> Part:
    media_type = part.get("mediaType")
    if not isinstance(media_type, str):
        raise InvalidRequest({f"{field}.mediaType": "must be a text"})
    kind = IMAGE if media_type.lower().startswith("image/") else FILE
    name = named(part.get("filename"), f"{field}.filename")
    return by_url(part.get("url"), f"{field}.url", kind, **name)


def _definitions(said: UiChatBody) -> list[dict[str, Any]]:
    """Return the tools that the client runs. Raises InvalidRequest."""
    return checked_tools([one for one in said.tools or () if not isinstance(one, str)])


def _place(said: UiChatBody, before: Sequence[UiMessage]) -> Place:
    """Return where the turn goes: replies carry our ids, users' messages the client's own."""
    replies = [one.id for one in before if one.role == "assistant"]
    reply = replies[-1] if replies else None
    if said.trigger == "regenerate-message":
        return Place("again", reply)
    return AT_LEAF if said.messageId is None else Place("after", reply)
