"""The peer: plain Flask with the SDK's Stream, as document 000 sketches it, on eventlet.

A generator that yields `data:` lines, sessions in a dict behind a lock, no cumulative `partial`.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
import uuid  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import eventlet.wsgi  # noqa: E402
from flask import Flask, Response, request  # noqa: E402
from openai import OpenAI  # noqa: E402

app = Flask(__name__)
client = OpenAI(max_retries=0)
chat_sessions: dict[str, list[dict[str, str]]] = {}
chat_session_lock = threading.Lock()


@app.post("/api/chat/stream")
def chat_stream() -> Response:
    """Answer a message."""
    data = request.get_json()
    session_id = data.get("session_id") or uuid.uuid4().hex
    with chat_session_lock:
        messages = chat_sessions.setdefault(session_id, [])
        messages.append({"role": "user", "content": data["message"]})
    return Response(generate(messages, session_id), mimetype="text/event-stream")


def generate(messages: list[dict[str, str]], session_id: str) -> Iterator[str]:
    """Yield the events of one reply."""
    texts: list[str] = []
    stream = client.chat.completions.create(
        model=os.environ.get("OPENAI_MODEL", "bench"), messages=messages, stream=True
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            token = chunk.choices[0].delta.content
            texts.append(token)
            yield f"data: {json.dumps({'token': token, 'count': len(texts)})}\n\n"
    text = "".join(texts)
    messages.append({"role": "assistant", "content": text})
    done = {"done": True, "tokens": len(texts), "full_response": text, "session_id": session_id}
    yield f"data: {json.dumps(done)}\n\n"


@app.get("/health")
def health() -> dict[str, str]:
    """Say that it is there."""
    return {"status": "ok"}


if __name__ == "__main__":
    eventlet.wsgi.server(
        eventlet.listen(("127.0.0.1", int(os.environ["PORT"])), backlog=1024),
        app,
        log_output=False,
        debug=False,
        minimum_chunk_size=1,  # its default gathers 4096 bytes before it sends anything
        max_size=10_000,
    )
