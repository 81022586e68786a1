"""The demo: answers without a model, and says how to set one up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.messages import ProviderMessage, text_parts
from app.core.runs import ProviderRequest
from app.providers.demo import QUOTE_CHARS, DemoProvider
from app.runs.ports import Piece
from tests.support.samples import provider_request


def ask(request: ProviderRequest, words: int = 3) -> tuple[list[list[Piece]], list[float]]:
    """Return the demo's batches, and its pauses."""
    pauses: list[float] = []
    batches = DemoProvider(pauses.append, words, 0.1).stream(request)
    return [list(batch) for batch in batches], pauses


def reply_to(message: str) -> str:
    batches, _ = ask(provider_request(message))
    return "".join(data for batch in batches for kind, data in batch if kind == "text")


@pytest.mark.parametrize("setting", ["OPENAI_API_KEY", "OPENAI_BASE_URL", ".env", "make run"])
def test_demo_says_how_to_set_up_a_model(setting: str) -> None:
    assert setting in reply_to("hi")


@pytest.mark.parametrize("markdown", ["\n|---|---|\n", "\n1. ", "\n```bash\n", "**demo**"])
def test_demo_gives_a_front_end_something_to_render(markdown: str) -> None:
    assert markdown in reply_to("hi")


def test_demo_quotes_the_last_message_on_one_line() -> None:
    said = (
        ProviderMessage("user", text_parts("old")),
        ProviderMessage("user", text_parts("new\n\n {line} ")),
    )
    request = replace(
        provider_request(), messages=(*said, ProviderMessage("assistant", text_parts("x")))
    )
    batches, _ = ask(request)

    assert "\n> new {line}\n" in "".join(batch[0][1] for batch in batches)


def test_long_message_is_quoted_in_part() -> None:
    assert f"> {'x' * QUOTE_CHARS}…\n" in reply_to("x" * 1000)


def test_demo_answers_even_nobody() -> None:
    batches, _ = ask(replace(provider_request(), messages=()))

    assert batches[-1] == [("finish", "stop")]


def test_paced_reply_comes_piece_by_piece() -> None:
    batches, pauses = ask(provider_request())

    assert all(len(batch) == 1 for batch in batches)
    assert pauses == [0.1] * (len(batches) - 2)


def test_reply_that_is_not_streamed_comes_at_once() -> None:
    batches, pauses = ask(replace(provider_request(), paced=False))

    assert (len(batches), pauses) == (2, [])
    assert "".join(data for _, data in batches[0]) == reply_to("hi")


@pytest.mark.parametrize("words,said", [(1, "one word at a time"), (5, "5 words at a time")])
def test_demo_says_how_it_is_paced(words: int, said: str) -> None:
    batches, _ = ask(provider_request(), words)

    assert said in "".join(batch[0][1] for batch in batches)
