"""Pages of the public internet, fetched for somebody who is not to see this machine's network.

Each address on the way, redirects too, is checked (hosts.py), and what was checked is connected to.
Nothing that identifies anybody is sent. Bounds: of redirects, bytes, and time.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NewConnectionError,
    ProxyError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeout

from app import __version__
from app.tools.tool import ToolError
from app.tools.web.addresses import Address
from app.tools.web.hosts import Hosts
from app.tools.web.network import Network
from app.tools.web.urls import Target, parse

Pool = urllib3.HTTPConnectionPool
MAX_REDIRECTS = 5
MAX_BYTES = 2_000_000
READ_BYTES = 65536
MAX_TRIES = 4  # of a name's addresses
CONNECT_S, READ_S = 5.0, 10.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
TIMEOUT = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
ONCE = urllib3.Retry(False, redirect=False)
HEADERS = {
    "User-Agent": f"Tandem/{__version__} (fetch_page)",
    "Accept": "text/html,application/xhtml+xml,text/plain,application/json;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "identity",  # what is compressed may be of any size
    "Connection": "close",
}
# The first that an error is, or is made of, says why.
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "The server's certificate is not valid for that address."),
    (ssl.SSLError, "There is no TLS with that server."),
    (ProxyError, "The proxy does not reach that server, or may not."),
    (NewConnectionError, "The server cannot be reached."),
    (HTTPTimeout, "The server took too long."),
    (TimeoutError, "The server took too long."),
    (DecodeError, "The page is compressed, and broken."),
    (http.client.IncompleteRead, "The connection was closed before the page was whole."),
    (ConnectionError, "The server closed the connection."),
)
TOO_LONG = "The page took too long."
THROUGH_PROXY = (
    "This server reaches the web through a proxy, which looks names up itself; "
    "its operator has not allowed that for pages (FETCH_PAGE_PROXY)."
)


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, and where in the end. `is_cut`: there was more than is read."""

    url: str
    content_type: str
    body: bytes
    is_cut: bool


class Way(NamedTuple):
    """Connections to ask on, and whether they are told whole URLs, as proxies are."""

    pool: Pool
    whole_urls: bool


class Pages:
    """Fetches them. `through_proxy`: whether that may be, where the environment has a proxy: then
    names are looked up there, and private addresses are the proxy's to refuse."""

    def __init__(
        self,
        hosts: Hosts,
        network: Network,
        through_proxy: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = hosts
        self._network = network
        self._through_proxy = through_proxy
        self._now = now

    def fetch(self, url: str, within_s: float) -> Page:
        """Return a page. Raises ToolError."""
        until = self._now() + within_s
        target = parse(url)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with self._asked(target, until) as response:
                    location = response.headers.get("Location")
                    if response.status not in REDIRECTS or location is None:
                        return self._page(target, response, until)
                target = target.follow(location)
        except (HTTPError, OSError, ValueError) as error:
            raise ToolError(_in_words(error)) from None
        raise ToolError(f"It redirects more than {MAX_REDIRECTS} times.")

    @contextmanager
    def _asked(self, target: Target, until: float) -> Iterator[urllib3.BaseHTTPResponse]:
        pool, response = self._open(target, until)
        try:
            yield response
        finally:
            response.close()
            pool.close()

    def _open(self, target: Target, until: float) -> tuple[Pool, urllib3.BaseHTTPResponse]:
        """Return the answer, and the connections that it came on."""
        failure: HTTPError | None = None
        for way in self._ways(target):
            if self._now() > until:
                break
            try:
                return way.pool, self._sent(way, target)
            except (NewConnectionError, ConnectTimeoutError) as error:
                failure = error
        raise failure or ToolError(TOO_LONG)

    def _ways(self, target: Target) -> Iterator[Way]:
        """Yield how the target may be asked, the best first. Raises ToolError."""
        proxied = self._network.proxied(target.url)
        if proxied is not None:
            if not self._through_proxy:
                raise ToolError(THROUGH_PROXY)
            self._hosts.check(target)
            yield Way(*proxied)
            return
        for address in self._hosts.addresses_of(target)[:MAX_TRIES]:
            yield Way(_pool(target, address, self._network.ssl_context), False)

    def _sent(self, way: Way, target: Target) -> urllib3.BaseHTTPResponse:
        try:
            return way.pool.urlopen(
                "GET",
                target.url if way.whole_urls else target.path,
                headers={"Host": target.authority, **HEADERS},
                preload_content=False,
                redirect=False,
                retries=ONCE,
                assert_same_host=False,
                timeout=TIMEOUT,
            )
        except BaseException:
            way.pool.close()
            raise

    def _page(self, target: Target, response: urllib3.BaseHTTPResponse, until: float) -> Page:
        if not 200 <= response.status < 300:
            raise ToolError(f"The server answered {_status_in_words(response.status)}.")
        if response.headers.get("Content-Encoding", "").strip().lower() not in CODINGS:
            raise ToolError("The page is compressed in a way that is not read.")
        body = bytearray()
        while len(body) <= MAX_BYTES and (data := response.read1(READ_BYTES, decode_content=True)):
            body += data
            if self._now() > until:
                raise ToolError(TOO_LONG)
        is_cut = len(body) > MAX_BYTES
        content_type = response.headers.get("Content-Type", "")
        return Page(target.url, content_type, bytes(body[:MAX_BYTES]), is_cut)


def _pool(target: Target, address: Address, ssl_context: ssl.SSLContext) -> Pool:
    """Return connections to that address alone; a certificate has to be the host's."""
    place = f"[{address}]" if address.version == 6 else str(address)
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(place, target.port)
    return urllib3.HTTPSConnectionPool(
        place, target.port, ssl_context=ssl_context, server_hostname=target.host
    )


def _status_in_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _in_words(error: BaseException) -> str:
    """Return why there is no page; libraries' own words have addresses in them."""
    kinds = [type(cause) for cause in _causes_of(error)]
    for kind, words in WORDS:
        if any(issubclass(one, kind) for one in kinds):
            return words
    return "The server's answer could not be read."


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those that it is made of, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            inner = (one.__cause__, one.__context__, *one.args)
            waiting += [cause for cause in inner if isinstance(cause, BaseException)]
