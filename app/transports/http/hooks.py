"""What happens around every HTTP request: who asks, the common headers, one log line."""

from __future__ import annotations

import logging
import re
import time
from functools import cache
from typing import Any

from flask import Flask, Request, Response, g, request

from app.core.errors import InvalidRequest
from app.core.runs import new_id
from app.dialects.dialect import Dialect
from app.dialects.routes import DIALECTS, NATIVE, ROUTES
from app.transports.guards.rates import Kind, Window, caller_of
from app.transports.services import Services
from app.transports.services import services as current

log = logging.getLogger("tandem.requests")
# Reached without a token and without limits: a page that can ask for one, and how the server is.
OPEN_ENDPOINTS = frozenset(
    {
        "static",
        "pages.index",
        "pages.docs",
        "pages.react_example",
        "openapi.document",
        "health.health",
        "health.status",
    }
)
# A token in a URL ends up in every log on its way, and in the browser's history.
TOKEN_PARAMETERS = frozenset({"token", "access_token", "jwt"})
# Anthropic's clients send the one, Azure's the other.
KEY_HEADERS = ("X-Api-Key", "Api-Key")
# No inline script or style anywhere, nothing from elsewhere: model output is not to be trusted.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def register(app: Flask, services: Services) -> None:
    """Add the hooks."""

    @app.before_request
    def identify() -> None:
        here, asked = objects()
        here.dialect = _dialect(asked)
        here.request_id = new_id()
        here.began = time.perf_counter()
        endpoint = asked.endpoint
        if endpoint is None or endpoint in OPEN_ENDPOINTS:
            return
        if asked.method == "OPTIONS":
            return  # a browser asks for permission without the token it will come with
        if not TOKEN_PARAMETERS.isdisjoint(asked.args):
            raise InvalidRequest({"token": "send it as Authorization: Bearer, not in the URL"})
        here.principal = services.auth.principal(access_token())
        here.caller = caller_of(here.principal, asked.environ)
        if asked.blueprint is not None:  # routes that start runs count by themselves
            count("read")

    @app.after_request
    def finish(response: Response) -> Response:
        here, asked = objects()
        headers = response.headers
        headers["X-Request-Id"] = here.get("request_id", "")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        window: Window | None = here.get("window")
        if window is not None:
            headers.extend(window.headers())
        if response.status_code == 204:
            headers.pop("Content-Type", None)
        elif response.mimetype == "text/html":
            headers["Content-Security-Policy"] = CSP
        if asked.endpoint not in OPEN_ENDPOINTS or response.status_code >= 400:
            _log(response, services)
        return response


def objects() -> tuple[Any, Request]:
    """Return what `g` and `request` stand for now: each look through them costs four calls."""
    here: Any = g
    asked: Any = request
    return here._get_current_object(), asked._get_current_object()


def count(kind: Kind) -> None:
    """Count this request, which its answer's headers tell. Raises RateLimited."""
    g.window = window = current().rates.hit(kind, g.caller)
    if window is not None:
        window.check()


def _dialect(asked: Request) -> Dialect:
    """Return who is spoken to, for the errors that come before the request is read."""
    return DIALECTS.get(dialect_name_of(asked.endpoint or "")) or dialect_of_path(asked.path)


@cache
def dialect_name_of(endpoint: str) -> str:
    """Return the dialect's name, which its routes' endpoints begin with; or the blueprint's."""
    return re.split("[ .]", endpoint, maxsplit=1)[0]


def dialect_of_path(path: str) -> Dialect:
    """Return whose path that is, also where no route is: the dialect of the same path, or else of
    the same first segment; below /api all but a dialect's own routes are native."""
    first = path.split("/")[1]
    near = [route for route in ROUTES if route.path.split("/")[1] == first and first != "api"]
    exact = [route for route in ROUTES if route.path == path.rstrip("/")]
    return next((route.dialect for route in (*exact, *near)), NATIVE)


def access_token() -> str | None:
    """Return the token of the Authorization header (RFC 6750, 2.1), or where there is none, of one
    of those that clients of other servers send."""
    written = request.headers.get("Authorization")
    if written is None:
        keys = (request.headers.get(name) for name in KEY_HEADERS)
        return next((key.strip() for key in keys if key), None)
    scheme, _, token = written.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _log(response: Response, services: Services) -> None:
    here, asked = objects()
    error = here.get("error")
    if error is not None:
        services.metrics.answered(error)
    line = (asked.method, asked.path, response.status_code)
    extra = {
        "request_id": here.get("request_id"),
        "session_id": response.headers.get("X-Session-Id"),
        "run_id": response.headers.get("X-Run-Id"),
        "code": error.code if error else None,
        "error_id": error.error_id if error else None,
        "ms": round((time.perf_counter() - here.get("began", time.perf_counter())) * 1000, 1),
    }
    if response.is_streamed:  # the model is asked, and thinks, before a line is written
        services.runtime.call_soon(lambda: log.info("%s %s %s", *line, extra=extra))
    else:
        log.info("%s %s %s", *line, extra=extra)
