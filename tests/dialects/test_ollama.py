"""Ollama's dialect: one JSON object a line, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.messages import ProviderMessage, text_parts
from app.core.runs import RunEnd
from app.core.usage import Usage
from app.dialects.ollama import OllamaChat
from tests.dialects.speech import refusal, reply_of, said, streamed, thought, whole
from tests.support.samples import run_end

DIALECT = OllamaChat()
AT = '"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z"'
FIGURES = (
    '"total_duration":2000000000,"load_duration":0,"prompt_eval_count":5,'
    '"prompt_eval_duration":500000000,"eval_count":2,"eval_duration":1500000000'
)
HI = [{"role": "user", "content": "hi"}]
BODY: dict[str, Any] = {"model": "llama", "messages": HI}


def line(content: str, more: str = "") -> str:
    message = '{"role":"assistant","content":"%s"%s}' % (content, more)
    return '{%s,"message":%s,"done":false}\n' % (AT, message)


def last(reason: str = "stop") -> str:
    return (
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:22.000Z",'
        '"message":{"role":"assistant","content":""},"done":true,"done_reason":"%s",%s}\n'
        % (reason, FIGURES)
    )


OPEN = line("")


@pytest.mark.parametrize(
    "reason,done", [("stop", "stop"), ("length", "length"), ("content_filter", "stop")]
)
def test_done_reason_is_one_that_ollama_has(reason: str, done: str) -> None:
    end = run_end("completed", reason)

    assert streamed(DIALECT, said("a", end=end)) == OPEN + line("a") + last(done)


def test_reasoning_is_thinking() -> None:
    assert streamed(DIALECT, thought("hm", "Yes")) == (
        OPEN + line("", ',"thinking":"hm"') + line("Yes") + last()
    )


def test_silence_is_told_by_a_line_without_text() -> None:
    assert DIALECT.encoder(reply_of([]), 0, {}).heartbeat == OPEN.encode()
    assert DIALECT.content_type == "application/x-ndjson"


def test_run_without_a_first_piece_took_no_time_to_it() -> None:
    end = RunEnd("stopped", "stopped", Usage(1, 0), 2.0)
    answer = whole(DIALECT, said(end=end))

    assert (answer["prompt_eval_duration"], answer["eval_duration"]) == (0, 2_000_000_000)


# --- requests -----------------------------------------------------------------------------------


def test_body_with_all_fields_is_read() -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    options = {"temperature": 0.5, "num_predict": 9, "num_ctx": 4096}
    body = {**BODY, "messages": messages, "options": options, "stream": False, "keep_alive": "5m"}
    spoken = DIALECT.parse(body, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        model="llama",
        temperature=0.5,
        max_tokens=9,
        listed=False,
        history=(ProviderMessage("system", text_parts("Be brief.")),),
        stop_when_unwatched=True,
        names={"message": "messages.1.content", "history": "messages"},
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {}, False)


@pytest.mark.parametrize(
    "more", [{}, {"options": None}, {"options": {}}, {"tools": [], "format": ""}]
)
def test_answer_streams_unless_told_otherwise(more: dict[str, Any]) -> None:
    spoken = DIALECT.parse({**BODY, **more}, {})

    assert spoken.streams is True
    assert (spoken.request.temperature, spoken.request.max_tokens) == (None, None)


@pytest.mark.parametrize("endless", [-1, -2, 0])
def test_num_predict_without_a_limit_is_none(endless: int) -> None:
    request = DIALECT.parse({**BODY, "options": {"num_predict": endless}}, {}).request

    assert request.max_tokens is None


@pytest.mark.parametrize(
    "change,field",
    [
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "robot"}]}, "messages.0.role"),
        ({"messages": [*HI, {"role": "user"}]}, "messages.1.content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "\x00"}, *HI]}, "messages.0.content"),
        ({"stream": "no"}, "stream"),
        ({"options": []}, "options"),
        ({"options": {"temperature": 3}}, "options.temperature"),
        ({"options": {"num_predict": "9"}}, "options.num_predict"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {**BODY, **change}).fields) == {field}
