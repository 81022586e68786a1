"""What the AI SDK's clients answer to a reply that waits: it is in the parts of their copy of it.

Source: AI SDK, "Chatbot Tool Usage": `addToolOutput`, `addToolApprovalResponse`. Nothing else of
the copy is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.entries import APPROVAL_ANSWER, TOOL_RESULT, storable
from app.core.errors import InvalidRequest
from app.core.tools import Reply, bounded
from app.dialects.ai_sdk.shapes import UiChatBody, UiMessage
from app.dialects.dialect import Answers
from app.dialects.native_answers import MAX_ERROR_BYTES, MAX_REASON

FAILED = "The tool failed."


@dataclass(frozen=True, slots=True)
class UiAnswers(Answers):
    """The answers in the parts of one message."""

    given: tuple[Reply, ...]

    def replies(self, max_bytes: int, by: str) -> list[Reply]:
        """Return them; outputs are cut to so many bytes, approvals are that person's."""
        found = []
        for reply in self.given:
            data = dict(reply.data)
            if reply.kind == APPROVAL_ANSWER:
                data["by"] = by
            elif "output" in data:
                data["output"] = bounded(data["output"], max_bytes)
            found.append(Reply(reply.key, reply.kind, data))
        return found


def answers_in(said: UiChatBody) -> UiAnswers | None:
    """Return what is answered by sending the messages again: in the reply that is named, or the
    last; None if that is nothing. Raises InvalidRequest."""
    ids = [one.id for one in said.messages]
    last = len(ids) - 1
    index = ids.index(said.messageId) if said.messageId in ids else last
    message = said.messages[index]
    if message.role != "assistant":
        return None
    given = _replies(message, f"messages.{index}.parts")
    names = said.id, message.run_id, message.id
    return UiAnswers(*names, f"messages.{index}.parts", tuple(given)) if given else None


def _replies(message: UiMessage, field: str) -> list[Reply]:
    found = (_reply(part, f"{field}.{index}") for index, part in enumerate(message.parts))
    return [reply for reply in found if reply is not None]


def _reply(part: Mapping[str, Any], field: str) -> Reply | None:
    kind, state, call_id = part.get("type"), part.get("state"), part.get("toolCallId")
    if not isinstance(kind, str) or not (kind == "dynamic-tool" or kind.startswith("tool-")):
        return None
    if state == "approval-responded":
        return _approval(part.get("approval"), f"{field}.approval")
    if part.get("providerExecuted") or part.get("preliminary") or not isinstance(call_id, str):
        return None
    if state == "output-available":
        return Reply(call_id, TOOL_RESULT, {"output": part.get("output")})
    if state == "output-error":
        text = part.get("errorText")
        error = bounded(text if isinstance(text, str) and text else FAILED, MAX_ERROR_BYTES)
        return Reply(call_id, TOOL_RESULT, {"error": error})
    return None


def _approval(said: Any, field: str) -> Reply:
    if not isinstance(said, Mapping) or not isinstance(said.get("id"), str):
        raise InvalidRequest({f"{field}.id": "must be the id of what is asked"})
    if not isinstance(said.get("approved"), bool):
        raise InvalidRequest({f"{field}.approved": "must be true or false"})
    data: dict[str, Any] = {"approved": said["approved"]}
    if (reason := said.get("reason")) is not None:
        if not isinstance(reason, str) or len(reason) > MAX_REASON:
            raise InvalidRequest({f"{field}.reason": f"must have at most {MAX_REASON} characters"})
        if reason:
            data["reason"] = storable(reason)
    return Reply(said["id"], APPROVAL_ANSWER, data)
