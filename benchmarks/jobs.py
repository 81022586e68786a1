"""What the load generator is told to do; it goes to its process as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clients import http_request
from benchmarks.pieces import Ask


@dataclass(frozen=True, slots=True)
class Job:
    """`shape` is `sse`, `socket`, `viewers` (of one run), `turns` (one after another) or `idle`
    (sockets)."""

    shape: str
    port: int
    path: str
    body: dict[str, Any]  # `$ask` in its texts stands for the message
    headers: dict[str, str] = field(default_factory=dict)
    clients: int = 1
    pieces: int = 1
    rate: float = 0
    size: int = 24
    together: bool = False
    spread_s: float = 0  # the starts are spread over so long
    timeout_s: float = 60
    pids: list[int] = field(default_factory=list)
    upstream_pids: list[int] = field(default_factory=list)

    @property
    def ask(self) -> Ask:
        """What each request asks of the upstream."""
        return Ask(self.pieces, self.rate, self.size, self.together)

    def filled(self) -> dict[str, Any]:
        """Return the body with the message in its place."""
        text = json.dumps(self.body).replace("$ask", self.ask.to_text())
        filled: dict[str, Any] = json.loads(text)
        return filled

    def request(self) -> bytes:
        """Return the HTTP request."""
        return http_request("POST", self.path, self.port, self.filled(), self.headers)
