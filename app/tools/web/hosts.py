"""Which hosts may be asked: those of the public internet on ports 80 and 443, and those that the
operator lists.

A name is looked up once, and only if all of its addresses may be asked is one of them: that one is
connected to, so that a second look-up has nothing to say (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address

from app.tools.tool import ToolError
from app.tools.web.addresses import Address, kind_of
from app.tools.web.urls import PORTS, Target

Resolver = Callable[[str, int], Iterable[str]]  # raises OSError
_USUAL_PORTS = frozenset(PORTS.values())
# Names that no public DNS has (RFC 6761, 6762, 8375, and ICANN for `internal`).
_LOCAL = ("localhost", "local", "internal", "home.arpa")


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as the system has them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


class Hosts:
    """Those that may be asked. An entry of `listed` is a name, `.my.org` for it and all below it,
    `*.my.org` for those alone, or an address; each with a port or for the usual ones."""

    def __init__(self, listed: Iterable[str] = (), resolver: Resolver = resolve) -> None:
        self._listed = [_entry(one) for one in listed]
        self._resolver = resolver

    def check(self, target: Target) -> bool:
        """Return whether the operator lists it. Raises ToolError for what may not be asked whatever
        its address is."""
        is_listed = any(_covers(name, port, target) for name, port in self._listed)
        if is_listed:
            return True
        if target.port not in _USUAL_PORTS:
            raise ToolError("Only pages on ports 80 and 443 are fetched.")
        if target.address is not None and kind_of(target.address) != "public":
            raise ToolError("That is no address of a public page.")
        is_local = target.host.rpartition(".")[2] in _LOCAL or target.host.endswith(".home.arpa")
        if target.address is None and (is_local or "." not in target.host):
            raise ToolError("That is no address of a public page.")
        return False

    def addresses_of(self, target: Target) -> Sequence[Address]:
        """Return the addresses to connect to, the best first. Raises ToolError, TimeoutError."""
        allowed = ("public", "private") if self.check(target) else ("public",)
        found = [target.address] if target.address is not None else self._looked_up(target)
        if not found or any(kind_of(address) not in allowed for address in found):
            # One sentence for both: what names there are inside is nobody's business.
            raise ToolError(f"There is no public address for {target.host}.")
        return found

    def _looked_up(self, target: Target) -> list[Address]:
        try:
            found = self._resolver(target.host, target.port)
            return [ip_address(one) for one in dict.fromkeys(found)]
        except TimeoutError:
            raise
        except (OSError, ValueError):
            return []


def _entry(written: str) -> tuple[str, int | None]:
    """Return the name and port of an entry of the list; of IPv6 without brackets, in one form."""
    name, port = written.lower(), ""
    if name.startswith("["):
        name, _, port = name[1:].partition("]")
    elif name.count(":") == 1:
        name, _, port = name.partition(":")
    with suppress(ValueError):
        name = str(ip_address(name))
    port = port.removeprefix(":")
    return name, int(port) if port else None


def _covers(name: str, port: int | None, target: Target) -> bool:
    if target.port not in (_USUAL_PORTS if port is None else (port,)):
        return False
    if name.startswith((".", "*.")):
        below = target.host.endswith(name.removeprefix("*"))
        return below or (name[0] == "." and target.host == name[1:])
    return target.host == name
