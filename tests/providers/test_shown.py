"""Images and files in messages, in the shape of each wire; and images that models make, in
whichever shape a server gives them."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from app.core.messages import Part, ProviderMessage, text_parts
from app.core.runs import ProviderRequest
from app.providers.anthropic.provider import AnthropicProvider
from app.providers.anthropic.requests import request_body as claudes_body
from app.providers.demo import DemoProvider
from app.providers.google.chunks import GeminiChunks
from app.providers.google.provider import GoogleProvider
from app.providers.google.requests import request_body as geminis_body
from app.providers.local import LocalServer
from app.providers.openai.chunks import CompletionChunks
from app.providers.openai.provider import OpenAICompatible
from app.providers.openai.requests import body_of
from app.providers.wire.adapting import NO_SYSTEM
from app.providers.wire.images import needed
from tests.support.asking import ask
from tests.support.upstream import Upstream
from tests.support.wires import BOUNDS, KEY, MODEL, OPENAI, send

DATA = b64encode(b"\x89PNG an image").decode()
URL = f"data:image/png;base64,{DATA}"
IMAGE = {"type": "image", "media_type": "image/png", "data": DATA, "name": "a.png", "width": 4,
         "height": 3}  # fmt: skip
WEB = {"type": "image", "url": "https://web.test/a.png"}
PDF = {"type": "file", "media_type": "application/pdf", "data": DATA, "name": "a.pdf"}


def text(said: str) -> Part:
    return text_parts(said)[0]


def user(*content: Part) -> ProviderMessage:
    return ProviderMessage("user", content)


def reply(*content: Part) -> ProviderMessage:
    return ProviderMessage("assistant", content)


def openais(*messages: ProviderMessage, **options: Any) -> list[Any]:
    asked = {"stream": False, "adapted": frozenset(), "limit_field": "max_tokens"}
    options = {**asked, "splits_thoughts": False, **options}
    found: list[Any] = body_of(ProviderRequest(messages, "m"), **options)["messages"]
    return found


def claudes(*messages: ProviderMessage) -> list[Any]:
    found: list[Any] = claudes_body(ProviderRequest(messages, "m"), False)["messages"]
    return found


def geminis(*messages: ProviderMessage, vendor: str = "") -> list[Any]:
    request = ProviderRequest(messages, "gemini-3")
    found: list[Any] = geminis_body(request, vendor=vendor)["contents"]
    return found


# --- what is shown to a model ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (IMAGE, {"type": "image_url", "image_url": {"url": URL}}),
        ({**IMAGE, "detail": "low"}, {"type": "image_url",
                                      "image_url": {"url": URL, "detail": "low"}}),
        (WEB, {"type": "image_url", "image_url": {"url": WEB["url"]}}),
        (PDF, {"type": "file", "file": {"filename": "a.pdf",
                                        "file_data": f"data:application/pdf;base64,{DATA}"}}),
    ],
    ids=["image", "detail", "web", "PDF"],
)  # fmt: skip
def test_openais_shape(part: Part, block: dict[str, Any]) -> None:
    assert openais(user(text("Look:"), part, text(" \n"))) == [
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, block]}
    ]


def test_openais_system_prompt_goes_before_what_is_shown() -> None:
    said = openais(
        ProviderMessage("system", text_parts("S")), user(IMAGE), adapted=frozenset({NO_SYSTEM})
    )
    assert said[0]["content"][0] == {"type": "text", "text": "S"}
    assert [block["type"] for block in said[0]["content"]] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (IMAGE, {"type": "image",
                 "source": {"type": "base64", "media_type": "image/png", "data": DATA}}),
        (WEB, {"type": "image", "source": {"type": "url", "url": WEB["url"]}}),
        (PDF, {"type": "document", "title": "a.pdf",
               "source": {"type": "base64", "media_type": "application/pdf", "data": DATA}}),
    ],
    ids=["image", "web", "PDF"],
)  # fmt: skip
def test_claudes_shape(part: Part, block: dict[str, Any]) -> None:
    assert claudes(user(part, text("Look."))) == [
        {"role": "user", "content": [block, {"type": "text", "text": "Look."}]}
    ]


@pytest.mark.parametrize(("part", "kind"), [(IMAGE, "image/png"), (PDF, "application/pdf")])
def test_geminis_shape(part: Part, kind: str) -> None:
    inline = {"inlineData": {"mimeType": kind, "data": DATA}}

    assert geminis(user(text("Look:"), part)) == [
        {"role": "user", "parts": [{"text": "Look:"}, inline]}
    ]


def test_an_image_of_a_reply_is_shown_by_the_user_where_only_users_show_any() -> None:
    messages = user(text("Draw.")), reply(text("Here:"), IMAGE, text("So.")), user(text("Bluer!"))
    words = "Here:\n\n[image: a.png]\n\nSo."
    openai, claude = openais(*messages), claudes(*messages)

    assert openai[1] == {"role": "assistant", "content": words}
    assert [one["type"] for one in openai[2]["content"]] == ["image_url", "text"]
    assert "".join(block["text"] for block in claude[1]["content"]) == words
    assert [one["type"] for one in claude[2]["content"]] == ["image", "text"]


def test_an_image_that_nobody_comes_after_is_a_word() -> None:
    said = openais(user(text("Draw.")), reply(IMAGE))

    assert said[-1] == {"role": "assistant", "content": "[image: a.png]"}


def test_gemini_shows_images_of_its_own() -> None:
    contents = geminis(user(text("Draw.")), reply(IMAGE), user(text("Bluer!")))

    assert [(one["role"], list(one["parts"][0])) for one in contents] == [
        ("user", ["text"]),
        ("model", ["inlineData"]),
        ("user", ["text"]),
    ]


def test_images_of_neighbours_are_one_turns() -> None:
    (said,) = openais(user(IMAGE), user(text("So?")))

    assert [one["type"] for one in said["content"]] == ["image_url", "text"]


def test_the_bytes_arrive(model_server: Upstream) -> None:
    model_server.reply = send(OPENAI.text("a"), OPENAI.end("stop", 5, 3))
    base_url = f"http://127.0.0.1:{model_server.port}/v1"
    provider = OpenAICompatible("openai", KEY, base_url, MODEL, BOUNDS)
    list(provider.stream(ProviderRequest((user(IMAGE),), "m")))

    (exchange,) = model_server.exchanges
    (block,) = exchange.body["messages"][0]["content"]
    assert block["image_url"]["url"] == URL


SHOWN = {"image", "image_url", "file"}
HOSTS = {
    "https://api.openai.com/v1": SHOWN,
    "https://eu.api.openai.com/v1": SHOWN,
    "https://openrouter.ai/api/v1": SHOWN - {"file"},
    "https://one.openai.azure.com/openai/v1": SHOWN - {"file"},
}


@pytest.mark.parametrize("base_url", HOSTS)
def test_files_go_to_openais_own_servers_alone(base_url: str) -> None:
    provider = OpenAICompatible("openai", KEY, base_url, MODEL, BOUNDS)

    assert provider.parameters & SHOWN == HOSTS[base_url]


def test_others_take_what_their_wires_have() -> None:
    address = "http://localhost:1/v1"
    demo = DemoProvider(lambda seconds: None, 3, 0.0)

    assert LocalServer("local", "", address, MODEL, BOUNDS).parameters & SHOWN == {"image"}
    assert GoogleProvider("google", KEY, address, MODEL, BOUNDS).parameters & SHOWN == {
        "image", "file"
    }  # fmt: skip
    assert AnthropicProvider("a", KEY, address, MODEL, BOUNDS).parameters & SHOWN == SHOWN
    assert demo.parameters & SHOWN == SHOWN


@pytest.mark.parametrize(
    ("content", "names"),
    [((text("a"),), set()), ((IMAGE, WEB), {"image", "image_url"}), ((PDF,), {"file"})],
)
def test_what_is_shown_needs_who_takes_it(content: tuple[Part, ...], names: set[str]) -> None:
    assert needed([user(*content)]) == names


def test_the_demo_names_what_it_got() -> None:
    request = ProviderRequest((user(text("hi"), {**IMAGE, "name": "a`\nb.png"}, PDF, WEB),), "demo")
    demo = DemoProvider(lambda seconds: None, 3, 0.0)
    batch, _ = demo.stream(replace(request, paced=False))
    said = "".join(data for _, data in batch)

    assert (
        "With it came:\n\n- image `a' b.png`, 4 × 3 pixels\n- file `a.pdf`\n"
        "- image `https://web.test/a.png`\n"
    ) in said


# --- what a model shows ---------------------------------------------------------------------------

MADE = ("file", {"data": DATA, "media_type": "image/png"})
OF_OPENROUTER = {"type": "image_url", "image_url": {"url": URL}}


def chunk(finish_reason: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def pieces_of(chunks: Any, *said: dict[str, Any]) -> list[Any]:
    found: list[Any] = chunks.pieces(json.dumps(one).encode() for one in said)
    chunks.end(found, complete=True)
    return found


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "", "images": [OF_OPENROUTER]},
        {"images": [OF_OPENROUTER, OF_OPENROUTER]},
        {"images": [{"type": "image_url", "image_url": URL}]},
        {"content": [OF_OPENROUTER]},
        {"content": [{"type": "image", "data": DATA, "media_type": "image/png"}]},
        {"content": [{"type": "image", "source": {"data": DATA, "media_type": "image/png"}}]},
        {"content": [{"type": "output_image", "b64_json": DATA}]},
        {"images": [{"image_url": {"url": f"data:image/PNG;name=a;base64,{DATA}"}}]},
    ],
)
def test_an_image_comes_in_many_shapes(delta: dict[str, Any]) -> None:
    said = chunk(role="assistant", **delta), chunk("stop")

    assert pieces_of(CompletionChunks(), *said) == [MADE, ("finish", "stop")]


def test_a_whole_message_has_its_images_after_its_text() -> None:
    message = {"role": "assistant", "content": "Here:", "images": [OF_OPENROUTER]}
    said = {"choices": [{"message": message, "finish_reason": "stop"}]}

    assert pieces_of(CompletionChunks(), said) == [("text", "Here:"), MADE, ("finish", "stop")]


def test_an_image_that_is_told_again_at_the_end_is_one() -> None:
    message = {"role": "assistant", "content": None, "images": [OF_OPENROUTER]}
    last = {"choices": [{"delta": {}, "message": message, "finish_reason": "stop"}]}

    assert pieces_of(CompletionChunks(), chunk(images=[OF_OPENROUTER]), last) == [
        MADE, ("finish", "stop")
    ]  # fmt: skip


def test_an_image_alone_is_a_whole_reply() -> None:
    assert pieces_of(CompletionChunks(), chunk(images=[OF_OPENROUTER])) == [
        MADE,
        ("finish", "stop"),
    ]


def test_an_image_elsewhere_is_a_link() -> None:
    elsewhere = {"image_url": {"url": "https://web.test/made.png"}}
    said = chunk(images=[elsewhere]), chunk("stop")

    assert pieces_of(CompletionChunks(), *said)[0] == (
        "text", "![image](https://web.test/made.png)"
    )  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [None, {}, "a", 5, [None], ["a"], [{}], [{"image_url": None}], [{"image_url": {"url": 5}}],
     [{"image_url": {"url": "javascript:x"}}], [{"image_url": {"url": "https://a b)"}}],
     [{"type": "image", "data": 5, "media_type": "image/png"}],
     [{"type": "audio", "data": DATA, "media_type": "audio/wav"}]],
)  # fmt: skip
def test_what_is_no_image_is_read_over(odd: Any) -> None:
    said = chunk(content="a", images=odd), chunk("stop")

    assert pieces_of(CompletionChunks(), *said) == [("text", "a"), ("finish", "stop")]


def gemini(*parts: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}]}


INLINE = {"inlineData": {"mimeType": "image/png", "data": DATA}}


def test_gemini_makes_images() -> None:
    said = gemini({"text": "Here:"}, INLINE), gemini(reason="STOP")

    assert pieces_of(GeminiChunks(), *said) == [("text", "Here:"), MADE, ("finish", "stop")]


@pytest.mark.parametrize(
    "part",
    [
        {**INLINE, "thought": True},  # a draft
        {"inlineData": {"mimeType": "audio/wav", "data": DATA}},
        {"inlineData": {"mimeType": "image/png", "data": ""}},
        {"inlineData": None},
    ],
)
def test_what_gemini_does_not_show_is_read_over(part: dict[str, Any]) -> None:
    said = gemini({"text": "a"}, part, reason="STOP")

    assert pieces_of(GeminiChunks(), said) == [("text", "a"), ("finish", "stop")]


def test_an_image_alone_is_a_whole_reply_of_geminis() -> None:
    assert pieces_of(GeminiChunks(), gemini(INLINE)) == [MADE, ("finish", "stop")]


def test_geminis_signature_goes_back_in_the_image_that_it_came_in() -> None:
    said = gemini({**INLINE, "thoughtSignature": "sig"}, reason="STOP")
    made, signature, _ = pieces_of(GeminiChunks(vendor="google"), said)
    assert (made, signature[0]) == (MADE, "opaque")

    content = (IMAGE, {"type": "opaque", **signature[1]}, text("So."))
    own = geminis(user(text("Draw.")), reply(*content), vendor="google")[1]["parts"]
    others = geminis(user(text("Draw.")), reply(*content), vendor="other")[1]["parts"]

    assert own == [{**INLINE, "thoughtSignature": "sig"}, {"text": "So."}]
    assert others == [INLINE, {"text": "So."}]


def test_an_image_is_content(model_server: Upstream) -> None:
    """What comes after it can be no other answer: it is not asked for again."""
    model_server.reply = send(b"data: " + json.dumps(chunk(images=[OF_OPENROUTER])).encode()
                              + b"\n\n", OPENAI.end("stop", 5, 3))  # fmt: skip
    base_url = f"http://127.0.0.1:{model_server.port}/v1"
    provider = OpenAICompatible("openai", KEY, base_url, MODEL, BOUNDS, splits_thoughts=True)

    assert [kind for kind, _ in ask(provider)] == ["file", "finish", "usage"]
