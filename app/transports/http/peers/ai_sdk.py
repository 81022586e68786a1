"""What the AI SDK's clients ask besides a message: the stream under way, and its stop."""

from __future__ import annotations

from typing import cast

from flask import Response, g, request

from app.chats.request import check_session_id
from app.core.errors import NotFound
from app.dialects.routes import AI_SDK
from app.transports.http.runs import StopReceipt
from app.transports.http.streams import stream
from app.transports.openapi.operations import (
    OF_A_RUN,
    Answer,
    Routes,
    about,
    operation,
    query_of,
    stream_of,
)
from app.transports.services import services

routes = Routes(AI_SDK.name, __name__, about(AI_SDK), "/api/ai-sdk/chat")
NOTHING = Answer("Nothing is under way in this chat.", 204)


@routes.get("/<chat_id>/stream")
@operation(
    "Follow the reply under way, from its start",
    Answer("The reply.", 200, stream_of(AI_SDK), OF_A_RUN, AI_SDK.own_headers),
    NOTHING,
    parameters=query_of(AI_SDK),
)
def resume(chat_id: str) -> Response | None:
    run_id = _active_run(chat_id)
    if run_id is None:
        return None  # `resumeStream` takes a 204 for: nothing is under way
    asked = {name: request.args[name] for name in AI_SDK.query if name in request.args}
    found = services().runs.find(g.principal.id, run_id)
    return stream(AI_SDK, found, 0, AI_SDK.wanted(asked))


@routes.post("/<chat_id>/stop")
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
