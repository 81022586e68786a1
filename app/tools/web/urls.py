"""Addresses of pages, read once and strictly: what is asked is what was checked.

A host is read as browsers read it (WHATWG URL, "host parsing"): percent-encoding and international
names undone, IPv4 in each of its forms. What is left of it is written anew from the parts; nothing
else ever sees how it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import idna

from app.tools.tool import ToolError
from app.tools.web.addresses import Address

MAX_LENGTH = 2000
PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACE = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", re.ASCII)
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+", re.ASCII)
# As they may stand; `%` because what is encoded stays so.
_PATH_SAFE, _QUERY_SAFE = "/%:@!$&'()*+,;=~", "/%:@!$&'()*+,;=~?[]|"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a page is. `host` is lower-case ASCII, of IPv6 without brackets; `path` has the
    query."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None  # that the host is

    @property
    def authority(self) -> str:
        """The host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """All of it."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def follow(self, location: str) -> Target:
        """Return what a Location header leads to from here. Raises ToolError."""
        try:
            location = location.encode("latin-1").decode()  # headers come as Latin-1
        except UnicodeError:
            pass
        try:
            return parse(urljoin(self.url, location.strip()))
        except ValueError:
            raise ToolError("It redirects to what is no address.") from None


def parse(url: str) -> Target:
    """Return what an address means. Raises ToolError that says what is wrong."""
    url = url.strip()
    if len(url) > MAX_LENGTH:
        raise ToolError(f"The address is longer than {MAX_LENGTH} characters.")
    if _CONTROL.search(url):
        raise ToolError("The address has a control character in it.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ToolError("That is no address of a page.") from None
    if parts.scheme not in PORTS or not parts.netloc:
        raise ToolError("The address must start with http:// or https://, and a host.")
    if "@" in parts.netloc:
        raise ToolError("The address must have no user and no password.")
    place = _PLACE.fullmatch(parts.netloc)
    if place is None:
        raise ToolError("The address has a host or a port that is none.")
    host, address = _host(place[1])
    port = int(place[2] or PORTS[parts.scheme])
    if not 0 < port < 65536:
        raise ToolError("The address has a port that is none.")
    path = quote(parts.path or "/", safe=_PATH_SAFE, errors="replace")
    if parts.query:
        path += f"?{quote(parts.query, safe=_QUERY_SAFE, errors='replace')}"
    return Target(parts.scheme, host, port, path, address)


def _host(written: str) -> tuple[str, Address | None]:
    if written.startswith("["):
        try:
            address = IPv6Address(written[1:-1])
        except AddressValueError:
            raise ToolError("The address has an IPv6 address that is none.") from None
        if address.scope_id is not None:
            raise ToolError("The address has an IPv6 address with a zone.")
        return str(address), address
    name = _ascii(written)
    if name.endswith("."):  # of the root: the same host
        name = name[:-1]
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise ToolError("The address has a host that is none.")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        four = _four(name)
        return str(four), four
    return name, None


def _ascii(written: str) -> str:
    """Return a name with percent-encoding undone, in ASCII (UTS 46), lower-case."""
    try:
        name = unquote_to_bytes(written).decode()
        if not name.isascii():
            name = idna.encode(name, uts46=True).decode()
    except (UnicodeError, ValueError):
        raise ToolError("The address has a host that is none.") from None
    return name.lower()


def _four(name: str) -> IPv4Address:
    """Return what inet_aton makes of it: one to four parts, decimal, octal or hexadecimal, the last
    as many bytes as are left."""
    parts = name.split(".")
    try:
        *first, last = map(_number, parts)
        if len(parts) > 4 or any(part > 255 for part in first) or last >= 256 ** (5 - len(parts)):
            raise ValueError(name)
    except ValueError:
        raise ToolError("The address has an IPv4 address that is none.") from None
    return IPv4Address(sum(part << 24 - 8 * at for at, part in enumerate(first)) + last)


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part) or len(part) > 20:
        raise ValueError(part)
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    return int(part, 8 if part[0] == "0" and len(part) > 1 else 10)
