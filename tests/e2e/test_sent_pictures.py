"""Pictures and files that others' clients send in their requests: the model gets the same bytes,
the conversation has what stands for them, and what is refused leaves nothing behind."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.support.files import base64_of, data_url, picture
from tests.support.node import Script, find_node, install

PNG = picture()
JPEG = picture("JPEG")
NOTE = b"The sky is green."
HTTPS = "https://example.org/a.png"
TEXT = "What is it?"


def openai_part(data: bytes, media_type: str) -> Any:
    url = data_url(data, media_type)
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.fixture
def sdk(server) -> Iterator[openai.OpenAI]:
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=30)
    yield made
    made.close()


@pytest.fixture
def claude(server) -> Iterator[anthropic.Anthropic]:
    made = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=30)
    yield made
    made.close()


@pytest.fixture
def llama(server) -> Iterator[ollama.Client]:
    made = ollama.Client(host=f"{server.url}/ollama", timeout=30)
    yield made
    made._client.close()


def sent(upstream: Any) -> list[Any]:
    """Return what the model was given of the last user's message."""
    said = [one for one in upstream.exchanges[-1].body["messages"] if one["role"] == "user"]
    content = said[-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def bytes_of(part: Any) -> bytes:
    """Return the bytes of a picture as the stand-in for a model got it."""
    head, _, data = part["image_url"]["url"].partition(",")
    assert head.startswith("data:image/") and head.endswith(";base64")
    return base64.b64decode(data, validate=True)


# --- taken -----------------------------------------------------------------------------


def by_openai(sdk: Any, claude: Any, llama: Any, stream: bool) -> None:
    content = [{"type": "text", "text": TEXT}, openai_part(PNG, "image/png")]
    answer = sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": content}], stream=stream
    )
    assert not stream or list(answer)


def by_responses(sdk: Any, claude: Any, llama: Any, stream: bool) -> None:
    image = {"type": "input_image", "image_url": data_url(PNG), "detail": "auto"}
    content: Any = [{"type": "input_text", "text": TEXT}, image]
    answer = sdk.responses.create(
        model="m", input=[{"role": "user", "content": content}], stream=stream
    )
    assert not stream or list(answer)


def by_claude(sdk: Any, claude: Any, llama: Any, stream: bool) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": base64_of(PNG)}
    content = [{"type": "text", "text": TEXT}, {"type": "image", "source": source}]
    answer = claude.messages.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": content}], stream=stream
    )
    assert not stream or list(answer)


def by_ollama(sdk: Any, claude: Any, llama: Any, stream: bool) -> None:
    message = {"role": "user", "content": TEXT, "images": [PNG]}
    answer = llama.chat(model="m", messages=[message], stream=stream)
    assert not stream or list(answer)


def by_prompt(sdk: Any, claude: Any, llama: Any, stream: bool) -> None:
    answer = llama.generate(model="m", prompt=TEXT, images=[PNG], stream=stream)
    assert not stream or list(answer)


WAYS: list[Callable[..., None]] = [by_openai, by_responses, by_claude, by_ollama, by_prompt]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_the_model_gets_the_picture(upstream, sdk, claude, llama, way, stream):
    way(sdk, claude, llama, stream)
    text, image = sent(upstream)
    assert (text, bytes_of(image)) == ({"type": "text", "text": TEXT}, PNG)


def test_detail_is_for_the_model(upstream, sdk):
    by_openai(sdk, None, None, False)
    assert sent(upstream)[1]["image_url"]["detail"] == "low"


def test_address_goes_as_it_is(upstream, sdk):
    image = {"type": "image_url", "image_url": {"url": HTTPS}}
    messages: Any = [{"role": "user", "content": [image]}]
    sdk.chat.completions.create(model="m", messages=messages)
    assert sent(upstream) == [image]


def test_file_of_text_is_read_by_the_model(upstream, sdk, claude):
    url = data_url(NOTE, "text/plain")
    file = {"type": "file", "file": {"filename": "note.txt", "file_data": url}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": TEXT}, file]}]
    sdk.chat.completions.create(model="m", messages=messages)
    item = {"type": "input_file", "filename": "note.txt", "file_data": url}
    content: Any = [{"type": "input_text", "text": TEXT}, item]
    sdk.responses.create(model="m", input=[{"role": "user", "content": content}])
    source = {"type": "text", "media_type": "text/plain", "data": NOTE.decode()}
    document = {"type": "document", "source": source, "title": "note.txt"}
    content = [{"type": "text", "text": TEXT}, document]
    claude.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": content}])
    for exchange in upstream.exchanges:
        said = str(exchange.body["messages"])
        assert NOTE.decode() in said and "note.txt" in said


def test_pictures_of_what_was_said_before_are_given_again(upstream, sdk):
    messages: Any = [
        {"role": "user", "content": [openai_part(PNG, "image/png")]},
        {"role": "assistant", "content": "A picture."},
        {"role": "user", "content": [openai_part(JPEG, "image/jpeg")]},
    ]
    sdk.chat.completions.create(model="m", messages=messages)
    first, _, last = upstream.exchanges[-1].body["messages"]
    assert [bytes_of(one["content"][0]) for one in (first, last)] == [PNG, JPEG]


def test_response_that_goes_on_has_the_picture_and_tells_of_it(server, upstream, sdk):
    image = {"type": "input_image", "image_url": data_url(PNG), "detail": "auto"}
    note = {"type": "input_file", "filename": "a.txt", "file_data": data_url(NOTE, "text/plain")}
    content: Any = [{"type": "input_text", "text": TEXT}, image, note]
    first = sdk.responses.create(model="m", input=[{"role": "user", "content": content}])
    sdk.responses.create(model="m", input="and more", previous_response_id=first.id)
    before = upstream.exchanges[-1].body["messages"][0]["content"]
    assert [bytes_of(part) for part in before if part["type"] == "image_url"] == [PNG]

    [item] = sdk.responses.input_items.list(first.id).data
    text, picture_part, file_part = item.content
    assert (text.text, picture_part.type, file_part.filename) == (TEXT, "input_image", "a.txt")
    for url, data in ((picture_part.image_url, PNG), (file_part.file_url, NOTE)):
        assert server.get(url).body == data
    again = [one.model_dump(exclude_none=True) for one in (item,)]
    sdk.responses.create(model="m", input=again)
    shown = [part for part in sent(upstream) if part["type"] == "image_url"]
    assert [bytes_of(part) for part in shown] == [PNG]


def test_same_picture_with_its_key_joins_the_run(server, upstream):
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [openai_part(PNG, "image/png")]}],
    }
    headers = {"Idempotency-Key": "picture-1"}
    first, again = (server.post("/v1/chat/completions", body, **headers) for _ in range(2))
    assert (first.status, again.status, first.json["id"]) == (200, 200, again.json["id"])
    assert len(upstream.exchanges) == 1
    body["messages"][0]["content"] = [openai_part(JPEG, "image/jpeg")]  # type: ignore[index]
    other = server.post("/v1/chat/completions", body, **headers)
    assert (other.status, other.code) == (409, "idempotency_conflict")


