"""The stand-in upstream: a server of OpenAI's chat completions that costs next to nothing.

A process of its own. Its events are formatted beforehand but for number and time stamp, and written
to the socket's transport directly. Paced streams tick each at a moment of its own. Where a client
does not read, a flat-out stream waits.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Callable
from typing import cast

import uvloop

from benchmarks.pieces import Ask, find_ask, piece

BURST = 32  # pieces a write of a flat-out stream
GOLDEN = 0.6180339887  # multiples of it, modulo 1, lie evenly, however many there are
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
START = (
    b'{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","system_fingerprint":"fp_bench",'
)
ROLE = START + (
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}'
)
BEFORE = START + b'"choices":[{"index":0,"delta":{"content":"'
AFTER = b'"},"finish_reason":null}]}'
FINISH = START + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
USAGE = START + (
    b'"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":%d,"total_tokens":%d}}'
)


def event(data: bytes) -> bytes:
    """Return one SSE event in one HTTP chunk."""
    return b"%x\r\ndata: %s\n\n\r\n" % (len(data) + 8, data)


class Reply:
    """One stream, as the request asked for it."""

    def __init__(
        self, transport: asyncio.Transport, ask: Ask, usage: bool, done: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._ask = ask
        self._usage = usage
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self._due = 0.0
        self._waiting: asyncio.TimerHandle | asyncio.Handle | None = None
        self._paused = False
        dummy = b"\0" * len(piece(0, ask.size, 0))
        self._before, self._after = event(BEFORE + dummy + AFTER).split(dummy)

    def start(self, phase: float) -> None:
        """Send the head and the first piece; a paced stream ticks at `phase` of its interval."""
        self._transport.write(HEAD + event(ROLE))
        if self._ask.rate:
            now, rate = self._loop.time(), self._ask.rate
            self._due = math.ceil(now * rate) / rate if self._ask.together else now + phase / rate
            self._tick(first=True)
        else:
            self._burst()

    def _pieces(self, count: int) -> bytes:
        now, size = time.monotonic_ns(), self._ask.size
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        return b"".join(self._before + piece(n, size, now) + self._after for n in numbers)

    def _tick(self, first: bool = False) -> None:
        self._transport.write(self._pieces(1))
        if self._sent >= self._ask.pieces:
            self._finish()
            return
        if not first:
            self._due += 1 / self._ask.rate
        self._waiting = self._loop.call_at(self._due, self._tick)

    def _burst(self) -> None:
        self._waiting = None
        if self._paused or self._transport.is_closing():
            return
        self._transport.write(self._pieces(min(BURST, self._ask.pieces - self._sent)))
        if self._sent >= self._ask.pieces:
            self._finish()
        else:
            self._waiting = self._loop.call_soon(self._burst)

    def _finish(self) -> None:
        count = self._ask.pieces
        usage = event(USAGE % (count, count + 8)) if self._usage else b""
        self._transport.write(event(FINISH) + usage + event(b"[DONE]") + b"0\r\n\r\n")
        self._done()

    def pause(self) -> None:
        """Send no more for now; paced streams go on, as a real model would."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        if not self._ask.rate and self._waiting is None and self._sent < self._ask.pieces:
            self._burst()

    def stop(self) -> None:
        """Send nothing more."""
        if self._waiting is not None:
            self._waiting.cancel()


class Upstream(asyncio.Protocol):
    """One connection."""

    count = 0  # of replies, of the whole process

    def __init__(self) -> None:
        self._data = b""
        self._reply: Reply | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self._data += data
        while (request := self._take()) is not None:
            self._answer(*request)

    def _take(self) -> tuple[bytes, bytes] | None:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        if len(rest) < length:
            return None
        self._data = rest[length:]
        return head, rest[:length]

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"POST"):
            answer = b'{"object":"list","data":[]}'
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )
            return
        try:
            ask = find_ask(body)
        except ValueError:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        Upstream.count += 1
        self._reply = Reply(self._transport, ask, b'"include_usage"' in body, self._ended)
        self._reply.start(Upstream.count * GOLDEN % 1)

    def _ended(self) -> None:
        self._reply = None

    def pause_writing(self) -> None:
        """The client does not read."""
        if self._reply:
            self._reply.pause()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._reply:
            self._reply.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """The client has gone."""
        if self._reply:
            self._reply.stop()


async def serve(port: int) -> None:
    """Serve until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
