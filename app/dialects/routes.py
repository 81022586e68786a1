"""The table of dialects: one row a route. A new dialect is one new file and its rows here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.dialects.ai_sdk.chat import AiSdk
from app.dialects.anthropic.chat import ClaudeMessages
from app.dialects.dialect import Dialect
from app.dialects.documents.completions import CompletionsStream
from app.dialects.documents.conversation import ConversationChat
from app.dialects.documents.either import PromptOrConversation
from app.dialects.documents.prompt import PromptChat, PromptConversation
from app.dialects.documents.session_messages import SessionMessages
from app.dialects.native import Native
from app.dialects.ollama import OllamaChat
from app.dialects.openai.chat import OpenAIChat
from app.dialects.prompts.ollama_generate import OllamaGenerate
from app.dialects.prompts.openai_completions import OpenAICompletions
from app.dialects.responses.responses import Responses


@dataclass(frozen=True, slots=True)
class Route:
    """A path that starts a run; whether its answer streams, comes whole, or as its body asks."""

    path: str
    dialect: Dialect
    answer: Literal["stream", "whole", "asked"]


NATIVE = Native()
COMPLETIONS = CompletionsStream()
SESSION_MESSAGES = SessionMessages()
OPENAI = OpenAIChat()
AI_SDK = AiSdk()
ANTHROPIC = ClaudeMessages()
RESPONSES = Responses()
OLLAMA = OllamaChat()
ROUTES: tuple[Route, ...] = (
    Route("/api/chat/stream", NATIVE, "stream"),
    Route("/api/chat", NATIVE, "whole"),
    Route("/chat/completions/stream", COMPLETIONS, "stream"),
    Route("/chat/completions", COMPLETIONS, "whole"),
    Route("/sessions/<session_id>/messages/stream", SESSION_MESSAGES, "stream"),
    Route("/sessions/<session_id>/messages", SESSION_MESSAGES, "whole"),
    Route("/chat", PromptOrConversation(PromptChat(), ConversationChat()), "asked"),
    Route("/chat/conversation", PromptConversation(), "asked"),
    Route("/v1/chat/completions", OPENAI, "asked"),
    Route("/v1/completions", OpenAICompletions(), "asked"),
    Route("/v1/responses", RESPONSES, "asked"),
    Route("/v1/messages", ANTHROPIC, "asked"),
    Route("/api/ai-sdk/chat", AI_SDK, "stream"),
    Route("/ollama/api/chat", OLLAMA, "asked"),
    Route("/ollama/api/generate", OllamaGenerate(), "asked"),
)
# By the name that a dialect's other routes and its tag in the API's description have.
DIALECTS: dict[str, Dialect] = {route.dialect.name: route.dialect for route in ROUTES}
