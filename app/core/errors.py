"""Every error a client can see, as one tree of classes; the class decides code, status and words.

    ChatError
    ├── RequestError    the caller can mend it: 4xx
    ├── Unavailable     the server cannot now: 503, worth trying again
    └── RunError        how a run failed (run_errors.py)

Messages are fixed sentences that say what to do; text from inside or from upstream never gets in.
`docs/api.md` holds the same table.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any


def new_error_id(now: Callable[[], float] = time.time) -> str:
    """Return `ERR_<yyyymmdd>_<hhmmss>_<8 hex>` (UTC), the key that joins a client's error and our
    log."""
    return time.strftime("ERR_%Y%m%d_%H%M%S_", time.gmtime(now())) + secrets.token_hex(4)


class ChatError(Exception):
    """Base of all client-visible errors; on its own it is a bug of ours."""

    code = "internal_error"
    http_status = 500
    retryable = False
    message = "Something went wrong on our side. Try again; if it stays, report the error id."

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
        run_id: str | None = None,
    ) -> None:
        self.message = message or type(self).message
        super().__init__(self.message)
        self.fields = dict(fields or {})
        self.retry_after_s = retry_after_s
        self.run_id = run_id
        self.error_id = new_error_id()

    def payload(self) -> dict[str, Any]:
        """Return the native error object (wire: one table of errors)."""
        payload: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "error_id": self.error_id,
            "retryable": self.retryable,
        }
        if self.fields:
            payload["fields"] = self.fields
        if self.retry_after_s is not None:
            payload["retry_after_s"] = self.retry_after_s
        if self.run_id is not None:
            payload["run_id"] = self.run_id
        return payload


class InternalError(ChatError):
    """A bug of ours."""


# --- the caller can mend it ---------------------------------------------------------------------


class RequestError(ChatError):
    """The request cannot be served as it is."""

    code = "invalid_request"
    http_status = 400
    message = "The request is not valid. See `fields`."


class InvalidRequest(RequestError):
    """One or more fields are missing or wrong; `fields` says which and why."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        named = ", ".join(sorted(fields))
        super().__init__(f"The request is not valid: check {named}.", fields=fields)


class BadJson(RequestError):
    """The body is not one JSON object in UTF-8."""

    code = "bad_json"
    message = (
        "The body must be one JSON object in UTF-8, nested less than 100 deep, without NaN, of at "
        "most 10,000 lists and objects."
    )


class BadBody(RequestError):
    """A body that is no JSON did not arrive whole."""

    message = "The body is cut off. Send it again."


class ProviderNotConfigured(RequestError):
    """A provider that exists but has no key."""

    code = "provider_not_configured"

    def __init__(self, provider: str, setting: str) -> None:
        super().__init__(
            f"The provider {provider} is not set up: set {setting} and restart.",
            fields={"provider": f"needs {setting}"},
        )


class BadCursor(RequestError):
    """A cursor that is malformed, of another run, or ahead of the log."""

    code = "bad_cursor"
    message = "The cursor is not one of this run's. Use the last `id:` or `seq` you received, or 0."


class UnsupportedParameter(RequestError):
    """A parameter the chosen provider cannot honour; it is refused, never ignored."""

    code = "unsupported_parameter"


class Unauthorized(RequestError):
    """No token, or one that is not accepted."""

    code = "unauthorized"
    http_status = 401
    message = "A valid access token is needed: send `Authorization: Bearer <token>`."


class ForbiddenOrigin(RequestError):
    """A browser page from elsewhere, or a Host that is not ours."""

    code = "forbidden_origin"
    http_status = 403
    message = (
        "This origin or host may not use this server. "
        "Its operator can add it to CORS_ORIGINS or ALLOWED_HOSTS."
    )


class NotFound(RequestError):
    """Absent, or somebody else's: the same answer."""

    code = "not_found"
    http_status = 404
    message = "There is nothing here by that name."


class ResponseInUse(RequestError):
    """Others go on from the response that is to be deleted."""

    code = "response_in_use"
    http_status = 409
    message = "Other responses belong to its conversation: delete that, with all of them."


class AttachmentInUse(RequestError):
    """A message names the attachment that is to be deleted."""

    code = "attachment_in_use"
    http_status = 409
    message = "A message has this file. It goes when its conversation is deleted."


class SessionGone(NotFound):
    """A session that the request says exists: nothing is made anew in its place."""

    code = "session_gone"
    message = "That conversation is not there any more."


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    http_status = 405
    message = "This path does not take that method. See the Allow header."


class SessionBusy(RequestError):
    """A run is going in this session."""

    code = "session_busy"
    http_status = 409
    retryable = True
    message = "A reply is under way in this session. Follow it, stop it, or wait for its end."


class IdempotencyConflict(RequestError):
    """The same idempotency key with another body."""

    code = "idempotency_conflict"
    http_status = 409
    message = "This Idempotency-Key was used with another body. Use a new key for a new message."


class LogReset(RequestError):
    """The entries asked for are gone."""

    code = "log_reset"
    http_status = 410
    message = "The entries after that cursor are gone. Read the run from the start."


class TooLarge(RequestError):
    """A body, message or frame over its limit."""

    code = "too_large"
    http_status = 413
    message = "The request is too large."


class UnsupportedMediaType(RequestError):
    """A form; JSON is needed."""

    code = "unsupported_media_type"
    http_status = 415
    message = "Send a JSON object, with Content-Type: application/json."


class RateLimited(RequestError):
    """Too many requests in the time given."""

    code = "rate_limited"
    http_status = 429
    retryable = True
    message = "Too many requests. Wait as long as Retry-After says."


# --- the server cannot now ----------------------------------------------------------------------


class Unavailable(ChatError):
    """Nothing is wrong with the request; try again after `retry_after_s`."""

    http_status = 503
    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_s: int = 5) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class StorageUnavailable(Unavailable):
    """The store does not answer or cannot write."""

    code = "storage_unavailable"
    message = "The store does not answer. Nothing was lost; try again shortly."


class OverCapacity(Unavailable):
    """As many runs as are allowed are going."""

    code = "over_capacity"
    message = "The server is at its limit of running replies. Try again shortly."


ALL_TAKEN = "You have as many replies under way as one user may have."


class ShuttingDown(Unavailable):
    """The server is stopping; no new runs."""

    code = "shutting_down"
    message = "The server is restarting. Try again shortly."
