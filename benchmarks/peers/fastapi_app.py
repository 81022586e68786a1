"""The peer: FastAPI, uvicorn and the SDK's asynchronous client, as one would write it today.

It streams, keeps each session's messages in memory, and that is all: no log, nothing stored.
"""

import os
import uuid
from collections.abc import AsyncIterator

import orjson
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from pydantic import BaseModel

app = FastAPI()
client = AsyncOpenAI(max_retries=0)
sessions: dict[str, list[dict[str, str]]] = {}


class ChatBody(BaseModel):
    """The request."""

    message: str
    session_id: str | None = None
    model: str = os.environ.get("OPENAI_MODEL", "bench")


def event(value: object) -> bytes:
    """Return one SSE event."""
    return b"data: %s\n\n" % orjson.dumps(value)


async def answer(body: ChatBody, session_id: str) -> AsyncIterator[bytes]:
    """Yield the events of one reply."""
    messages = sessions.setdefault(session_id, [])
    messages.append({"role": "user", "content": body.message})
    texts: list[str] = []
    usage = None
    stream = await client.chat.completions.create(
        model=body.model,
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
    )
    async with stream:
        async for chunk in stream:
            usage = chunk.usage or usage
            if chunk.choices and chunk.choices[0].delta.content:
                texts.append(chunk.choices[0].delta.content)
                yield event({"token": texts[-1], "count": len(texts)})
    text = "".join(texts)
    messages.append({"role": "assistant", "content": text})
    tokens = usage.completion_tokens if usage else len(texts)
    yield event({"done": True, "tokens": tokens, "full_response": text, "session_id": session_id})


@app.post("/api/chat/stream")
async def chat_stream(body: ChatBody) -> StreamingResponse:
    """Answer a message."""
    session_id = body.session_id or uuid.uuid4().hex
    return StreamingResponse(
        answer(body, session_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that it is there."""
    return {"status": "ok"}
