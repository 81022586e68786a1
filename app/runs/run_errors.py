"""How a run failed: raised by providers and deadlines, kept in the run's `end`.

An event for those who stream, a status for those who asked for a whole answer.
"""

from __future__ import annotations

from typing import Any

from app.runs.errors import ChatError


class RunError(ChatError):
    """How a run failed; raised by providers and deadlines, kept in the run's `end`."""

    http_status = 502
    retryable = True

    def end_data(self) -> dict[str, Any]:
        """Return what the run's `end` keeps of the error."""
        return {
            "code": self.code,
            "message": self.message,
            "error_id": self.error_id,
            "retryable": self.retryable,
        }


class UpstreamRefused(RunError):
    """No connection could be made."""

    code = "upstream_refused"
    message = "The model's server could not be reached. Try again shortly."


class UpstreamAuth(RunError):
    """401 or 403 from upstream."""

    code = "upstream_auth"
    retryable = False
    message = "The model's server refused our key. The operator must check it."


class UpstreamRejected(RunError):
    """Another 4xx from upstream."""

    code = "upstream_rejected"
    retryable = False
    message = "The model's server refused the request. Check the model's name and the parameters."


class UpstreamRateLimited(RunError):
    """429 from upstream."""

    code = "upstream_rate_limited"
    message = "The model's server is limiting us. Try again later."


class UpstreamError(RunError):
    """5xx, or an error object in the stream."""

    code = "upstream_error"
    message = "The model's server failed. Try again."


class UpstreamIncomplete(RunError):
    """Cut, empty, not an event stream, or without a finish reason."""

    code = "upstream_incomplete"
    message = "The reply was cut off before its end. What came is kept; try again or continue."


class UpstreamMalformed(RunError):
    """A chunk that cannot be read."""

    code = "upstream_malformed"
    message = "The model's server sent something unreadable. What came is kept; try again."


class UpstreamTooLarge(RunError):
    """Over MAX_REPLY_BYTES."""

    code = "upstream_too_large"
    retryable = False
    message = "The reply grew over the limit and was ended. What came is kept."


class UpstreamTimeout(RunError):
    """Connect, first piece, or between pieces took too long."""

    code = "upstream_timeout"
    http_status = 504
    message = "The model took too long to answer. What came is kept; try again."


class RunTimeout(RunError):
    """The whole run took too long."""

    code = "run_timeout"
    http_status = 504
    message = "The reply took longer than is allowed and was ended. What came is kept."


class RunStorageFailed(RunError):
    """The store failed for too long while the run was going."""

    code = "storage_unavailable"
    http_status = 503
    message = "The store failed while the reply was coming. Try again shortly."


class RunInterrupted(RunError):
    """The server went away while the run was going."""

    code = "shutting_down"
    http_status = 503
    message = "The server restarted while the reply was coming. What came is kept; continue it."


class RunInternalError(RunError):
    """A bug of ours while the run was going."""

    code = "internal_error"
    http_status = 500
    message = ChatError.message


def error_for_code(code: str) -> RunError:
    """Return the run error of a stored code; a code nobody knows is a bug of ours."""
    for error in RunError.__subclasses__():
        if error.code == code:
            return error()
    return RunInternalError()
