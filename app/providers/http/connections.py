"""What urllib3's connections do otherwise here, and what it means that none could be made.

An error says why in words of ours (`said`): those of libraries have addresses and names in them.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from app.core.run_errors import RunError, Said, UpstreamProxy, UpstreamRefused, UpstreamTimeout

REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")
# The first that is among an error and its causes says why.
REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name is not known"),
    (ssl.SSLCertVerificationError, "TLS: certificate verify failed"),
    (ssl.SSLError, "TLS: the handshake failed"),
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
    (ConnectionError, "the connection was closed"),
    (http.client.HTTPException, "the answer is not HTTP"),
    (UnicodeError, "a header is not ASCII"),
)
SOCKS_ERRORS = {  # by name: PySocks is not imported where nobody needs it; the last is of all
    "SOCKS5AuthError": "the proxy wants another user and password",
    "SOCKS5Error": "the proxy could not reach the server, or may not",
    "SOCKS4Error": "the proxy could not reach the server, or may not",
    "GeneralProxyError": "the proxy does not speak SOCKS",
}


def failure_of(error: Exception, through_proxy: bool) -> RunError:
    """Return our error for a request that could not be sent, or got no answer.

    A proxy that says that it does not reach the server (502, SOCKS) counts as one that refused:
    the words of proxies do not tell the two apart reliably.
    """
    # The last two are of SOCKS, where all that goes wrong with a new connection is the proxy's.
    of_proxy = isinstance(error, (NoProxy, NewConnectionError, ConnectTimeoutError))
    failure: RunError
    if through_proxy and of_proxy:
        failure = UpstreamProxy()
    # A connection that cannot be made is a timeout by its class alone.
    elif isinstance(error, HTTPTimeout) and not isinstance(error, NewConnectionError):
        failure = UpstreamTimeout()
    else:
        failure = UpstreamRefused()
    if reason := _reason_of(error):
        failure.said = Said(message=reason)
    return failure


def _reason_of(error: BaseException) -> str:
    causes = list(_causes_of(error))
    for cause in causes:
        if status := REFUSED_TUNNEL.match(str(cause)):
            return f"the proxy answered {status[1]}"
    for kind, reason in REASONS:
        if any(isinstance(cause, kind) for cause in causes):
            return reason
    names = {type(cause).__name__ for cause in causes}
    return next((reason for name, reason in SOCKS_ERRORS.items() if name in names), "")


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those that it is made of, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (getattr(one, "original_error", None), one.__cause__, one.__context__, *one.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


class FinalAnswer(http.client.HTTPResponse):
    """Reads over every interim answer, as a client has to (RFC 9110, 15.2); the library's own reads
    over 100 alone. 101 is asked for by nobody here, and is no interim one."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 101 < found[1] < 200:
                return found
            http.client._read_headers(self.fp)  # type: ignore[attr-defined]


def answer_class(ours: type[http.client.HTTPResponse]) -> type[http.client.HTTPResponse]:
    """Return ours where the library is as expected, else the library's own."""
    try:
        answer = ours(_Said103())  # type: ignore[arg-type]
        answer.begin()
        as_expected = answer.status == 204
    except Exception:
        as_expected = False
    return ours if as_expected else http.client.HTTPResponse


class _Said103:
    """A socket that something was said on."""

    def makefile(self, mode: str) -> io.BytesIO:
        """Return what was said."""
        return io.BytesIO(b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 204 Done\r\n\r\n")


class NoProxy(ProxyError):
    """The proxy cannot be reached, refuses, is silent or is none. The library says ProxyError of a
    server that hangs up, too."""


class _Manners:
    response_class = answer_class(FinalAnswer)

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except (OSError, HTTPError, http.client.HTTPException) as error:
            if self.proxy and not self.has_connected_to_proxy:  # type: ignore[attr-defined]
                raise NoProxy("no way through it", error) from None
            raise

    def _tunnel(self) -> None:
        try:
            super()._tunnel()  # type: ignore[misc]
        except (OSError, http.client.HTTPException):
            self.close()  # type: ignore[attr-defined]  # not connected, then
            raise


def well_mannered(connection: Any) -> Any:
    """Return the class of a connection that reads over interim answers, and raises NoProxy."""
    return type(connection.__name__, (_Manners, connection), {})
