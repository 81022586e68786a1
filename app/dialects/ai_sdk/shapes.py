"""The shapes of the AI SDK's chats: what `useChat` sends, and the parts of its streams.
/openapi.json is made of them.

The clients do not say which version they are, so that their user does: versions up to 5 die on a
part or a field that they do not know, and the newer parts are sent only to who has asked for them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.dialects.calls import CallParameters
from app.dialects.frames import Body, Id, OnDisconnect

NEWER = 6  # the first version that knows approvals, and passes over what it does not know
PARTS = (
    "`text`, and of the user's `file` with `mediaType`, `url` and `filename`: the URL is a `data:` "
    "one with base64, `/api/attachments/<id>`, or, of an image, an `https:` one."
)
Version = Annotated[int, Field(strict=False, ge=5, le=99)]


class UiMessage(Body):
    """One message of the client's. Of the user's its texts and files are read, of a reply what its
    tools answered."""

    id: str = ""
    role: Literal["system", "user", "assistant"]
    parts: Annotated[list[dict[str, Any]], Field(description=PARTS)] = []
    metadata: Any = None

    def text(self) -> str:
        """Return the text parts, joined."""
        texts = (part.get("text") for part in self.parts if part.get("type") == "text")
        return "".join(text for text in texts if isinstance(text, str))

    @property
    def run_id(self) -> str | None:
        """The run that a reply is of, if it says so."""
        found = self.metadata.get("runId") if isinstance(self.metadata, dict) else None
        return found if isinstance(found, str) else None


class UiOptions(Body):
    """What a stream is to be like."""

    version: Version = 5


class UiChatBody(CallParameters, UiOptions):
    """What `useChat` sends; from `model` on it may be given in its `body` option."""

    id: Id
    messages: list[UiMessage]
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    messageId: str | None = None
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    tools: list[str | dict[str, Any]] | None = None
    on_disconnect: OnDisconnect = "continue"


class UiPart(TypedDict):
    """One part of the stream; which fields it has depends on its type."""

    type: Literal[
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-input-error",
        "tool-approval-request",
        "tool-output-available",
        "tool-output-error",
        "tool-output-denied",
        "source-url",
        "file",
        "finish-step",
        "finish",
        "error",
        "abort",
    ]
    id: NotRequired[str]
    delta: NotRequired[str]
    messageId: NotRequired[str]
    messageMetadata: NotRequired[dict[str, Any]]
    errorText: NotRequired[str]
    finishReason: NotRequired[str]
    toolCallId: NotRequired[str]
    toolName: NotRequired[str]
    inputTextDelta: NotRequired[str]
    input: NotRequired[Any]
    output: NotRequired[Any]
    preliminary: NotRequired[bool]
    approvalId: NotRequired[str]
    sourceId: NotRequired[str]
    url: NotRequired[str]
    title: NotRequired[str]
    mediaType: NotRequired[str]


class UiReply(TypedDict):
    """The reply as one message of the client's."""

    id: str
    role: Literal["assistant"]
    parts: list[dict[str, str]]
