"""What a run waits for, over HTTP: results of calls, approvals; and the tools that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from flask import Response, g, jsonify, request
from typing_extensions import NotRequired, TypedDict

from app.core.tools import Reply, answers_in
from app.dialects.native_answers import ApprovalBody, ResultsBody, check_answers
from app.dialects.native_shapes import Status
from app.dialects.routes import NATIVE
from app.runs.registry import FoundRun
from app.transports.http.runs import SHOWN, wanted_options
from app.transports.http.streams import stream
from app.transports.openapi.operations import (
    OF_A_RUN,
    Answer,
    Content,
    Routes,
    operation,
    stream_of,
)
from app.transports.services import services


class TakenAnswer(TypedDict):
    """What counts as the answer: the first that came."""

    call_id: str
    name: str
    approval_id: NotRequired[str]
    approved: NotRequired[bool]
    reason: NotRequired[str]
    answer: NotRequired[Any]
    output: NotRequired[Any]
    error: NotRequired[str]


class AnswersTaken(TypedDict):
    """How the run is now, and what it was answered; `seq` is where to follow it from."""

    run_id: str
    session_id: str
    status: Status
    seq: int
    answers: list[TakenAnswer]


class ToolShape(TypedDict):
    """A tool that the server runs."""

    name: str
    description: str
    parameters: dict[str, Any]
    approval: Literal["never", "always", "sometimes"]
    source: str


class Tools(TypedDict):
    """All of them."""

    tools: list[ToolShape]


routes = Routes("actions", __name__, "Tools, and what replies wait for.", "/api")
TAKEN = (
    Answer(
        "What counts as the answer; or, if `Accept` is `text/event-stream`, the run's events from "
        "there on.",
        200,
        (Content("application/json", AnswersTaken), *stream_of(NATIVE)),
        (),
        {name: "Of the events." for name in OF_A_RUN},
    ),
)


@routes.get("/tools")
@operation("List the server's tools", Answer("The tools."))
def list_tools() -> Tools:
    return {
        "tools": [
            {
                "name": one.name,
                "description": one.description,
                "parameters": dict(one.schema),
                "approval": one.approval,
                "source": one.source,
            }
            for one in services().toolbox.offered()
        ]
    }


@routes.post("/runs/<run_id>/results")
@operation("Bring the results of calls", *TAKEN, errors=(503,), parameters=SHOWN)
def bring_results(run_id: str, body: ResultsBody) -> Response:
    return _answered(run_id, body.replies(services().toolbox.max_result_bytes))


@routes.post("/runs/<run_id>/approvals/<approval_id>")
@operation("Allow or deny a call, or answer a question", *TAKEN, errors=(503,), parameters=SHOWN)
def approve(run_id: str, approval_id: str, body: ApprovalBody) -> Response:
    return _answered(run_id, [body.reply(approval_id, g.principal.name)])


def _answered(run_id: str, replies: Sequence[Reply]) -> Response:
    owner = g.principal.id
    waiting = services().runs.find(owner, run_id)
    check_answers(replies, waiting.pending)
    before = waiting.log.last_seq
    found = services().sessions.answer(owner, run_id, replies, g.caller)
    if request.accept_mimetypes.best == "text/event-stream":
        return stream(NATIVE, found, before, wanted_options())
    return jsonify(taken(found, replies, before))


def taken(found: FoundRun, replies: Sequence[Reply], seq: int) -> AnswersTaken:
    """Return what answers have done."""
    kept = TakenAnswer.__annotations__
    answers: list[Mapping[str, Any]] = [
        {name: value for name, value in answer.items() if name in kept}
        for answer in answers_in(found.log.everything(), replies)
    ]
    return {
        "run_id": found.record.id,
        "session_id": found.record.session_id,
        "status": cast(Status, found.status),
        "seq": seq,
        "answers": cast(list[TakenAnswer], answers),
    }
