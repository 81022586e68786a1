"""The outermost layer, before Flask and before Socket.IO: what neither of them would refuse or
mend."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.core.errors import ChatError, ForbiddenOrigin
from app.core.runs import new_id
from app.dialects.frames import json_line
from app.transports.guards.body import drop_chunks, is_chunked
from app.transports.services import Services

log = logging.getLogger(__name__)
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
STATUS = {
    400: "400 Bad Request",
    403: "403 Forbidden",
    413: "413 Request Entity Too Large",
}
WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})  # read by those who are asked


class Guards:
    """WSGI middleware; one for an app."""

    def __init__(self, app: WsgiApp, services: Services) -> None:
        self._app = app
        self._origins = services.origins
        self._metrics = services.metrics
        self._deadline = services.runtime.deadline
        self._stop_reading = services.connections.stop_reading
        self._max_body_bytes = services.max_body_bytes
        self._body_timeout_s = services.limits.request_body_timeout_s

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Pass the request on, or answer it here."""
        if not (_is_bare_probe(environ) or self._origins.allows(environ)):
            return self._refuse(ForbiddenOrigin(), environ, start_response)
        if is_chunked(environ):
            environ["wsgi.input_terminated"] = True  # else Werkzeug reads a chunked body as empty
        # A compressed websocket doubles the memory of an idle one, costs a deflate a token, and
        # inflates what a client sends without a limit.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if environ.get("CONTENT_LENGTH") or environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = TimedInput(
                environ["wsgi.input"], self._deadline, self._stop_reading, self._body_timeout_s
            )
        if environ["REQUEST_METHOD"] not in WITH_A_BODY:
            try:
                drop_chunks(environ, self._max_body_bytes)
            except ChatError as error:
                return self._refuse(error, environ, start_response)
        answer = self._app(environ, start_response)
        if not self._has_all(environ):
            environ.get("tandem.end_with_answer", bool)()
        return _bodyless(answer) if environ["REQUEST_METHOD"] == "HEAD" else answer

    def _has_all(self, environ: dict[str, Any]) -> bool:
        """Whether the next request can be where this one ends; reads what is left of chunks."""
        if "HTTP_EXPECT" in environ:  # who has not been asked for a body may leave it out
            body = environ["wsgi.input"]
            return not isinstance(body, TimedInput) or body.has_begun
        if not is_chunked(environ):
            return True  # a length says where
        try:
            drop_chunks(environ, self._max_body_bytes)
        except ChatError:
            return False
        return True

    def _refuse(
        self, error: ChatError, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self._metrics.errors.add(error.code)
        answer = _refuse(error, start_response)
        return _bodyless(answer) if environ["REQUEST_METHOD"] == "HEAD" else answer


class TimedInput:
    """A request's body that must arrive within a time, however slowly its sender drips it."""

    def __init__(
        self,
        body: Any,
        deadline: Callable[[float], Any],
        stop_reading: Callable[[Any], None],
        timeout_s: float,
    ) -> None:
        self._body = body
        self._deadline = deadline
        self._stop_reading = stop_reading
        self._timeout_s = timeout_s
        self._until: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether anybody has read it."""
        return self._until is not None

    def allow(self, seconds: float) -> None:
        """Give it so much more time, before anybody has read it."""
        self._timeout_s += seconds

    def _read(self, method: str, *args: Any) -> bytes:
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._timeout_s
        try:
            with self._deadline(max(0.0, self._until - now)):
                data: bytes = getattr(self._body, method)(*args)
                return data
        except (OSError, ValueError):  # too late, cut off, or chunks that are none
            # The server would go on reading what is left of the body, to use the connection again.
            self._stop_reading(self._body)
            raise

    def read(self, *args: Any) -> bytes:
        """Read as the body would. Raises OSError, TimeoutError too, and ValueError."""
        return self._read("read", *args)

    def readline(self, *args: Any) -> bytes:
        """Read a line as the body would. Raises what `read` does."""
        return self._read("readline", *args)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines."""
        return iter(self.readline, b"")


def _is_bare_probe(environ: dict[str, Any]) -> bool:
    """Whether a probe of HTTP/1.0 asks, which names no host."""
    named = "HTTP_HOST" in environ or "HTTP_ORIGIN" in environ
    return not named and environ["PATH_INFO"] == "/health"


def _bodyless(answer: Iterable[bytes]) -> Iterable[bytes]:
    """Drop the body: Engine.IO answers HEAD with one, which is the next answer's beginning."""
    getattr(answer, "close", lambda: None)()
    return iter(())  # not a list: the servers would say that its length is 0


def _refuse(error: ChatError, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = json_line({"error": error.payload()})
    log.info("request refused", extra={"code": error.code, "error_id": error.error_id})
    start_response(
        STATUS[error.http_status],
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-Id", new_id()),
            ("Vary", "Origin"),
        ],
    )
    return [body]
