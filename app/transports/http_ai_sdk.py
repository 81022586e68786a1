"""What the AI SDK's clients ask besides a message: the stream under way, and stop."""

from __future__ import annotations

from flask import Blueprint, Response, g

from app.chats.chat_request import check_session_id
from app.dialects.base import json_line
from app.dialects.table import AI_SDK
from app.runs.errors import NotFound
from app.transports.answers import stream
from app.transports.dialect_operations import stream_of
from app.transports.operations import OF_A_RUN, Answer, Operation, json_of
from app.transports.services import Services
from app.transports.shapes import StopReceipt


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/ai-sdk/chat that start no run."""
    routes = Blueprint(AI_SDK.name, __name__, url_prefix="/api/ai-sdk/chat")

    @routes.get("/<chat_id>/stream", strict_slashes=False)
    def resume(chat_id: str) -> Response:
        run_id = _active_run(services, chat_id)
        if run_id is None:
            return Response(status=204)  # `resumeStream` takes it for: nothing is under way
        return stream(services, AI_SDK, services.runs.find(g.principal.id, run_id), 0, {})

    @routes.post("/<chat_id>/stop", strict_slashes=False)
    def stop(chat_id: str) -> Response:
        run_id = _active_run(services, chat_id)
        if run_id is None:
            return Response(status=204)
        receipt = services.runs.stop(g.principal.id, run_id)
        return Response(json_line(receipt.to_json()), mimetype="application/json")

    return routes


def _active_run(services: Services, chat_id: str) -> str | None:
    """Return the run under way; a chat that is not there has none, as one that never spoke."""
    try:
        return services.sessions.get(g.principal.id, check_session_id(chat_id, "id")).active_run_id
    except NotFound:
        return None


NOTHING = Answer(204, "Nothing is under way in this chat.")
OPERATIONS = {
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
