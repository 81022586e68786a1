"""Whose path it is, also where there is no route: an error has the shape that its client reads."""

from __future__ import annotations

import pytest

from app.transports.http.hooks import dialect_of_path


@pytest.mark.parametrize(
    "path,name",
    [
        ("/api/chat", "native"),
        ("/api/nothing", "native"),
        ("/", "native"),
        ("/favicon.ico", "native"),
        ("/api/ai-sdk/chat", "ai_sdk"),
        ("/api/ai-sdk/chat/", "ai_sdk"),
        ("/v1/nothing", "openai_chat"),
        ("/v1", "openai_chat"),
        ("/ollama/api/tags", "ollama_chat"),
        ("/sessions/x/y/z", "session_messages"),
        ("/chat/completions", "completions_stream"),
        ("/chat", "prompt_or_conversation"),
    ],
)
def test_path_belongs_to_a_dialect(path: str, name: str) -> None:
    assert dialect_of_path(path).name == name
