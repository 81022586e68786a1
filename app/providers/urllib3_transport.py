"""The OpenAI SDK's requests, carried by `http_stream`.

The SDK keeps requests, URLs and auth; this class carries one request and hands out the bytes as
they come.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from app.providers.http_stream import HttpStream, HttpStreams


class Urllib3Transport(httpx2.BaseTransport):
    """One for a client; thread-safe."""

    def __init__(self, streams: HttpStreams) -> None:
        self._streams = streams

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; the response's body is read as its stream is iterated. Raises
        RunError."""
        answer = self._streams.open(
            request.method, str(request.url), dict(request.headers.items()), request.read()
        )
        headers = list(answer.headers.items())
        if answer.status >= 300:
            # The status says it all. The SDK would read the whole body, however long it is, and
            # put it into its error's message.
            answer.close()
            return httpx2.Response(answer.status, headers=_without_body(headers))
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._streams.close()


class _Body(httpx2.SyncByteStream):
    """The body's bytes, a read at a time; closing it early closes the connection."""

    def __init__(self, answer: HttpStream) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        self._answer.close()


def _without_body(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    of_body = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in headers if name.lower() not in of_body]
