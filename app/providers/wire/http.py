"""Streamed HTTP requests with urllib3: half the CPU a delta of the OpenAI SDK's own transport.

This is the one place that opens connections to model servers, reads them, and turns what can go
wrong with a connection into our errors; nothing of upstream's text goes along. The environment's
proxies (HTTPS_PROXY, NO_PROXY) and CA settings (SSL_CERT_FILE) count.
"""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout
from urllib3.util import Url, parse_url

from app.core.run_errors import RunError, UpstreamIncomplete, UpstreamRefused, UpstreamTimeout
from app.providers.wire.chunked import ChunkedBody
from app.providers.wire.telling import Words

POOL_SIZE = 20  # connections kept for the next run; any number may be in use
# Of one read. Without a bound a read allocates what the next HTTP chunk claims to be.
READ_BYTES = 65536
ONCE = urllib3.Retry(False, redirect=False)  # retries are ours (wrappers/retries.py)
Origin = tuple[str | None, str | None, int | None]
_parse = lru_cache(maxsize=128)(parse_url)  # the same few again and again: an address a model


class Reader(Protocol):
    """What a runtime has to read one connection with, at less cost than the connection's own."""

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, waiting for it; nothing when the other side has closed. Raises
        OSError."""

    def close(self) -> None:
        """Read no longer; the connection stays open. Must come before it is closed or lent on."""


ReaderOf = Callable[[Any], Reader | None]  # for a socket


def no_reader(connection: Any) -> None:
    """Return nothing: the connection's own recv will do."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds a call of any server, and what reads its connection."""

    connect_timeout_s: float
    read_timeout_s: float
    max_reply_bytes: int
    reader_of: ReaderOf = no_reader
    words: Words = Words()


class HttpStreams:
    """Opens streamed requests on kept connections. Thread-safe as urllib3's pools are.

    Which proxy a server is reached through is looked up once: the environment of a process is
    taken not to change.
    """

    def __init__(
        self, connect_timeout_s: float, read_timeout_s: float, reader_of: ReaderOf = no_reader
    ) -> None:
        self._reader_of = reader_of
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._ssl_context = httpx2.create_ssl_context()
        self._pools: dict[Origin, urllib3.HTTPConnectionPool] = {}

    def open(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpStream:
        """Send the request, return the answer with its body unread. Redirects are not followed.

        Raises UpstreamRefused, UpstreamTimeout.
        """
        try:
            parsed = _parse(url)
            pool = self._pool_for(parsed)
            # A proxy is told the whole URL, unless there is a tunnel through it.
            through_proxy = pool.proxy is not None and parsed.scheme == "http"
            response = pool.urlopen(
                method,
                url if through_proxy else parsed.request_uri,
                body=body,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=ONCE,
                assert_same_host=False,
                timeout=self._timeout,
            )
        except NewConnectionError:  # a timeout by its class alone
            raise UpstreamRefused() from None
        except HTTPTimeout:
            raise UpstreamTimeout() from None
        except (HTTPError, OSError, ValueError):  # ValueError: a key that cannot be in a header
            raise UpstreamRefused() from None
        return HttpStream(response, self._reader_of)

    def _pool_for(self, url: Url) -> urllib3.HTTPConnectionPool:
        origin = (url.scheme, url.host, url.port)
        pool = self._pools.get(origin)
        if pool is None:  # another thread may be as far: the first one's is used
            pool = self._pools.setdefault(origin, self._new_pool(url))
        return pool

    def _new_pool(self, url: Url) -> urllib3.HTTPConnectionPool:
        options: dict[str, Any] = {"maxsize": POOL_SIZE, "ssl_context": self._ssl_context}
        proxy = _proxy_for(url.url)
        manager = (
            urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        )
        return manager.connection_from_host(url.host, url.port, url.scheme)


class HttpStream:
    """One answer: its status and headers are there, its body comes as it is iterated."""

    def __init__(self, response: urllib3.BaseHTTPResponse, reader_of: ReaderOf = no_reader) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._reader_of = reader_of
        self._reader: Reader | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Yield what each read brings, decoded. Raises UpstreamTimeout, UpstreamIncomplete."""
        # Identity is what we ask for.
        decode = "content-encoding" in self.headers
        inner = None if decode else self._chunked_response()
        return self._plain(decode) if inner is None else self._chunked(inner)

    def _plain(self, decode: bool) -> Iterator[bytes]:
        with _read_errors():
            while data := self._response.read1(READ_BYTES, decode_content=decode):
                yield data

    def _chunked_response(self) -> Any:
        """Return the standard library's response, if its body is chunked.

        This reaches into urllib3: where that keeps another one day, it reads on as it always did,
        only slower.
        """
        inner = getattr(self._response, "_fp", None)
        if isinstance(inner, http.client.HTTPResponse) and inner.chunked:
            return inner
        return None

    def _chunked(self, inner: Any) -> Iterator[bytes]:
        body, read = ChunkedBody(), inner.fp.read1
        first = read
        try:
            with _read_errors():
                while not body.done:
                    data = read(READ_BYTES)
                    if not data:
                        raise UpstreamIncomplete()
                    said = body.feed(data)
                    if body.done:
                        self._let_go(inner, body.surplus)
                    elif read is first:
                        read = self._steady_read(inner)
                    if said:
                        yield said
        finally:
            self._stop_reading()

    def _steady_read(self, inner: Any) -> Callable[[int], bytes]:
        """Return how to read on, once the first read has emptied the library's buffer."""
        connection = getattr(inner.fp.raw, "_sock", None)
        self._reader = self._reader_of(connection) if connection is not None else None
        read: Callable[[int], bytes] = self._reader.recv if self._reader else inner.fp.read1
        return read

    def _let_go(self, inner: Any, surplus: bool) -> None:
        """Give the connection back, before the last piece is handed out: who knows the end by it
        asks for no more. One with something on it that is no answer is not used again."""
        self._stop_reading()
        if not surplus:
            inner._close_conn()  # lets go of the file, not of the connection
            self._response.release_conn()

    def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def rest(self, max_bytes: int) -> bytes:
        """Return about as many of the body's first bytes as asked for, fewer if it is cut, and
        close it."""
        found = b""
        with closing(self), suppress(RunError):
            for data in self:
                found += data
                if len(found) >= max_bytes:
                    break
        return found

    def close(self) -> None:
        """End the request: a body not read to its end closes the connection.

        That is what tells upstream to stop; a body read to its end has given its connection back.
        """
        self._stop_reading()
        self._response.close()


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError):
        raise UpstreamTimeout() from None
    except (HTTPError, OSError, ValueError):  # ValueError: chunks that are none
        raise UpstreamIncomplete() from None


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy and urlsplit(proxy).scheme in {"http", "https"} else None
