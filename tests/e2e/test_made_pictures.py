"""Pictures that a model makes, as clients get them: told while it speaks, and read at their URL."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.support.files import data_url, picture
from tests.support.node import Script, find_node, install
from tests.support.sse import stream_chat
from tests.support.upstream import Exchange

PNG = picture()
TOLD = {"name", "media_type", "bytes", "width", "height", "attachment_id"}


def draws(exchange: Exchange) -> None:
    """Say something, draw, and say something more."""
    exchange.start()
    exchange.delta("Here ")
    image = {"type": "image_url", "image_url": {"url": data_url(PNG)}}
    exchange.event({"choices": [{"index": 0, "delta": {"images": [image]}}]})
    exchange.delta("it is")
    exchange.finish()


@pytest.fixture(autouse=True)
def drawing(upstream):
    upstream.reply = draws


def url_of(images: Any) -> str:
    [image] = images
    return str(image["image_url"]["url"])


@pytest.mark.parametrize("stream", [True, False])
def test_openais_client_has_it_and_brings_it_back(server, upstream, stream):
    sdk = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=30)
    asked: Any = {"role": "user", "content": "Draw."}
    answer = sdk.chat.completions.create(model="m", messages=[asked], stream=stream)
    if stream:
        deltas = [chunk.choices[0].delta for chunk in answer if chunk.choices]
        url = url_of(next(one.images for one in deltas if getattr(one, "images", None)))
    else:
        url = url_of(answer.choices[0].message.images)
    assert server.get(url).body == PNG

    images = [{"type": "image_url", "image_url": {"url": url}}]
    made: Any = {"role": "assistant", "content": "Here it is", "images": images}
    again: Any = {"role": "user", "content": "Larger."}
    sdk.chat.completions.create(model="m", messages=[asked, made, again])
    assert data_url(PNG) in str(upstream.exchanges[-1].body["messages"])
    sdk.close()


def test_native_stream_has_an_event_of_it(server):
    events = [event.data for event in stream_chat(server, "Draw.").rest()]
    [told] = [event for event in events if "file" in event]
    assert told["file"].keys() == TOLD
    assert (told["file"]["media_type"], told["file"]["bytes"]) == ("image/png", len(PNG))
    assert server.get(f"/api/attachments/{told['file']['attachment_id']}").body == PNG


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_socket_has_the_same_event(server, connect, transport):
    client = connect(server, transport)
    client.call("chat_stream", {"message": "Draw.", "session_id": f"drawn-{transport}"})
    client.wait_for_end()
    [told] = [data for name, data in client.events if name == "chat_file"]
    assert told["file"].keys() == TOLD
    assert set(told) == {"file", "run_id", "seq"}


@pytest.mark.timeout(300)  # the first test installs the clients
@pytest.mark.parametrize(("package", "version"), [("ai5", 20), ("ai6", 20), ("ai", 22)])
def test_message_of_the_ai_sdk_has_it(server, package, version):
    install()
    chat_id = f"draws-{package}"
    script = Script(find_node(version), "ai_files", server.url, chat_id, package, data_url(PNG))
    try:
        first, _ = script.rest()
    finally:
        script.close()
    assert first["error"] is None
    parts = [part for part in first["messages"][-1]["parts"] if part["type"] != "step-start"]
    assert [part["type"] for part in parts] == ["text", "file", "text"]
    assert parts[1]["mediaType"] == "image/png"
    assert server.get(parts[1]["url"]).body == PNG
