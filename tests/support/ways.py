"""The ways to ask for a reply: native over SSE and Socket.IO, and `/v1`. What each client saw is
told in the same words, so that one test can ask them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.server import Asked
from tests.support.sockets import SocketClient
from tests.support.sse import SseParser, stream_chat

Connect = Callable[..., SocketClient]


@dataclass
class Seen:
    """What a client saw of one run; `frames` is all of it, as it came."""

    frames: str
    run_id: str = ""
    text: str = ""
    code: str | None = None  # of the error
    statuses: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)


def over_sse(server: Asked, connect: Connect, message: str, **fields: Any) -> Seen:
    """Ask over native SSE."""
    stream = stream_chat(server, message, **fields)
    payloads = [event.data for event in stream.rest()]
    return _seen(payloads, stream.run_id)


def over_socketio(server: Asked, connect: Connect, message: str, **fields: Any) -> Seen:
    """Ask over native Socket.IO."""
    client = connect(server)
    ack = client.call("chat_stream", {"message": message, **fields})
    client.wait_for_end()
    return _seen([data for _, data in client.events], ack["run_id"])


def _seen(payloads: list[dict[str, Any]], run_id: str) -> Seen:
    return Seen(
        frames=json.dumps(payloads),
        run_id=run_id,
        text="".join(one.get("token", "") for one in payloads),
        code=payloads[-1].get("code"),
        statuses=[one for one in payloads if "status" in one],
        end=payloads[-1],
    )


def over_v1(server: Asked, connect: Connect, message: str, **fields: Any) -> Seen:
    """Ask over OpenAI's dialect, streamed."""
    body = {
        "model": "any",
        "messages": [{"role": "user", "content": message}],
        "stream": True,
        **fields,
    }
    answer = server.post("/v1/chat/completions", body)
    seen = Seen(answer.body.decode(), answer.headers.get("x-run-id", ""))
    if answer.status != 200:
        seen.end = answer.json
        seen.code = answer.json["error"]["code"]
        return seen
    payloads = v1_chunks(answer.body)
    seen.end = payloads[-1]
    seen.code = payloads[-1].get("error", {}).get("code")
    choices = [choice for one in payloads for choice in one.get("choices", ())]
    seen.text = "".join(choice["delta"].get("content", "") for choice in choices)
    return seen


def v1_chunks(body: bytes) -> list[dict[str, Any]]:
    """Return the chunks of an answer of `/v1`, without the closing `[DONE]`."""
    return [event.data for event in SseParser().feed(body.replace(b"data: [DONE]\n\n", b""))]


WAYS = {"sse": over_sse, "socketio": over_socketio, "v1": over_v1}
OVER_HTTP = {name: way for name, way in WAYS.items() if way is not over_socketio}
