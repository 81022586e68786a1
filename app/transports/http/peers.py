"""What other dialects' clients ask besides a message: the AI SDK's stream under way and its stop,
OpenAI's models, the sessions that the session_messages dialect speaks in.

A blueprint here has the name of its dialect, whose errors its routes answer.
"""

from __future__ import annotations

from typing import Literal, cast

from flask import Response, g
from typing_extensions import TypedDict

from app.chats.request import check_session_id
from app.core.errors import NotFound
from app.core.sessions import ChatSession
from app.dialects.documents.session_messages import MessageRow, message_row
from app.dialects.frames import Body, timestamp
from app.dialects.routes import AI_SDK, OPENAI, SESSION_MESSAGES
from app.transports.http.runs import StopReceipt
from app.transports.http.streams import stream
from app.transports.openapi.operations import (
    OF_A_RUN,
    Answer,
    Routes,
    about,
    operation,
    stream_of,
)
from app.transports.services import services

ai_sdk = Routes(AI_SDK.name, __name__, about(AI_SDK), "/api/ai-sdk/chat")
NOTHING = Answer("Nothing is under way in this chat.", 204)


@ai_sdk.get("/<chat_id>/stream")
@operation(
    "Follow the reply under way, from its start",
    Answer("The reply.", 200, stream_of(AI_SDK), OF_A_RUN, AI_SDK.own_headers),
    NOTHING,
)
def resume(chat_id: str) -> Response | None:
    run_id = _active_run(chat_id)
    if run_id is None:
        return None  # `resumeStream` takes a 204 for: nothing is under way
    return stream(AI_SDK, services().runs.find(g.principal.id, run_id), 0, {})


@ai_sdk.post("/<chat_id>/stop")
@operation("Stop the reply under way", Answer("The receipt."), NOTHING)
def stop(chat_id: str) -> StopReceipt | None:
    run_id = _active_run(chat_id)
    if run_id is None:
        return None
    return cast(StopReceipt, services().runs.stop(g.principal.id, run_id).to_json())


def _active_run(chat_id: str) -> str | None:
    """Return the run under way; a chat that is not there has none, as one that never spoke."""
    session_id = check_session_id(chat_id, "id")
    try:
        return services().sessions.get(g.principal.id, session_id).active_run_id
    except NotFound:
        return None


class Model(TypedDict):
    """A model, as OpenAI has it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(TypedDict):
    """Each provider's own model."""

    object: Literal["list"]
    data: list[Model]


openai = Routes(OPENAI.name, __name__, about(OPENAI), "/v1/models")


@openai.get("")
@operation("List the models", Answer("The models."), errors=())
def list_models() -> Models:
    return {"object": "list", "data": _models()}


@openai.get("/<path:model>")
@operation("Read a model", Answer("The model."), errors=())
def read_model(model: str) -> Model:
    for known in _models():
        if known["id"] == model:
            return known
    raise NotFound()


def _models() -> list[Model]:
    """Return each provider's own model; a model named twice belongs to the first."""
    models: dict[str, Model] = {}
    for provider in services().catalog.providers():
        model: Model = {
            "id": provider.default_model,
            "object": "model",
            "created": 0,  # when it was made is not ours to know
            "owned_by": provider.name,
        }
        models.setdefault(provider.default_model, model)
    return list(models.values())


class NewSessionBody(Body):
    """The body of `POST /sessions`; all of it optional."""

    title: str | None = None


class SessionRow(TypedDict):
    """A session, as the session_messages dialect has it."""

    id: str
    title: str
    created_at: str
    updated_at: str
    message_count: int


session_messages = Routes(SESSION_MESSAGES.name, __name__, about(SESSION_MESSAGES), "/sessions")


@session_messages.post("")
@operation("Make a session", Answer("The session.", 201))
def create_session(body: NewSessionBody = NewSessionBody()) -> SessionRow:
    return _row(services().sessions.create(g.principal.id, title=body.title))


@session_messages.get("")
@operation("List sessions", Answer("The sessions, the newest first."))
def list_sessions() -> list[SessionRow]:
    return [_row(chat_session) for chat_session in services().sessions.list(g.principal.id)]


@session_messages.get("/<session_id>")
@operation("Read a session", Answer("The session."))
def read_session(session_id: str) -> SessionRow:
    return _row(services().sessions.get(g.principal.id, session_id))


@session_messages.get("/<session_id>/messages")
@operation("Read a session's messages", Answer("The messages, the oldest first."))
def read_messages(session_id: str) -> list[MessageRow]:
    found = services().sessions.messages(g.principal.id, session_id)
    return [message_row(session_id, message) for message in found]


@session_messages.delete("/<session_id>")
@operation("Delete a session", Answer("The session is gone.", 204))
def delete_session(session_id: str) -> None:
    services().sessions.delete(g.principal.id, session_id)


def _row(chat_session: ChatSession) -> SessionRow:
    return {
        "id": chat_session.id,
        "title": chat_session.title,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "message_count": chat_session.message_count,
    }
