"""The outermost layer, before Flask and before Socket.IO: what neither of them would refuse or
mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.dialects.base import json_line
from app.runs.errors import ChatError, ForbiddenOrigin
from app.transports.origins import OriginPolicy

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
STATUS = {403: "403 Forbidden"}


class Guards:
    """WSGI middleware; one for an app."""

    def __init__(self, app: WsgiApp, origins: OriginPolicy) -> None:
        self._app = app
        self._origins = origins

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Pass the request on, or answer it here."""
        if not self._origins.allows(environ):
            return _refuse(ForbiddenOrigin(), start_response)
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input_terminated"] = True  # else Werkzeug reads a chunked body as empty
        # A compressed websocket doubles the memory of an idle one, costs a deflate a token, and
        # inflates what a client sends without a limit.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return self._app(environ, start_response)


def _refuse(error: ChatError, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = json_line({"error": error.payload()})
    start_response(
        STATUS[error.http_status],
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Vary", "Origin"),
        ],
    )
    return [body]
