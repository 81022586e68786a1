"""Run the main paths against a server that runs already, with whatever model it has.

`make smoke URL=http://localhost:5000 TOKEN=...`. Exit code 1 if one fails.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import socketio
import urllib3

MESSAGE = "Count from one to thirty in words, one a line."
WAIT_S = 120.0


class Failed(Exception):
    """A path does not do what it should; the text says what it did."""


class Smoke:
    """The paths, in the order they are tried; later ones use what earlier ones made."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.session_id = f"smoke-{secrets.token_hex(4)}"
        self.run_id = ""
        self.text = ""
        self._pool = urllib3.PoolManager(timeout=WAIT_S, retries=False)

    def paths(self) -> list[Callable[[], str]]:
        """Return what is tried."""
        return [
            self.health,
            self.models,
            self.stream,
            self.replay,
            self.stop,
            self.whole,
            self.openai,
            self.tool,
            self.socket,
            self.session,
            self.delete,
        ]

    def _open(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        return self._pool.request(
            method, self.url + path, body=data, headers=headers, preload_content=False
        )

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        response = self._open(method, path, body)
        data = response.read()
        if response.status >= 400:
            raise Failed(
                f"{method} {path}: {response.status} {data[:300].decode(errors='replace')}"
            )
        return json.loads(data)

    def _events(self, response: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
        if response.status != 200:
            body = response.read()[:300].decode(errors="replace")
            raise Failed(f"{response.status} {body}")
        buffer = b""
        while data := response.read1(65536):
            *events, buffer = (buffer + data).split(b"\n\n")
            for event in events:
                lines = [line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")]
                if lines and lines[0] != b"[DONE]":
                    yield json.loads(lines[0])

    def health(self) -> str:
        """GET /health."""
        return str(self._json("GET", "/health")["status"])

    def models(self) -> str:
        """GET /api/models."""
        listed = self._json("GET", "/api/models")
        return f"{listed['default']} answers"

    def stream(self) -> str:
        """POST /api/chat/stream."""
        body = {"message": MESSAGE, "session_id": self.session_id, "partial": False}
        began, first, pieces, end = time.monotonic(), 0.0, 0, None
        for event in self._events(self._open("POST", "/api/chat/stream", body)):
            if "token" in event:
                first = first or time.monotonic() - began
                pieces, self.text = pieces + 1, self.text + event["token"]
            elif event.get("done"):
                end = event
            elif "error" in event:
                raise Failed(f"{event['code']}: {event['error']} ({event['error_id']})")
        if end is None or end["full_response"] != self.text:
            raise Failed("the stream has no end, or its pieces are not its text")
        self.run_id = end["run_id"]
        return f"{pieces} pieces, the first after {first:.2f} s, {end['usage']}"

    def replay(self) -> str:
        """GET /api/runs/<id>/events, from the start."""
        path = f"/api/runs/{self.run_id}/events?partial=false"
        events = self._events(self._open("GET", path))
        text = "".join(event.get("token", "") for event in events)
        if text != self.text:
            raise Failed(f"{len(text)} characters instead of {len(self.text)}")
        return "the same text"

    def stop(self) -> str:
        """POST /api/runs/<id>/stop, after the first piece."""
        body = {"message": MESSAGE, "partial": False}
        response = self._open("POST", "/api/chat/stream", body)
        next(self._events(response))
        receipt = self._json("POST", f"/api/runs/{response.headers['X-Run-Id']}/stop")
        response.close()
        self._json("DELETE", f"/api/chat/sessions/{receipt['session_id']}")
        if receipt["status"] not in {"stopped", "completed"}:
            raise Failed(f"there was nothing to stop: the reply is {receipt['status']}")
        return f"{receipt['status']} in {receipt['stopped_in_ms']} ms"

    def whole(self) -> str:
        """POST /api/chat, in the same session."""
        body = {"message": "Say hello.", "session_id": self.session_id}
        return f"{len(self._json('POST', '/api/chat', body)['response'])} characters"

    def openai(self) -> str:
        """POST /v1/chat/completions."""
        model = self._json("GET", "/v1/models")["data"][0]["id"]
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        chunks = list(self._events(self._open("POST", "/v1/chat/completions", body)))
        if "error" in chunks[-1]:
            raise Failed(str(chunks[-1]["error"]["message"]))
        return f"{len(chunks)} chunks of {model}"

    def tool(self) -> str:
        """POST /api/chat/stream, with a tool of the server's."""
        message = '/call calculator {"expression": "17 * 23"}'  # the demo's own way
        said = f"Call the tool calculator with 17 * 23, and tell me the result. {message}"
        body = {"message": f"{said}\n{message}", "tools": ["calculator"], "partial": False}
        response = self._open("POST", "/api/chat/stream", body)
        if response.status == 400:
            error = json.loads(response.read())["error"]
            if error["code"] == "unsupported_parameter":
                return "the provider takes no tools"
            raise Failed(error["message"])
        states = []
        for event in self._events(response):
            if "tool" in event:
                states.append(event["tool"]["state"])
            elif "error" in event:
                raise Failed(f"{event['code']}: {event['error']} ({event['error_id']})")
        self._json("DELETE", f"/api/chat/sessions/{response.headers['X-Session-Id']}")
        if states and states[-1] != "done":
            raise Failed(f"a call ended as {states[-1]}")
        return "called, run, answered" if states else "the model called nothing"

    def socket(self) -> str:
        """chat_stream over Socket.IO."""
        client = socketio.SimpleClient()
        client.connect(self.url, auth={"token": self.token} if self.token else None)
        try:
            client.emit("chat_stream", {"message": "Say hello.", "partial": False})
            pieces = 0
            while True:
                name, data = client.receive(timeout=WAIT_S)
                pieces += name == "chat_token"
                if name == "chat_complete":
                    self._json("DELETE", f"/api/chat/sessions/{data['session_id']}")
                    return f"{pieces} pieces by {client.client.transport()}"
                if name == "chat_stream_error":
                    raise Failed(f"{data['code']}: {data['error']}")
        finally:
            client.disconnect()

    def session(self) -> str:
        """GET /api/chat/sessions/<id>/messages."""
        path = f"/api/chat/sessions/{self.session_id}/messages"
        messages = self._json("GET", path)["messages"]
        if len(messages) != 4 or messages[1]["content"] != self.text:
            raise Failed(f"{len(messages)} messages instead of 4, or another text")
        return "all four messages are kept"

    def delete(self) -> str:
        """DELETE /api/chat/sessions/<id>."""
        return str(self._json("DELETE", f"/api/chat/sessions/{self.session_id}")["message"])


def main() -> int:
    """Try them all; return 1 if one fails."""
    smoke = Smoke(os.environ.get("URL") or "http://localhost:5000", os.environ.get("TOKEN", ""))
    print(f"{smoke.url}")
    failed = 0
    for path in smoke.paths():
        name = (path.__doc__ or "").rstrip(".")
        try:
            print(f"  ok      {name}: {path()}", flush=True)
        except (Failed, urllib3.exceptions.HTTPError, socketio.exceptions.SocketIOError) as error:
            failed += 1
            print(f"  FAILED  {name}: {error}", flush=True)
        except (KeyError, ValueError, StopIteration, IndexError) as error:
            failed += 1
            print(f"  FAILED  {name}: not what was expected ({error!r})", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