def test_picture_is_counted_as_a_picture(claude):
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 4_000_000}
    content: Any = [{"type": "image", "source": source}]
    counted = claude.messages.count_tokens(
        model="m", messages=[{"role": "user", "content": content}]
    )
    assert 100 < counted.input_tokens < 4000


@pytest.mark.timeout(300)  # the first test installs the clients
@pytest.mark.parametrize(("package", "version"), [("ai5", 20), ("ai6", 20), ("ai", 22)])
def test_files_of_the_ai_sdk(server, upstream, package, version):
    install()
    chat_id = f"files-{package}"
    script = Script(find_node(version), "ai_files", server.url, chat_id, package, data_url(PNG))
    try:
        first, second = script.rest()
    finally:
        script.close()
    assert (first["error"], second["error"]) == (None, None)
    for exchange in upstream.exchanges:
        content = exchange.body["messages"][0]["content"]
        assert [bytes_of(one) for one in content if one["type"] == "image_url"] == [PNG]
        assert NOTE.decode() in str(content)
    stored = server.get(f"/api/chat/sessions/{chat_id}/messages").json["messages"]
    shown = [(part["type"], part.get("name")) for part in stored[0]["parts"]]
    assert shown == [("image", "a.png"), ("file", "note.txt"), ("text", None)]
    assert "base64" not in str(stored)


# --- refused -----------------------------------------------------------------------------

BROKEN = data_url(b"no picture at all \x00\x01")


def openai_body(part: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": [part]}]}


def url_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def responses_body(part: Any) -> dict[str, Any]:
    return {"model": "m", "input": [{"role": "user", "content": [part]}]}


REFUSED: list[tuple[str, Any, int, str]] = [
    ("/v1/chat/completions", openai_body(url_part("http://a.org/b.png")), 400, "0.image_url.url"),
    ("/v1/chat/completions", openai_body(url_part("data:,")), 400, "0.image_url.url"),
    ("/v1/chat/completions", openai_body(url_part(BROKEN)), 415, "0.image_url.url"),
    (
        "/v1/chat/completions",
        openai_body(url_part(data_url(NOTE, "image/png"))),
        400,
        "0.image_url.url",
    ),
    ("/v1/chat/completions", openai_body(url_part("/api/attachments/none")), 400, "image_url.url"),
    ("/v1/chat/completions", openai_body({"type": "input_audio"}), 400, "messages.0.content.0"),
    (
        "/v1/responses",
        responses_body({"type": "input_image", "image_url": "data:image/png;base64,?"}),
        400,
        "input.0.content.0.image_url",
    ),
    (
        "/v1/messages",
        {
            "max_tokens": 9,
            **openai_body(
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                }
            ),
        },
        415,
        "messages.0.content.0.source.data",
    ),
    (
        "/ollama/api/chat",
        {"model": "m", "messages": [{"role": "user", "content": "", "images": ["", "AAAA"]}]},
        400,
        "messages.0.images.0",
    ),
    (
        "/ollama/api/generate",
        {"model": "m", "prompt": "hi", "images": [base64_of(PNG), "AAAA"]},
        415,
        "images.1",
    ),
    (
        "/api/ai-sdk/chat",
        {
            "id": "refused",
            "messages": [
                {
                    "role": "user",
                    "parts": [{"type": "file", "mediaType": "image/png", "url": "data:,"}],
                }
            ],
        },
        400,
        "messages.0.parts.0.url",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "field"), REFUSED)
def test_what_is_refused_is_named_and_leaves_nothing(server, upstream, path, body, status, field):
    before = server.status()
    answer = server.post(path, body)
    assert answer.status == status, answer.body
    assert field in answer.body.decode()
    after = server.status()
    assert (after["sessions"], after["runs"]) == (before["sessions"], before["runs"])
    assert upstream.exchanges == []
