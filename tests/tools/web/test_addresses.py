"""Which addresses are public: each range at its edges, and beside Python's ipaddress."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.web.addresses import kind_of

SPECIAL = (
    "0.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "::/128 fe80::/10 fec0::/10 ff00::/8 100::/64 64:ff9b:1::/48 2001::/32 2001:2::/48 "
    "2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 4000::/3"
).split()
PRIVATE = "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7".split()
METADATA = (
    "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 "
    "fd00:ec2::254 fd20:ce::254"
).split()
PUBLIC = (
    "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 "
    "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 "
    "198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 2001:4860:4860::8888"
).split()


@pytest.mark.parametrize("written", SPECIAL)
def test_what_is_special_is_so_to_both_ends(written: str) -> None:
    network = ip_network(written)
    assert {kind_of(network[0]), kind_of(network[-1])} == {"special"}


@pytest.mark.parametrize("written", PRIVATE)
def test_what_is_private_is_so_to_both_ends(written: str) -> None:
    network = ip_network(written)
    assert {kind_of(network[0]), kind_of(network[-1])} == {"private"}


@pytest.mark.parametrize("written", METADATA)
def test_metadata_of_clouds_is_never_private(written: str) -> None:
    assert kind_of(ip_address(written)) == "special"


@pytest.mark.parametrize("written", PUBLIC)
def test_what_is_beside_is_public(written: str) -> None:
    assert kind_of(ip_address(written)) == "public"


@given(st.ip_addresses(v=4))
def test_nothing_that_python_calls_private_is_public(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert kind_of(address) != "public"


@given(st.ip_addresses(v=6))
def test_nothing_that_python_calls_private_is_public_in_ipv6(address: IPv6Address) -> None:
    embeds = address in ip_network("::ffff:0:0/96") or address in ip_network("64:ff9b::/96")
    if not embeds and (not address.is_global or address.is_multicast or address.is_reserved):
        assert kind_of(address) != "public"


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_what_leads_to_ipv4_is_what_that_is(address: IPv4Address, prefix: str) -> None:
    assert kind_of(IPv6Address(int(IPv6Address(prefix)) + int(address))) == kind_of(address)


@given(st.ip_addresses(v=4))
def test_6to4_and_teredo_are_never_public(address: IPv4Address) -> None:
    four = int(address)
    assert kind_of(IPv6Address((0x2002 << 112) + (four << 80) + 1)) == "special"
    assert kind_of(IPv6Address((0x20010000 << 96) + (four ^ 0xFFFF_FFFF))) == "special"


def test_an_address_with_a_zone_is_nothing_to_ask() -> None:
    assert kind_of(IPv6Address("2606:4700::1111%eth0")) == "special"
