"""An HTTP transport for the OpenAI SDK that reads with urllib3: half the CPU a delta of its own.

The SDK keeps requests, URLs, auth and errors; this class carries one request and hands out the
bytes as they come. The environment's proxies (HTTPS_PROXY, NO_PROXY) and CA settings
(SSL_CERT_FILE) count as they do for the SDK's own transport.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import urllib3

POOL_SIZE = 20  # connections kept for the next run; any number may be in use


class Urllib3Transport(httpx2.BaseTransport):
    """One for a client; thread-safe as urllib3's pools are."""

    def __init__(self, connect_timeout_s: float, read_timeout_s: float) -> None:
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._ssl_context = httpx2.create_ssl_context()
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; the response's body is read as its stream is iterated."""
        url = str(request.url)
        try:
            response = self._pool_for(url).urlopen(
                request.method,
                url,
                body=request.read(),
                headers=dict(request.headers.items()),
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self._timeout,
            )
        except urllib3.exceptions.NewConnectionError as error:  # a TimeoutError by its class alone
            raise httpx2.ConnectError(str(error), request=request) from error
        except urllib3.exceptions.TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except urllib3.exceptions.HTTPError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        return httpx2.Response(
            response.status, headers=list(response.headers.items()), stream=_Body(response)
        )

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        proxy = _proxy_for(url)
        pool = self._pools.get(proxy)
        if pool is None:
            options: dict[str, Any] = {"maxsize": POOL_SIZE, "ssl_context": self._ssl_context}
            if proxy:
                pool = urllib3.ProxyManager(proxy, **options)
            else:
                pool = urllib3.PoolManager(**options)
            self._pools[proxy] = pool
        return pool

    def close(self) -> None:
        """Close the connections that are kept."""
        for pool in self._pools.values():
            pool.clear()


class _Body(httpx2.SyncByteStream):
    """The body's bytes, a read at a time; closing it early closes the connection."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        response = self._response
        try:
            while data := response.read1():
                yield data
        except urllib3.exceptions.ReadTimeoutError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise httpx2.ReadError(str(error)) from error

    def close(self) -> None:
        # A body read to its end has given its connection back; any other connection is not to be
        # used again, and closing it is what tells upstream to stop.
        self._response.close()


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy and urlsplit(proxy).scheme in {"http", "https"} else None
