"""The ways to a server: direct, or through the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
NO_PROXY name, with its user and password.

A loopback address is always asked directly. A proxy that cannot be used stops the start: to leave
without it is what whoever set it does not want.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit

import urllib3

from app.providers.settings import NotSetUp

HTTP = ("http", "https")
# The name of the model's server is looked up by the proxy with `h` and `a`, here without.
SOCKS = ("socks5h", "socks5", "socks4a", "socks4")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
BEFORE_HOST = re.compile(r"([a-z][a-z0-9+.-]*://)?.*@", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that can be used; `userinfo` as it is written in an address, percent-encoded."""

    scheme: str
    address: str  # host and port
    userinfo: str = ""

    @property
    def forwards(self) -> bool:
        """Whether it is told whole URLs, where there is no tunnel through it."""
        return self.scheme in HTTP


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy on the way to that address, None for the direct one. Raises NotSetUp."""
    parts = urlsplit(url)
    host = parts.hostname
    if host is None or is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    written = urllib.request.getproxies()
    for name in (parts.scheme, "all"):
        if value := written.get(name, "").strip():
            return _parsed(f"{name.upper()}_PROXY", value)
    return None


def is_loopback(host: str) -> bool:
    """Tell whether that is this machine, which no proxy finds."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def pools_through(
    proxy: Proxy | None, ssl_context: ssl.SSLContext, **options: Any
) -> urllib3.PoolManager:
    """Return what makes pools of connections that go through the proxy."""
    options["ssl_context"] = ssl_context
    if proxy is None:
        return urllib3.PoolManager(**options)
    url = f"{proxy.scheme}://{proxy.address}"
    if not proxy.forwards:
        # PySocks, which only whoever has such a proxy needs.
        from urllib3.contrib.socks import SOCKSProxyManager

        user, _, password = map(unquote, proxy.userinfo.partition(":"))
        return SOCKSProxyManager(url, user or None, password or None, **options)
    headers = {"Proxy-Authorization": basic(proxy.userinfo)} if proxy.userinfo else None
    return urllib3.ProxyManager(
        url, proxy_headers=headers, proxy_ssl_context=ssl_context, **options
    )


def basic(userinfo: str) -> str:
    """Return the Authorization of an address's user and password (RFC 7617, in UTF-8)."""
    user, _, password = userinfo.partition(":")
    return f"Basic {b64encode(b':'.join(map(unquote_to_bytes, (user, password)))).decode()}"


def _parsed(name: str, value: str) -> Proxy:
    parts = _split(value if SCHEME.match(value) else f"http://{value}")
    if parts is None or parts.scheme not in HTTP + SOCKS:
        schemes = ", ".join(f"{scheme}://" for scheme in HTTP + SOCKS)
        shown = BEFORE_HOST.sub(r"\1", value)
        raise NotSetUp(
            f"{name} is {shown!r}; it must be the address of a proxy, <host>:<port> after one of "
            f"{schemes}; in a user and a password write %40 for @, %2F for /, %3A for :, and the "
            "like."
        )
    userinfo, _, address = parts.netloc.rpartition("@")
    return Proxy(parts.scheme, address, userinfo)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a proxy's address; None where a password may have broken it."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    rest = parts.path.strip("/") + parts.query + parts.fragment
    return parts if whole and not rest and url.isprintable() and " " not in url else None
