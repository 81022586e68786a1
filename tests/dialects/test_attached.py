"""Pictures and files in each wire's own shape: what becomes of them, and what is refused by the
name that it has there. Their base64 is not looked into here."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest, RequestError, UnsupportedParameter
from app.dialects.dialect import Dialect
from app.dialects.routes import AI_SDK, ANTHROPIC, OLLAMA, OPENAI, RESPONSES, ROUTES
from tests.dialects.speech import refusal

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjcK"
RAW = "iVBORw0KGgo="
HTTPS = "https://example.org/a%20b.png?x=1#y"
OURS = "/api/attachments/0123456789abcdef"
NAMED = {"type": "attachment", "attachment_id": "0123456789abcdef"}
TEXT = {"type": "text", "text": "What is it?"}
LONG = "x" * 257
CALLED = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "hi"}
GENERATE = next(route.dialect for route in ROUTES if route.path == "/ollama/api/generate")

Say = Callable[[Any], dict[str, Any]]


def openai(part: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": [TEXT, part]}]}


def responses(part: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": TEXT["text"]}, part]
    return {"model": "m", "input": [{"role": "user", "content": content}]}


def ai_sdk(part: Any) -> dict[str, Any]:
    return {"id": "c", "messages": [{"id": "1", "role": "user", "parts": [TEXT, part]}]}


def anthropic(part: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [TEXT, part]}]}


def ollama(part: Any) -> dict[str, Any]:
    message = {"role": "user", "content": TEXT["text"], "images": [part]}
    return {"model": "m", "messages": [message]}


def generate(part: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": TEXT["text"], "images": [part]}


WIRES: dict[Say, tuple[Dialect, str]] = {  # where the part is
    openai: (OPENAI, "messages.0.content.1"),
    responses: (RESPONSES, "input.0.content.1"),
    ai_sdk: (AI_SDK, "messages.0.parts.1"),
    anthropic: (ANTHROPIC, "messages.0.content.1"),
    ollama: (OLLAMA, "messages.0.images.0"),
    generate: (GENERATE, "images.0"),
}


def image_url(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**said: Any) -> dict[str, Any]:
    return {"type": "file", "file": said}


def source(kind: str, **said: Any) -> dict[str, Any]:
    return {"type": kind, "source": said}


def ui_file(url: Any, media_type: Any = "image/png", **more: Any) -> dict[str, Any]:
    return {"type": "file", "mediaType": media_type, "url": url, **more}


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PNG_SOURCE = {"type": "base64", "media_type": "image/png", "data": RAW}
PDF_SOURCE = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
TEXT_SOURCE = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
URL = {"type": "image", "url": HTTPS}

# Of each wire: a part, what it becomes, and where in the part what it is made of is.
TAKEN: list[tuple[Say, Any, dict[str, Any], str]] = [
    (openai, image_url(PNG), {"type": "image", "data": PNG}, ".image_url.url"),
    (openai, image_url(PNG, detail="auto"), {"type": "image", "data": PNG}, ".image_url.url"),
    (
        openai,
        image_url(PNG, detail="low"),
        {"type": "image", "data": PNG, "detail": "low"},
        ".image_url.url",
    ),
    (
        openai,
        image_url("DATA:image/png;base64,AA=="),
        {"type": "image", "data": "data:image/png;base64,AA=="},
        ".image_url.url",
    ),
    (openai, image_url(HTTPS, detail="high"), URL, ""),
    (openai, image_url("HTTPS://example.org/a"), {**URL, "url": "https://example.org/a"}, ""),
    (openai, image_url(OURS), NAMED, ".image_url.url"),
    (openai, image_url(f"http://127.0.0.1:5000{OURS}"), NAMED, ".image_url.url"),
    (openai, image_url(f"https://chat.example{OURS}"), NAMED, ".image_url.url"),
    (
        openai,
        image_url(f"https://chat.example{OURS}/x"),
        {**URL, "url": f"https://chat.example{OURS}/x"},
        "",
    ),
    (
        openai,
        file(filename="a.pdf", file_data=PDF),
        {"type": "file", "data": PDF, "name": "a.pdf"},
        ".file.file_data",
    ),
    (openai, file(file_data="JVBERi0="), {"type": "file", "data": "JVBERi0="}, ".file.file_data"),
    (openai, file(file_data=OURS), NAMED, ".file.file_data"),
    (
        openai,
        file(filename="a\x00b", file_data=PDF),
        {"type": "file", "data": PDF, "name": "a\ufffdb"},
        ".file.file_data",
    ),
    (
        responses,
        {"type": "input_image", "image_url": PNG, "detail": "high"},
        {"type": "image", "data": PNG, "detail": "high"},
        ".image_url",
    ),
    (responses, {"type": "input_image", "image_url": HTTPS, "file_id": None}, URL, ""),
    (responses, {"type": "input_image", "image_url": OURS}, NAMED, ".image_url"),
    (
        responses,
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        {"type": "file", "data": PDF, "name": "a.pdf"},
        ".file_data",
    ),
    (responses, {"type": "input_file", "file_url": OURS}, NAMED, ".file_url"),
    (
        ai_sdk,
        ui_file(PNG, filename="a.png"),
        {"type": "image", "data": PNG, "name": "a.png"},
        ".url",
    ),
    (ai_sdk, ui_file(PDF, "application/pdf"), {"type": "file", "data": PDF}, ".url"),
    (ai_sdk, ui_file(OURS), NAMED, ".url"),
    (ai_sdk, ui_file(f"https://chat.example{OURS}", "text/csv"), NAMED, ".url"),
    (ai_sdk, ui_file(HTTPS, "image/*"), URL, ""),
    (anthropic, source("image", **PNG_SOURCE), {"type": "image", "data": RAW}, ".source.data"),
    (anthropic, source("image", type="url", url=HTTPS), URL, ""),
    (anthropic, source("image", type="url", url=OURS), NAMED, ".source.url"),
    (
        anthropic,
        {**source("document", **PDF_SOURCE), "title": "Plan", "cache_control": {}},
        {"type": "file", "data": "JVBERi0=", "name": "Plan"},
        ".source.data",
    ),
    (
        anthropic,
        {**source("document", **TEXT_SOURCE), "citations": {"enabled": False}, "context": None},
        {"type": "file", "data": f"data:text/plain;base64,{base64_of('Grüße')}"},
        ".source.data",
    ),
    (anthropic, source("document", type="url", url=OURS), NAMED, ".source.url"),
    (ollama, RAW, {"type": "image", "data": RAW}, ""),
    (generate, RAW, {"type": "image", "data": RAW}, ""),
]


def names(row: Any) -> str:
    return row.__name__ if callable(row) else ""


@pytest.mark.parametrize(("say", "part", "becomes", "where"), TAKEN, ids=names)
def test_part_is_taken(say: Say, part: Any, becomes: dict[str, Any], where: str) -> None:
    dialect, field = WIRES[say]
    request = dialect.parse(say(part), {}).request
    expected = becomes if "url" in becomes else {**becomes, "field": field + where}

    assert request.content == (TEXT, expected)


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": [image_url(PNG)]}]}, OPENAI),
        (
            {
                "model": "m",
                "input": [{"role": "user", "content": [{"type": "input_image", "image_url": PNG}]}],
            },
            RESPONSES,
        ),
        (
            {
                "id": "c",
                "messages": [
                    {"role": "user", "parts": [{"type": "text", "text": ""}, ui_file(PNG)]}
                ],
            },
            AI_SDK,
        ),
        (
            {
                "model": "m",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": [source("image", **PNG_SOURCE)]}],
            },
            ANTHROPIC,
        ),
        (
            {"model": "m", "messages": [{"role": "user", "content": "", "images": [RAW]}]},
            OLLAMA,
        ),
        ({"model": "m", "prompt": "", "images": [RAW]}, GENERATE),
    ],
)
def test_picture_alone_is_a_message(body: dict[str, Any], dialect: Dialect) -> None:
    (part,) = dialect.parse(body, {}).request.content

    assert part["type"] == "image"


@pytest.mark.parametrize("say", [openai, responses, anthropic, ollama])
def test_picture_may_be_in_what_was_said_before(say: Say) -> None:
    dialect, field = WIRES[say]
    parts: dict[Say, Any] = {
        openai: image_url(PNG),
        responses: {"type": "input_image", "image_url": PNG},
        anthropic: source("image", **PNG_SOURCE),
        ollama: RAW,
    }
    body = say(parts[say])
    body["input" if say is responses else "messages"] += [
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"},
    ]
    first, *_ = dialect.parse(body, {}).request.history

    assert [part["type"] for part in first.content] == ["text", "image"]
    assert first.content[1]["field"].startswith(field)


@pytest.mark.parametrize("calls", [None, [CALLED]])
def test_picture_that_a_model_made_is_brought_back(calls: Any) -> None:
    made = {"role": "assistant", "content": "Here.", "images": [image_url(OURS)]}
    body = {"model": "m", "messages": [{**made, "tool_calls": calls}, USER]}
    text, image, *called = OPENAI.parse(body, {}).request.history[0].content

    assert (text["text"], image["attachment_id"]) == ("Here.", NAMED["attachment_id"])
    assert [part["type"] for part in called] == (["tool_call"] if calls else [])


@pytest.mark.parametrize(
    ("role", "image", "field"),
    [
        ("user", image_url(OURS), "messages.0.images"),
        ("assistant", image_url("http://a.org/b.png"), "messages.0.images.0.image_url.url"),
        ("assistant", {"type": "video"}, "messages.0.images.0"),
    ],
)
def test_picture_that_no_model_made_is_refused(role: str, image: Any, field: str) -> None:
    message = {"role": role, "content": "hi", "images": [image]}

    assert list(refusal(OPENAI, {"model": "m", "messages": [message, USER]}).fields) == [field]


def test_reply_that_is_asked_for_again_brings_no_picture() -> None:
    body = {**ai_sdk(ui_file(PNG)), "trigger": "regenerate-message"}
    request: ChatRequest = AI_SDK.parse(body, {}).request

    assert request.content == (TEXT,)


# Of each wire: a part that is refused, whether it is known and not supported, and where.
REFUSED: list[tuple[Say, Any, bool, str]] = [
    (openai, image_url("http://example.org/a.png"), False, ".image_url.url"),
    (openai, image_url("ftp://example.org/a.png"), False, ".image_url.url"),
    (openai, image_url("file:///etc/passwd"), False, ".image_url.url"),
    (openai, image_url("/api/attachments/../models"), False, ".image_url.url"),
    (openai, image_url("/api/attachments/"), False, ".image_url.url"),
    (openai, image_url("https://"), False, ".image_url.url"),
    (openai, image_url("https://example.org/a b"), False, ".image_url.url"),
    (openai, image_url("https://example.org/a\n"), False, ".image_url.url"),
    (openai, image_url("https://example.org/\x00"), False, ".image_url.url"),
    (openai, image_url("https://example.org/\ud800"), False, ".image_url.url"),
    (openai, image_url("https://example.org/" + "x" * 4096), False, ".image_url.url"),
    (openai, image_url(""), False, ".image_url.url"),
    (openai, image_url(None), False, ".image_url.url"),
    (openai, image_url({"url": PNG}), False, ".image_url.url"),
    (openai, image_url(PNG, detail="huge"), False, ".image_url.detail"),
    (openai, image_url(PNG, detail=["low"]), False, ".image_url.detail"),
    (openai, {"type": "image_url"}, False, ".image_url"),
    (openai, {"type": "image_url", "image_url": PNG}, False, ".image_url"),
    (openai, {"type": "file", "file": None}, False, ".file"),
    (openai, file(filename="a.pdf"), False, ".file.file_data"),
    (openai, file(file_data=5), False, ".file.file_data"),
    (openai, file(file_data="http://example.org/a.pdf"), False, ".file.file_data"),
    (openai, file(file_data="https://example.org/a.pdf"), True, ".file.file_data"),
    (openai, file(file_data=PDF, filename=LONG), False, ".file.filename"),
    (openai, file(file_data=PDF, filename=["a"]), False, ".file.filename"),
    (openai, file(file_id="file-1"), True, ".file.file_id"),
    (openai, {"type": "input_audio", "input_audio": {"data": "AA=="}}, True, ""),
    (openai, {"type": "video_url", "video_url": {"url": HTTPS}}, True, ""),
    (openai, {"type": "text"}, False, ".text"),
    (openai, {"type": "text", "text": 1}, False, ".text"),
    (openai, {"text": "hi"}, True, ""),
    (openai, {"type": ["text"]}, True, ""),
    (responses, {"type": "input_image"}, False, ".image_url"),
    (responses, {"type": "input_image", "image_url": "http://a.org/b"}, False, ".image_url"),
    (responses, {"type": "input_image", "image_url": PNG, "detail": 1}, False, ".detail"),
    (responses, {"type": "input_image", "file_id": "file-1"}, True, ".file_id"),
    (responses, {"type": "input_file", "file_id": "file-1"}, True, ".file_id"),
    (responses, {"type": "input_file", "file_url": "https://a.org/b.pdf"}, True, ".file_url"),
    (responses, {"type": "input_file", "file_url": "http://a.org/b.pdf"}, False, ".file_url"),
    (responses, {"type": "input_file"}, False, ".file_data"),
    (responses, {"type": "input_file", "file_data": PDF, "filename": 1}, False, ".filename"),
    (responses, {"type": "input_audio"}, True, ""),
    (responses, {"type": "input_text"}, False, ".text"),
    (responses, {"type": "video"}, True, ""),
    (responses, "picture", True, ""),
    (ai_sdk, ui_file("http://example.org/a.png"), False, ".url"),
    (ai_sdk, ui_file("blob:https://example.org/1"), False, ".url"),
    (ai_sdk, ui_file("https://example.org/a.pdf", "application/pdf"), True, ".url"),
    (ai_sdk, ui_file(None), False, ".url"),
    (ai_sdk, ui_file(PNG, None), False, ".mediaType"),
    (ai_sdk, ui_file(PNG, filename=LONG), False, ".filename"),
    (anthropic, source("image", type="file", file_id="f"), True, ".source.type"),
    (anthropic, source("image", type="text", data="hi"), True, ".source.type"),
    (anthropic, source("image", type="url", url="http://a.org/b.png"), False, ".source.url"),
    (anthropic, source("image", **{**PNG_SOURCE, "data": ""}), False, ".source.data"),
    (anthropic, source("image", **{**PNG_SOURCE, "data": 5}), False, ".source.data"),
    (
        anthropic,
        source("image", **{**PNG_SOURCE, "media_type": "image/svg+xml"}),
        False,
        ".source.media_type",
    ),
    (anthropic, source("image", type="base64", data=RAW), False, ".source.media_type"),
    (anthropic, {"type": "image"}, False, ".source"),
    (anthropic, {"type": "document", "source": PDF}, False, ".source"),
    (anthropic, source("document", type="url", url="https://a.org/b.pdf"), True, ".source.url"),
    (anthropic, source("document", type="content", content=[]), True, ".source.type"),
    (anthropic, source("document", type="file", file_id="f"), True, ".source.type"),
    (anthropic, source("document", **{**TEXT_SOURCE, "data": ""}), False, ".source.data"),
    (anthropic, {**source("document", **PDF_SOURCE), "context": "From 2020."}, True, ".context"),
    (
        anthropic,
        {**source("document", **PDF_SOURCE), "citations": {"enabled": True}},
        True,
        ".citations",
    ),
    (anthropic, {**source("document", **PDF_SOURCE), "title": LONG}, False, ".title"),
    (anthropic, {"type": "search_result"}, True, ""),
    (anthropic, {"type": {"a": 1}}, True, ""),
    (ollama, "", False, ""),
    (ollama, 5, False, ""),
    (ollama, {"data": RAW}, False, ""),
    (generate, None, False, ""),
]


@pytest.mark.parametrize(("say", "part", "is_unsupported", "where"), REFUSED, ids=names)
def test_part_is_refused_by_its_name(say: Say, part: Any, is_unsupported: bool, where: str) -> None:
    dialect, field = WIRES[say]
    refused: RequestError = refusal(dialect, say(part))

    assert type(refused) is (UnsupportedParameter if is_unsupported else InvalidRequest)
    assert list(refused.fields) == [field + where]


FUNCTION_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
TOOL_USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f"}]}


def of_tool(content: Any) -> list[Any]:
    call = {"role": "assistant", "tool_calls": [CALLED]}
    return [call, {"role": "tool", "tool_call_id": "c", "content": content}, USER]


def of_claude(content: Any) -> list[Any]:
    result = {"type": "tool_result", "tool_use_id": "c", "content": content}
    return [TOOL_USE, {"role": "user", "content": [result]}]


@pytest.mark.parametrize(
    ("dialect", "said", "field"),
    [
        *(
            (OPENAI, [{"role": role, "content": [image_url(PNG)]}, USER], "messages.0.content.0")
            for role in ("system", "developer", "assistant")
        ),
        (OPENAI, of_tool([TEXT, image_url(PNG)]), "messages.1.content.1"),
        (OPENAI, of_tool([file(file_data=PDF)]), "messages.1.content.0"),
        *(
            (
                RESPONSES,
                [{"role": role, "content": [{"type": "input_image", "image_url": PNG}]}, USER],
                "input.0.content.0",
            )
            for role in ("system", "developer", "assistant")
        ),
        (
            RESPONSES,
            [
                FUNCTION_CALL,
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_image", "image_url": PNG}],
                },
            ],
            "input.1.output.0",
        ),
        *(
            (
                ANTHROPIC,
                [{"role": role, "content": [source("image", **PNG_SOURCE)]}, USER],
                "messages.0.content.0",
            )
            for role in ("system", "assistant")
        ),
        (
            ANTHROPIC,
            [{"role": "assistant", "content": [{"type": {}}]}, USER],
            "messages.0.content.0",
        ),
        (ANTHROPIC, of_claude([source("image", **PNG_SOURCE)]), "messages.1.content.0.content.0"),
        (
            ANTHROPIC,
            of_claude([TEXT, source("document", **PDF_SOURCE)]),
            "messages.1.content.0.content.1",
        ),
        *(
            (OLLAMA, [{"role": role, "content": "hi", "images": [RAW]}, USER], "messages.0.images")
            for role in ("system", "assistant", "tool")
        ),
    ],
)
def test_only_a_user_sends_pictures(dialect: Dialect, said: list[Any], field: str) -> None:
    name = "input" if dialect is RESPONSES else "messages"
    refused = refusal(dialect, {"model": "m", "max_tokens": 9, name: said})

    assert isinstance(refused, UnsupportedParameter)
    assert list(refused.fields) == [field]
