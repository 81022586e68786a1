"""Who answers is named by every dialect that names anybody, also where it is not who was asked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from app.core.entries import STATUS, Entry
from app.dialects.dialect import Dialect, named_by
from app.dialects.documents.completions import CompletionsStream
from app.dialects.documents.conversation import ConversationChat
from app.dialects.documents.prompt import PromptChat
from app.dialects.native import Native
from app.dialects.ollama import OllamaChat
from app.dialects.openai.chat import OpenAIChat
from tests.dialects.speech import reply_of
from tests.support.clock import START
from tests.support.samples import end_entry, run_end, texts

ASKED, OTHER = "scripted-1", "other-1"
RETRYING = Entry(1, STATUS, {"status": "retrying", "attempt": 2, "provider": "other"}, START)
ANSWERING = Entry(2, STATUS, {"status": "answering", "provider": "other", "model": OTHER}, START)
END = end_entry(5, replace(run_end(), provider="other", model=OTHER))
SAID = [RETRYING, ANSWERING, *texts("Hel", "lo", first=3), END]

EACH_EVENT = [CompletionsStream(), ConversationChat(), OpenAIChat(), OllamaChat()]
each_event = pytest.mark.parametrize("dialect", EACH_EVENT, ids=lambda dialect: dialect.name)


def models(encoded: bytes) -> list[str]:
    return re.findall(r'"model":"([^"]+)"', encoded.decode())


@each_event
def test_events_name_the_other_from_its_first_piece_on(dialect: Dialect) -> None:
    encoder = dialect.encoder(reply_of([]), 0, {})

    assert set(models(encoder.opening + encoder.encode([RETRYING]))) <= {ASKED}
    assert encoder.encode([ANSWERING]) == b""
    assert models(encoder.encode(SAID[2:])) == [OTHER] * 3
    assert set(models(encoder.heartbeat)) <= {OTHER}


@each_event
@pytest.mark.parametrize("after", [0, 2, 3])
@pytest.mark.parametrize("upto", [2, 4, 5])
def test_viewer_that_comes_later_is_told_nothing_else(
    dialect: Dialect, after: int, upto: int
) -> None:
    encoder = dialect.encoder(reply_of(SAID[:upto]), after, {})

    assert set(models(encoder.opening + encoder.encode(SAID[after:]))) == {OTHER}


@each_event
def test_who_was_asked_is_named_where_it_answers(dialect: Dialect) -> None:
    said = [RETRYING, *texts("Hel", "lo", first=2), end_entry(4)]
    encoder = dialect.encoder(reply_of(said), 0, {})

    assert set(models(encoder.opening + encoder.encode(said))) == {ASKED}


@pytest.mark.parametrize("dialect", [*EACH_EVENT, PromptChat(), Native()], ids=lambda one: one.name)
def test_whole_answer_names_who_its_end_names(dialect: Dialect) -> None:
    whole = dialect.whole(reply_of(SAID), {})

    assert whole.get("model") == OTHER
    assert whole.get("provider", "other") == "other"


def test_document_with_a_provider_names_that_too() -> None:
    encoder = CompletionsStream().encoder(reply_of(SAID), 0, {})

    assert encoder.encode(SAID).decode().count('"provider":"other"') == 3


def test_native_clients_see_the_status() -> None:
    encoded = Native().encoder(reply_of([]), 0, {}).encode([ANSWERING])

    assert json.loads(encoded.split(b"data: ")[1]) == {
        **{"age_s": 0.0, "status": "answering", "provider": "other", "model": OTHER},
        **{"run_id": "run-1", "seq": 2},
    }


@pytest.mark.parametrize(
    "data",
    [{}, {"status": "thinking"}, {"status": "answering"}, ["answering"], {"status": ["answering"]}],
)
def test_other_statuses_name_nobody(data: Any) -> None:
    assert named_by(Entry(1, STATUS, data, START)) is None
