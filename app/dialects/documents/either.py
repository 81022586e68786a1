"""`POST /chat` belongs to two documents: what the body has says which of them is spoken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.errors import ChatError, InvalidRequest
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken
from app.dialects.documents.conversation import ConversationChat
from app.dialects.documents.prompt import PromptChat


class PromptOrConversation(Dialect):
    """A prompt, where the body has `prompt`; with `conversation` a client's own conversation."""

    name = "prompt_or_conversation"

    def __init__(self, prompt: PromptChat, conversation: ConversationChat) -> None:
        self._prompt = prompt
        self._conversation = conversation
        self.body = prompt.body | conversation.body
        self.event = prompt.event | conversation.event
        self.answer = prompt.answer | conversation.answer
        self.problem = prompt.problem | conversation.problem
        self.examples = (*prompt.examples, *conversation.examples)
        self.own_headers = {**prompt.own_headers, **conversation.own_headers}

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request, spoken by one of the two. Raises InvalidRequest naming both."""
        has_prompt, has_conversation = "prompt" in body, "conversation" in body
        if has_prompt == has_conversation:
            why = "send one of `prompt` and `conversation`, not "
            why += "both" if has_prompt else "neither"
            raise InvalidRequest({"prompt": why, "conversation": why})
        return (self._prompt if has_prompt else self._conversation).parse(body, path)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return the prompt's; what was parsed has a dialect of its own, and is not asked here."""
        return self._prompt.encoder(reply, after, options)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the prompt's; what was parsed has a dialect of its own, and is not asked here."""
        return self._prompt.whole(reply, options)

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return what either client finds its key in."""
        return {**self._prompt.error(error), **self._conversation.error(error)}
