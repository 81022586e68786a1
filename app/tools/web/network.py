"""The ways out of this machine, as tools are handed them: the same certificates and proxies that
model servers are reached by."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import urllib3


class Answer(Protocol):
    """One answer: its status and headers are there, its body comes as it is iterated."""

    status: int
    headers: Mapping[str, str]

    def __iter__(self) -> Iterator[bytes]:
        """Yield what each read brings, decoded. Raises RunError."""

    def close(self) -> None:
        """End the request."""


class Http(Protocol):
    """Asks servers that the operator names, wherever they are."""

    def open(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send the request, return the answer with its body unread; redirects are not followed.
        Raises RunError."""


Proxied = Callable[[str], tuple[urllib3.HTTPConnectionPool, bool] | None]


def no_proxy(url: str) -> None:
    """Return None: every address is asked directly."""
    return None


@dataclass(frozen=True, slots=True)
class Network:
    """What there is. `proxied` gives new connections through the proxy that the environment names
    for an address, and whether that is told whole URLs; None where it names none."""

    http: Http
    ssl_context: ssl.SSLContext
    proxied: Proxied = no_proxy
