"""Which IP addresses are of the public internet: by IANA's registries of special-purpose addresses
(RFC 6890), in tables of our own, since those of Python's ipaddress differ from version to version.

An IPv6 address that a router turns into an IPv4 one is what that is.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Address = IPv4Address | IPv6Address
Kind = Literal["public", "private", "special"]

# Of a house: somebody who runs it may allow them.
_PRIVATE_4 = [
    IPv4Network(net)
    for net in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]
_PRIVATE_6 = [IPv6Network("fc00::/7"), IPv6Network("::1/128")]
# Of nobody whose pages anybody reads.
_SPECIAL_4 = [
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "192.0.0.0/24",  # protocols, and Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
_UNICAST_6 = IPv6Network("2000::/3")  # all that IANA has given out; what is special in it:
_SPECIAL_6 = [
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocols, Teredo (RFC 4380) among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address within, by relays that are no more (RFC 7526)
        "3fff::/20",
    )
]
_MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4-mapped (RFC 4291, 2.5.5.2)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052; what DNS64 gives for a name that is IPv4 alone
# Where a cloud's machine is told its keys, at addresses that are not link-local.
_METADATA = {
    ip_address(address)
    for address in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
}


def kind_of(address: Address) -> Kind:
    """Return whether it is public, private (of a house, or of this machine), or nothing to ask."""
    if isinstance(address, IPv6Address):
        if address in _MAPPED or address in _NAT64:
            return kind_of(IPv4Address(int(address) & 0xFFFF_FFFF))
        return _kind_6(address)
    if address in _METADATA or any(address in net for net in _SPECIAL_4):
        return "special"
    return "private" if any(address in net for net in _PRIVATE_4) else "public"


def _kind_6(address: IPv6Address) -> Kind:
    if address in _METADATA or address.scope_id is not None:
        return "special"
    if any(address in net for net in _PRIVATE_6):
        return "private"
    is_public = address in _UNICAST_6 and not any(address in net for net in _SPECIAL_6)
    return "public" if is_public else "special"
