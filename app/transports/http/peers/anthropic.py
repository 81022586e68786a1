"""What the clients of Claude's API ask besides a message: how many tokens one would take.

Source: Claude API reference, "Count tokens in a Message".
"""

from __future__ import annotations

from typing import Any

from pydantic import Field
from typing_extensions import Annotated, TypedDict

from app.chats.context_window import tokens_of
from app.core.usage import estimate_tokens
from app.dialects.anthropic.messages import conversation
from app.dialects.anthropic.shapes import MessagesBody
from app.dialects.frames import json_line
from app.dialects.routes import ANTHROPIC
from app.transports.openapi.operations import Answer, Routes, about, operation

routes = Routes(ANTHROPIC.name, __name__, about(ANTHROPIC), "/v1/messages")


class CountBody(MessagesBody):
    """The body of a message, but for what is of its answer alone."""

    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 1


class TokenCount(TypedDict):
    """How many tokens the request takes, estimated from its size."""

    input_tokens: int


@routes.post("/count_tokens")
@operation(
    "Estimate how many tokens a message takes", Answer("The count."), errors=(), takes_parts=True
)
def count_tokens(body: CountBody) -> TokenCount:
    said = sum(tokens_of(message) for message in conversation(body))
    return {"input_tokens": said + _cost_of_tools(body.tools or ())}


def _cost_of_tools(tools: Any) -> int:
    return sum(estimate_tokens(json_line(tool).decode()) for tool in tools)
