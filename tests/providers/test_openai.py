"""What OpenAI-compatible servers differ in; the rest is in the providers' contract."""

from __future__ import annotations

import pytest

from app.providers.openai.provider import max_tokens_field_of
from tests.support.asking import ask
from tests.support.upstream import Upstream
from tests.support.wires import OPENAI, send


@pytest.mark.parametrize(
    "base_url,field",
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:11434/v1", "max_tokens"),
        ("https://openrouter.ai/api/v1", "max_tokens"),
    ],
)
def test_limit_of_tokens_goes_by_two_names(base_url: str, field: str) -> None:
    assert max_tokens_field_of(base_url) == field


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_limit_of_tokens_goes_by_the_name_set(model_server: Upstream, field: str) -> None:
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}", max_tokens_field=field)
    model_server.reply = send(OPENAI.text("a"), OPENAI.end("stop", 5, 3))
    ask(provider, max_tokens=7, temperature=0.5)

    body = model_server.exchanges[0].body
    assert {name: body[name] for name in body if name.startswith("max")} == {field: 7}
    assert body["temperature"] == 0.5
