"""The table of dialects: one row a route. A new dialect is one new file and its rows here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.dialects.ai_sdk import AiSdk
from app.dialects.base import Dialect
from app.dialects.chat_route import PromptOrConversation
from app.dialects.completions_stream import CompletionsStream
from app.dialects.conversation_chat import ConversationChat
from app.dialects.native import Native
from app.dialects.ollama_chat import OllamaChat
from app.dialects.openai_chat import OpenAIChat
from app.dialects.prompt_chat import PromptChat, PromptConversation
from app.dialects.session_messages import SessionMessages


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
    Route("/api/ai-sdk/chat", AI_SDK, "stream"),
    Route("/ollama/api/chat", OllamaChat(), "asked"),
)
