"""What other dialects' clients ask besides a message: the AI SDK's stream under way and its stop,
OpenAI's models, the sessions of document 002."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from app.chats.request import check_session_id
from app.core.errors import NotFound
from app.core.sessions import ChatSession
from app.dialects.documents.session_messages import MessageRow, message_row
from app.dialects.frames import Body, timestamp, validated
from app.dialects.routes import AI_SDK, OPENAI, SESSION_MESSAGES
from app.transports.guards.body import read_optional_object
from app.transports.http.streams import stream
from app.transports.openapi.operations import (
    OF_A_RUN,
    Answer,
    Operation,
    answered,
    json_of,
    stream_of,
)
from app.transports.openapi.shapes import Model, Models, SessionRow, StopReceipt
from app.transports.services import Services


def ai_sdk_blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/ai-sdk/chat that start no run."""
    routes = Blueprint(AI_SDK.name, __name__, url_prefix="/api/ai-sdk/chat")

    @routes.get("/<chat_id>/stream")
    def resume(chat_id: str) -> ResponseReturnValue:
        run_id = _active_run(services, chat_id)
        if run_id is None:
            return Response(status=204)  # `resumeStream` takes it for: nothing is under way
        return stream(services, AI_SDK, services.runs.find(g.principal.id, run_id), 0, {})

    @routes.post("/<chat_id>/stop")
    def stop(chat_id: str) -> ResponseReturnValue:
        run_id = _active_run(services, chat_id)
        if run_id is None:
            return Response(status=204)
        receipt = services.runs.stop(g.principal.id, run_id)
        return receipt.to_json()

    return routes


def _active_run(services: Services, chat_id: str) -> str | None:
    """Return the run under way; a chat that is not there has none, as one that never spoke."""
    try:
        return services.sessions.get(g.principal.id, check_session_id(chat_id, "id")).active_run_id
    except NotFound:
        return None


NOTHING = Answer(204, "Nothing is under way in this chat.")
AI_SDK_OPERATIONS = {
    "ai_sdk.resume": Operation(
        "Follow the reply under way, from its start",
        (
            Answer(200, "The reply.", stream_of(AI_SDK), OF_A_RUN, AI_SDK.own_headers),
            NOTHING,
        ),
        (404, 503),
        problem=AI_SDK.problem,
    ),
    "ai_sdk.stop": Operation(
        "Stop the reply under way",
        (Answer(200, "The receipt.", (json_of(StopReceipt),)), NOTHING),
        (404, 503),
        problem=AI_SDK.problem,
    ),
}


def openai_blueprint(services: Services) -> Blueprint:
    """Return the routes under /v1/models."""
    routes = Blueprint(OPENAI.name, __name__, url_prefix="/v1/models")

    @routes.get("")
    def list_models() -> ResponseReturnValue:
        return {"object": "list", "data": _models(services)}

    @routes.get("/<path:model>")
    def read_model(model: str) -> ResponseReturnValue:
        found = [one for one in _models(services) if one["id"] == model]
        if not found:
            raise NotFound()
        return found[0]

    return routes


def _models(services: Services) -> list[Model]:
    """Return each provider's own model; a model named twice belongs to the first."""
    models: dict[str, Model] = {}
    for provider in services.catalog.providers():
        model: Model = {
            "id": provider.default_model,
            "object": "model",
            "created": 0,  # when it was made is not ours to know
            "owned_by": provider.name,
        }
        models.setdefault(provider.default_model, model)
    return list(models.values())


OPENAI_OPERATIONS = {
    "openai_chat.list_models": Operation(
        "List the models", answered(Models, "The models."), problem=OPENAI.problem
    ),
    "openai_chat.read_model": Operation(
        "Read a model", answered(Model, "The model."), (404,), problem=OPENAI.problem
    ),
}


class NewSessionBody(Body):
    """The body of `POST /sessions`; all of it optional."""

    title: str | None = None


def session_messages_blueprint(services: Services) -> Blueprint:
    """Return the routes under /sessions that start no run."""
    routes = Blueprint(SESSION_MESSAGES.name, __name__, url_prefix="/sessions")
    sessions = services.sessions

    @routes.post("")
    def create_session() -> ResponseReturnValue:
        wanted = validated(NewSessionBody, read_optional_object(request, services.max_body_bytes))
        return _row(sessions.create(g.principal.id, title=wanted.title)), 201

    @routes.get("")
    def list_sessions() -> ResponseReturnValue:
        return [_row(one) for one in sessions.list(g.principal.id)]

    @routes.get("/<session_id>")
    def read_session(session_id: str) -> ResponseReturnValue:
        return _row(sessions.get(g.principal.id, session_id))

    @routes.get("/<session_id>/messages")
    def read_messages(session_id: str) -> ResponseReturnValue:
        found = sessions.messages(g.principal.id, session_id)
        return [message_row(session_id, message) for message in found]

    @routes.delete("/<session_id>")
    def delete_session(session_id: str) -> ResponseReturnValue:
        sessions.delete(g.principal.id, session_id)
        return Response(status=204)

    return routes


def _row(chat_session: ChatSession) -> SessionRow:
    return {
        "id": chat_session.id,
        "title": chat_session.title,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "message_count": chat_session.message_count,
    }


def _operation(
    summary: str, answer: Answer, errors: tuple[int, ...], body: Any = None
) -> Operation:
    return Operation(
        summary, (answer,), errors, body, body_needed=False, problem=SESSION_MESSAGES.problem
    )


SESSION_MESSAGES_OPERATIONS = {
    "session_messages.create_session": _operation(
        "Make a session",
        Answer(201, "The session.", (json_of(SessionRow),)),
        (503,),
        NewSessionBody,
    ),
    "session_messages.list_sessions": _operation(
        "List sessions",
        Answer(200, "The sessions, the newest first.", (json_of(list[SessionRow]),)),
        (503,),
    ),
    "session_messages.read_session": _operation(
        "Read a session", Answer(200, "The session.", (json_of(SessionRow),)), (404, 503)
    ),
    "session_messages.read_messages": _operation(
        "Read a session's messages",
        Answer(200, "The messages, the oldest first.", (json_of(list[MessageRow]),)),
        (404, 503),
    ),
    "session_messages.delete_session": _operation(
        "Delete a session", Answer(204, "The session is gone."), (404, 503)
    ),
}

OPERATIONS = {**AI_SDK_OPERATIONS, **OPENAI_OPERATIONS, **SESSION_MESSAGES_OPERATIONS}
