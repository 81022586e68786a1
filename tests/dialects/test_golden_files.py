"""Pictures that models make, in every dialect, to the last byte; where there is no place for them,
as if there were none."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import FILE, Entry
from app.dialects.routes import AI_SDK, OPENAI
from tests.dialects.golden import OPEN
from tests.dialects.rows import DONE, UI_FINISH, UI_START, openai_chunk
from tests.dialects.speech import reply_of, said, streamed, whole
from tests.dialects.test_conformance import GOLDEN
from tests.support.kinds import DATA, entry_of
from tests.support.samples import end_entry, texts

MADE = [*texts("Here"), entry_of(FILE, 2), *texts(" it is", first=3), end_entry(4)]
ALONE = [entry_of(FILE, 1), end_entry(2)]
URL = "/api/attachments/at-1"
IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": URL}}
CHUNK = openai_chunk(f'{{"images":[{{"type":"image_url","image_url":{{"url":"{URL}"}}}}]}}')
UI_CHUNK = f'data: {{"type":"file","mediaType":"image/png","url":"{URL}"}}\n\n'
NATIVE = (
    "id: run-1:2\n"
    'data: {"file":{"attachment_id":"at-1","name":"a.png","media_type":"image/png","bytes":70,'
    '"width":1,"height":2},"run_id":"run-1","seq":2}\n\n'
)


def ui_text(part: int, text: str) -> str:
    return (
        f'data: {{"type":"text-start","id":"part-{part}"}}\n\n'
        f'data: {{"type":"text-delta","id":"part-{part}","delta":"{text}"}}\n\n'
        f'data: {{"type":"text-end","id":"part-{part}"}}\n\n'
    )


STREAMS = {
    "openai_chat": (
        OPEN
        + openai_chunk('{"role":"assistant","content":""}')
        + openai_chunk('{"content":"Here"}')
        + CHUNK
        + openai_chunk('{"content":" it is"}')
        + openai_chunk("{}", '"stop"')
        + DONE
    ),
    "ai_sdk": UI_START + ui_text(1, "Here") + UI_CHUNK + ui_text(2, " it is") + UI_FINISH,
}


@pytest.mark.parametrize("name", STREAMS)
def test_picture_is_what_is_written_down(name: str) -> None:
    assert streamed(GOLDEN[name].dialect, MADE) == STREAMS[name]


def test_native_event_is_between_those_of_the_text() -> None:
    before, found, after = streamed(GOLDEN["native"].dialect, MADE).partition(NATIVE)

    assert (found, before.count('"token"'), after.count('"token"')) == (NATIVE, 1, 1)


@pytest.mark.parametrize("name", [name for name in GOLDEN if FILE not in GOLDEN[name].shows])
def test_without_a_place_there_is_none(name: str) -> None:
    dialect = GOLDEN[name].dialect
    text = [entry._replace(seq=seq) for seq, entry in enumerate(without_files(MADE), 1)]

    assert streamed(dialect, MADE) == streamed(dialect, text)
    assert whole(dialect, MADE) == whole(dialect, text)


def without_files(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind != FILE]


def test_whole_message_of_openai_has_them() -> None:
    message = whole(OPENAI, MADE)["choices"][0]["message"]

    assert (message["content"], message["images"]) == ("Here it is", [IMAGE])
    assert "images" not in whole(OPENAI, said("a"))["choices"][0]["message"]


def test_message_of_the_ai_sdk_has_them() -> None:
    assert whole(AI_SDK, MADE)["parts"] == [
        {"type": "text", "text": "Here it is"},
        {"type": "file", "mediaType": "image/png", "url": URL},
    ]


@pytest.mark.parametrize("name", ["openai_chat", "ai_sdk", "native"])
def test_picture_alone_is_an_answer(name: str) -> None:
    stream = streamed(GOLDEN[name].dialect, ALONE)

    assert DATA[FILE]["attachment_id"] in stream
    assert DATA[FILE]["sha256"] not in stream


def test_stream_that_is_resumed_after_a_picture_begins_no_step_again() -> None:
    step = Entry(1, "step_end", {"usage": {}, "finish_reason": "tool_calls"}, 0.0)
    log = [step, entry_of(FILE, 2), *texts("So", first=3), end_entry(4)]
    encoder = AI_SDK.encoder(reply_of(log), 2, {})

    assert encoder.opening.decode().count('"start-step"') == 1
    assert encoder.encode(log[2:3]).decode().count('"start-step"') == 0
