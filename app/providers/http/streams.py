"""Streamed HTTP requests with urllib3: half the CPU a delta of the OpenAI SDK's own transport.

This is the one place that opens connections to model servers, reads them, and turns what can go
wrong with a connection into our errors; nothing of upstream's text goes along. The environment's
proxies (proxies.py) and CA settings (SSL_CERT_FILE, SSL_CERT_DIR) count.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import httpx2
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from app import __version__
from app.core.run_errors import RunError, UpstreamIncomplete, UpstreamTimeout
from app.providers.http.chunked import ChunkedBody
from app.providers.http.connections import failure_of, well_mannered
from app.providers.http.proxies import Proxy, pools_through, proxy_for
from app.providers.settings import NotSetUp
from app.providers.wire.telling import Words

USER_AGENT = f"Tandem/{__version__}"
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


class Certificates(NamedTuple):
    """Whom to trust, where the operator says so: a file, else folders as OpenSSL writes them."""

    file: str = ""
    folders: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds a call of any server, and what reads its connection."""

    connect_timeout_s: float
    read_timeout_s: float
    max_reply_bytes: int
    reader_of: ReaderOf = no_reader
    words: Words = Words()
    certificates: Certificates = Certificates()


def trusted(certificates: Certificates) -> ssl.SSLContext:
    """Return what says whom to trust; by default what the libraries find. Raises NotSetUp."""
    file, folders = certificates
    if not (file or folders):
        return httpx2.create_ssl_context()
    if not file:
        if any(map(_is_readable_folder, folders.split(os.pathsep))):
            return ssl.create_default_context(capath=folders)
        raise NotSetUp(
            f"SSL_CERT_DIR is {folders!r}; it must be a folder of certificates that can be read."
        )
    try:
        return ssl.create_default_context(cafile=file)
    except OSError:
        raise NotSetUp(
            f"SSL_CERT_FILE is {file!r}; it must be a file of certificates (PEM) that can be read."
        ) from None


def _is_readable_folder(path: str) -> bool:
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)


class Way(NamedTuple):
    """How a server is reached: the connections to it, and the proxy that they go through."""

    pool: urllib3.HTTPConnectionPool
    proxy: Proxy | None


class HttpStreams:
    """Opens streamed requests on kept connections. Thread-safe as urllib3's pools are. Raises
    NotSetUp for certificates that cannot be read.

    Which proxy a server is reached through is looked up once: the environment of a process is
    taken not to change.
    """

    def __init__(
        self,
        connect_timeout_s: float,
        read_timeout_s: float,
        reader_of: ReaderOf = no_reader,
        certificates: Certificates = Certificates(),
    ) -> None:
        self._reader_of = reader_of
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._ssl_context = trusted(certificates)
        self._ways: dict[Origin, Way] = {}

    def prepare(self, url: str) -> None:
        """Find the way to that server now, so that a proxy that cannot be used stops the start.
        Raises NotSetUp."""
        with suppress(HTTPError, ValueError):  # an address that is none: each request says so
            self._way_to(_parse(url))

    def open(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpStream:
        """Send the request, return the answer with its body unread. Redirects are not followed.

        Raises UpstreamRefused, UpstreamProxy, UpstreamTimeout.
        """
        proxy = None
        try:
            parsed = _parse(url)
            pool, proxy = self._way_to(parsed)
            # A proxy is told the whole URL, unless there is a tunnel through it.
            forwarded = proxy is not None and proxy.forwards and parsed.scheme == "http"
            response = pool.urlopen(
                method,
                url if forwarded else parsed.request_uri,
                body=body,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=ONCE,
                assert_same_host=False,
                timeout=self._timeout,
            )
        # ValueError: a key that cannot be in a header
        except (HTTPError, OSError, ValueError) as error:
            raise failure_of(error, proxy is not None) from None
        return HttpStream(response, self._reader_of)

    def _way_to(self, url: Url) -> Way:
        origin = (url.scheme, url.host, url.port)
        way = self._ways.get(origin)
        if way is None:  # another thread may be as far: the first one's is used
            way = self._ways.setdefault(origin, self._new_way(url))
        return way

    def _new_way(self, url: Url) -> Way:
        proxy = proxy_for(url.url)
        pools = pools_through(proxy, self._ssl_context, maxsize=POOL_SIZE)
        pool = pools.connection_from_host(url.host, url.port, url.scheme)
        pool.ConnectionCls = well_mannered(pool.ConnectionCls)
        return Way(pool, proxy)


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
