"""What clients of OpenAI's Responses ask besides a response: how far one has come, its events from
a number on, its end, its input; and the conversations that responses are in.

Source: OpenAI API reference, "Responses", "Conversations".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from flask import Response, g, jsonify, request
from typing_extensions import TypedDict

from app.core.errors import InvalidRequest, LogReset, ResponseInUse
from app.core.messages import Message
from app.core.sessions import ChatSession
from app.dialects.frames import Body
from app.dialects.responses.described import conversation_id, run_id_of, session_of
from app.dialects.responses.items import items_of
from app.dialects.responses.shapes import Item, ResponseObject
from app.dialects.routes import RESPONSES
from app.runs.registry import FoundRun
from app.transports.http.streams import reply_of, stream
from app.transports.openapi.operations import (
    Answer,
    Content,
    Parameter,
    Routes,
    about,
    events_of,
    operation,
    whole_number,
)
from app.transports.services import services

MOST_DIGITS = 12
ORDER = Parameter("order", "`asc`: the oldest first.", {"enum": ["asc", "desc"], "default": "desc"})
LIMIT = Parameter(
    "limit",
    "How many, at most.",
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
)
AFTER = Parameter(
    "after", "The id of the item that the page before ended with.", {"type": "string"}
)
PAGED = (ORDER, LIMIT, AFTER)
STREAM = Parameter("stream", "`true` asks for the events.", {"type": "string"})
STARTING_AFTER = Parameter(
    "starting_after",
    "With `stream`: the number of the last event that arrived.",
    {"type": "string", "pattern": f"^[0-9]{{0,{MOST_DIGITS}}}$"},
)
EVENTS = (Content("application/json", ResponseObject), events_of(RESPONSES.event))


class ResponseDeleted(TypedDict):
    """A response is gone."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class Items(TypedDict):
    """A page of items."""

    object: Literal["list"]
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Conversation(TypedDict):
    """A conversation: responses that name it go on with it."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]


class ConversationDeleted(TypedDict):
    """A conversation is gone, with all its responses."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class ConversationStart(Body):
    """The body of `POST /v1/conversations`: what a first response is to have before it comes with
    that."""

    items: list[dict[str, Any]] | None = None
    metadata: dict[str, str] | None = None


routes = Routes(RESPONSES.name, __name__, about(RESPONSES), "/v1")


@routes.get("/responses/<response_id>")
@operation(
    "Read a response, or follow it from an event on",
    Answer("The response as far as it has come, or its events.", 200, EVENTS),
    errors=(410, 503),
    parameters=(STREAM, STARTING_AFTER),
)
def read_response(response_id: str) -> Response:
    found = _found(response_id)
    options = _options(found)
    if request.args.get("stream", "false").lower() in {"false", "0"}:
        return jsonify(_object(found))
    asked = request.args.get("starting_after", "")
    if asked:
        if not (asked.isascii() and asked.isdigit() and len(asked) <= MOST_DIGITS):
            raise InvalidRequest({"starting_after": "must be the number of an event"})
        if found.log.is_folded:
            raise LogReset()  # its events are not numbered as they were
        options = {**options, "starting_after": int(asked)}
    return stream(RESPONSES, found, 0, options)


@routes.post("/responses/<response_id>/cancel")
@operation("Stop a response", Answer("The response; its end is stored."))
def cancel_response(response_id: str) -> ResponseObject:
    owner, run_id = g.principal.id, run_id_of(response_id)
    services().runs.stop(owner, run_id)
    return _object(services().runs.find(owner, run_id))


@routes.delete("/responses/<response_id>")
@operation(
    "Delete a response and what it answers",
    Answer("It is gone."),
    errors=(409, 503),
)
def delete_response(response_id: str) -> ResponseDeleted:
    record = _found(response_id).record
    tree = services().sessions.tree(record.owner, record.session_id)
    if any(one.run_id not in {None, record.id} for one in tree.values()):
        raise ResponseInUse()
    services().sessions.delete(record.owner, record.session_id)
    return {"id": response_id, "object": "response", "deleted": True}


@routes.get("/responses/<response_id>/input_items")
@operation(
    "List what a response answers",
    Answer("Its items."),
    parameters=PAGED,
)
def list_input(response_id: str) -> Items:
    record = _found(response_id).record
    tree = services().sessions.tree(record.owner, record.session_id)
    asked: list[Message] = []
    at = tree[record.message_id].parent_id if record.message_id in tree else None
    while at is not None and tree[at].run_id is None:
        asked.insert(0, tree[at])
        at = tree[at].parent_id
    return _page(items_of(asked))


@routes.post("/conversations")
@operation("Make a conversation", Answer("The conversation."))
def create_conversation(body: ConversationStart = ConversationStart()) -> Conversation:
    if body.items:
        raise InvalidRequest({"items": "send them as `input` of the first response"})
    if body.metadata:
        raise InvalidRequest({"metadata": "is kept with responses only"})
    return _conversation(services().sessions.create(g.principal.id))


@routes.get("/conversations/<conversation_id>")
@operation("Read a conversation", Answer("The conversation."))
def read_conversation(conversation_id: str) -> Conversation:
    return _conversation(services().sessions.get(g.principal.id, session_of(conversation_id)))


@routes.delete("/conversations/<conversation_id>")
@operation("Delete a conversation with all its responses", Answer("It is gone."))
def delete_conversation(conversation_id: str) -> ConversationDeleted:
    services().sessions.delete(g.principal.id, session_of(conversation_id))
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


@routes.get("/conversations/<conversation_id>/items")
@operation(
    "List what was said in a conversation",
    Answer("The items of the branch in use."),
    parameters=PAGED,
)
def list_items(conversation_id: str) -> Items:
    said = services().sessions.messages(g.principal.id, session_of(conversation_id))
    return _page(items_of(said))


def _found(response_id: str) -> FoundRun:
    return services().runs.find(g.principal.id, run_id_of(response_id))


def _options(found: FoundRun) -> Mapping[str, Any]:
    return found.record.options or {}


def _object(found: FoundRun) -> ResponseObject:
    return cast(ResponseObject, RESPONSES.whole(reply_of(found), _options(found)))


def _conversation(chat_session: ChatSession) -> Conversation:
    return {
        "id": conversation_id(chat_session.id),
        "object": "conversation",
        "created_at": int(chat_session.created_at),
        "metadata": {},
    }


def _page(items: Sequence[Item]) -> Items:
    """Return the page of them that the query asks for. Raises InvalidRequest."""
    order = request.args.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise InvalidRequest({"order": "must be asc or desc"})
    found = list(items if order == "asc" else reversed(items))
    after = request.args.get("after")
    if after:
        places = [index for index, item in enumerate(found) if item["id"] == after]
        if not places:
            raise InvalidRequest({"after": "must be the id of an item"})
        found = found[places[0] + 1 :]
    most = whole_number(LIMIT)
    page = found[:most]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(found) > most,
    }
