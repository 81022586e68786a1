"""The ways out of this machine that lead to model servers, for others who go out: the same
certificates, the same proxies."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import NamedTuple

import urllib3
from urllib3.util import parse_url

from app.providers.http.proxies import pools_through, proxy_for
from app.providers.http.streams import Certificates, HttpStreams, trusted
from app.providers.settings import ProviderSettings

READ_TIMEOUT_S = 15.0  # of one read
# For an address: new connections through the proxy that is on the way to it, and whether that is
# told whole URLs; None for the direct way.
Proxied = Callable[[str], tuple[urllib3.HTTPConnectionPool, bool] | None]


class WaysOut(NamedTuple):
    """What there is."""

    streams: HttpStreams
    ssl_context: ssl.SSLContext
    proxied: Proxied


def ways_out(settings: ProviderSettings) -> WaysOut:
    """Return the ways that these settings and the environment say. Raises NotSetUp."""
    certificates = Certificates(settings.ssl_cert_file, settings.ssl_cert_dir)
    ssl_context = trusted(certificates)

    def proxied(url: str) -> tuple[urllib3.HTTPConnectionPool, bool] | None:
        proxy = proxy_for(url)
        if proxy is None:
            return None
        parts = parse_url(url)
        pools = pools_through(proxy, ssl_context)
        pool = pools.connection_from_host(parts.host, parts.port, parts.scheme)
        return pool, proxy.forwards and parts.scheme == "http"

    for scheme in ("http", "https"):
        proxy_for(f"{scheme}://example.com")  # one that cannot be used stops the start
    streams = HttpStreams(settings.connect_timeout_s, READ_TIMEOUT_S, certificates=certificates)
    return WaysOut(streams, ssl_context, proxied)
