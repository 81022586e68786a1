"""Errors as HTTP answers, in one place: every error a client sees is JSON with an error id."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    ChatError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestError,
    TooLarge,
    Unauthorized,
)
from app.dialects.dialect import Dialect
from app.dialects.routes import NATIVE

log = logging.getLogger(__name__)


def render(error: ChatError) -> Response:
    """Return the error in the shape of the dialect that is being spoken."""
    dialect: Dialect = g.get("dialect", NATIVE)
    response = jsonify(dialect.error(error))
    response.status_code = error.http_status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.run_id:
        response.headers["X-Run-Id"] = error.run_id
    g.error = error
    return response


def register(app: Flask) -> None:
    """Render every error of the app."""
    app.register_error_handler(ChatError, render)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> Response:
    if error.code == 404:
        return render(NotFound())
    if error.code == 405:
        response = render(MethodNotAllowed())
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return response
    if error.code == 413:
        return render(TooLarge())
    if error.code is not None and error.code >= 500:
        return render(InternalError())
    return render(RequestError("The request could not be understood."))


def _unexpected(error: Exception) -> Response:
    internal = InternalError()
    log.exception("unexpected error", extra={"error_id": internal.error_id})
    return render(internal)
