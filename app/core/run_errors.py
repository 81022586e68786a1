"""How a run fails: the branch of the tree of errors (errors.py) that is raised by providers and
deadlines, and kept in a run's `end`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import ChatError, RequestError


@dataclass(frozen=True, slots=True)
class Said:
    """What a model's server said of its failure: for our log. `code` and `type` are its own machine
    words, `message` is cut, and without keys and without what people said; each may be empty."""

    status: int | None = None
    code: str = ""
    type: str = ""
    message: str = ""

    def figures(self) -> dict[str, Any]:
        """Return what a log line has of it, by name; what is empty is left out."""
        figures = {
            "upstream_status": self.status,
            "upstream_code": self.code,
            "upstream_type": self.type,
            "upstream_message": self.message,
        }
        return {name: figure for name, figure in figures.items() if figure}


class RunError(ChatError):
    """How a run failed; raised by providers and deadlines, kept in the run's `end`."""

    http_status = 502
    retryable = True
    said: Said | None = None
    details = ""  # of `said`, where the operator lets a client see it
    wait_s = 0.0  # `retry_after_s` exactly; what retries go by
    loading = False  # its server still loads the model: to be asked again for as long as may be

    @staticmethod
    def of(error: Exception) -> RunError:
        """Return how a run fails whose model cannot be asked because of this error."""
        if isinstance(error, RunError):
            return error
        if isinstance(error, RequestError):  # such as a provider that is not set up any more
            return CannotGoOn(error.message)
        return RunInternalError()

    def end_data(self) -> dict[str, Any]:
        """Return what the run's `end` keeps of the error."""
        kept = {
            "code": self.code,
            "message": self.message,
            "error_id": self.error_id,
            "retryable": self.retryable,
        }
        if self.details:
            kept["details"] = self.details
        return kept

    @classmethod
    def of_end(cls, data: Mapping[str, Any]) -> RunError:
        """Return the error that `end_data` was made of."""
        error = error_for_code(data["code"])
        error.message = data["message"]
        error.error_id = data["error_id"]
        error.details = data.get("details", "")
        return error

    def payload(self) -> dict[str, Any]:
        """Return the native error object."""
        payload = super().payload()
        if self.details:
            payload["details"] = self.details
        return payload


class UpstreamRefused(RunError):
    """No connection could be made."""

    code = "upstream_refused"
    message = "The model's server could not be reached. Try again shortly."


class UpstreamAuth(RunError):
    """Upstream does not take our key."""

    code = "upstream_auth"
    retryable = False
    message = "The model's server refused our key. The operator must check it."


class UpstreamContext(RunError):
    """The prompt is longer than the model takes. In tokens, where upstream says how many."""

    code = "upstream_context"
    retryable = False
    message = (
        "The conversation is too long for the model. "
        "Shorten it, begin a new one, or choose a model with more room."
    )

    def __init__(self, sent: int | None = None, limit: int | None = None) -> None:
        message = type(self).message
        if sent is not None and limit is not None:
            by = f": {sent} tokens, of which it takes {limit}."
            message = message.replace(".", by, 1)
        super().__init__(message)


class UpstreamCredit(RunError):
    """The account upstream has nothing left to pay with."""

    code = "upstream_credit"
    retryable = False
    message = "The account at the model's server has no credit left. The operator must add some."


class UpstreamNotFound(RunError):
    """404 and the like from upstream: no such address or no such model."""

    code = "upstream_not_found"
    retryable = False
    message = (
        "The model's server does not know that model, or there is no model server at its address. "
        "Check the model's name; the operator must check the address."
    )


class UpstreamProxy(RunError):
    """The proxy on the way to upstream refused, or could not be reached."""

    code = "upstream_proxy"
    retryable = False
    message = (
        "The proxy on the way to the model's server refused us or could not be reached. "
        "The operator must check its address and password."
    )


class UpstreamBlocked(RunError):
    """A firewall in front of upstream turned us away."""

    code = "upstream_blocked"
    retryable = False
    message = (
        "A firewall in front of the model's server blocked the request, or it does not serve this "
        "place. The operator must ask there."
    )


class UpstreamFiltered(RunError):
    """The prompt did not pass upstream's filter."""

    code = "upstream_filtered"
    retryable = False
    message = "The content filter of the model's server refused the message. Change its words."


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
    """Cut, empty, or without any mark of its end."""

    code = "upstream_incomplete"
    message = "The reply was cut off before its end. What came is kept; try again or continue."
    nothing_came = "The model's server sent no reply. Try again."


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


class CannotGoOn(RunError):
    """A run that waited cannot ask its model any more: settings have changed since."""

    code = "cannot_go_on"
    http_status = 409
    retryable = False
    message = "The reply cannot go on."

    def __init__(self, why: str = "") -> None:
        super().__init__(f"{self.message} {why}".strip())


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
