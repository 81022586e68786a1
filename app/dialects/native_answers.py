"""What a client answers to a run that waits, on both transports: results of calls, approvals."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from app.core.entries import APPROVAL_ANSWER, TOOL_RESULT, storable
from app.core.errors import InvalidRequest
from app.core.tools import Reply, bounded
from app.dialects.frames import Body

MAX_REASON = 2000  # characters
MAX_ERROR_BYTES = 10_000


class ResultBody(Body):
    """The result of one call: an output, or an error."""

    call_id: str
    output: Any = None
    error: Annotated[str, Field(min_length=1)] | None = None

    def reply(self, index: int, max_bytes: int) -> Reply:
        """Return the reply. Raises InvalidRequest unless there is one of the two."""
        if ("output" in self.model_fields_set) == (self.error is not None):
            raise InvalidRequest({f"results.{index}": "needs `output` or `error`"})
        if self.error is not None:
            return Reply(self.call_id, TOOL_RESULT, {"error": bounded(self.error, MAX_ERROR_BYTES)})
        return Reply(self.call_id, TOOL_RESULT, {"output": bounded(self.output, max_bytes)})


class ResultsBody(Body):
    """The body of `POST /api/runs/<run_id>/results`, and with `run_id` of `chat_result`."""

    results: Annotated[list[ResultBody], Field(min_length=1, max_length=128)]

    def replies(self, max_bytes: int) -> list[Reply]:
        """Return them; outputs are cut to so many bytes. Raises InvalidRequest."""
        return [one.reply(index, max_bytes) for index, one in enumerate(self.results)]


class ApprovalBody(Body):
    """The body of `POST /api/runs/<run_id>/approvals/<approval_id>`, and of `chat_approve`.

    `answer` is for a question that has a schema.
    """

    approved: bool
    reason: Annotated[str, Field(max_length=MAX_REASON)] | None = None
    answer: Any = None

    def reply(self, approval_id: str, by: str) -> Reply:
        """Return the reply, of that person."""
        data: dict[str, Any] = {"approved": self.approved, "by": by}
        if self.reason:
            data["reason"] = storable(self.reason)
        if self.answer is not None:
            data["answer"] = storable(self.answer)
        return Reply(approval_id, APPROVAL_ANSWER, data)
