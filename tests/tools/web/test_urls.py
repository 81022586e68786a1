"""Addresses of pages in each of their forms: what they mean, and those that mean nothing."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.tool import ToolError
from app.tools.web.addresses import kind_of
from app.tools.web.urls import Target, parse

LOOPBACK = (
    "127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0X7F.0x0.0x0.0x1 0x7f.1 017700000001 0177.0.0.1 "
    "0177.1 127.0.0.1. 127.00.0x0.01 %31%32%37.0.0.1 %31%32%37%2e%30%2e%30%2e%31 １２７.０.０.１ "
    "127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.⓪.⓪.① 00000000177.0.0.1 0x000000007f.1 "
).split()
SIX = {
    "[::1]": "private",
    "[0:0:0:0:0:0:0:1]": "private",
    "[0000:0000:0000:0000:0000:0000:0000:0001]": "private",
    "[::ffff:127.0.0.1]": "private",
    "[::ffff:7f00:1]": "private",
    "[0:0:0:0:0:ffff:10.0.0.1]": "private",
    "[::FFFF:169.254.169.254]": "special",
    "[::127.0.0.1]": "special",
    "[64:ff9b::127.0.0.1]": "private",
    "[64:ff9b::a9fe:a9fe]": "special",
    "[64:ff9b:1::a00:1]": "special",
    "[2002:7f00:1::1]": "special",
    "[2002:a00:1::]": "special",
    "[2001:0:7f00:1::80ff:fffe]": "special",
    "[fe80::1]": "special",
    "[fd00:ec2::254]": "special",
    "[fc00::1]": "private",
    "[ff02::1]": "special",
    "[::]": "special",
    "[2606:4700:4700::1111]": "public",
    "[::ffff:8.8.8.8]": "public",
    "[64:ff9b::808:808]": "public",
}
FOUR = {
    "0": "special",
    "0.0.0.0": "special",
    "0x": "special",
    "0x0": "special",
    "10.1": "private",
    "0xa9fea9fe": "special",
    "2852039166": "special",
    "0251.0376.0251.0376": "special",
    "169.254.43518": "special",
    "0x64646464": "private",
    "100.100.100.200": "special",
    "192.168.257": "private",
    "3232235777": "private",
    "0300.0250.1": "private",
    "4294967295": "special",
    "8.8.8.8": "public",
    "134744072": "public",
    "0x08080808": "public",
    "010.010.010.010": "public",
}
NONE = (
    "http:// http:///x http://:80/ http://. http://.. http://a..b http://.a "
    "http://256.1.1.1 http://1.2.3.4.5 http://4294967296 http://1.2.3.256 "
    "http://0x100000000 http://09.1 http://127.0.0.08 http://a.0x1 http://0x7f.1.a.0x1 "
    "http://a.9 http://1..1 http://[::1 http://::1/ http://[::1]] http://[::g] "
    "http://[fe80::1%25eth0] http://[fe80::1%lo] http://[127.0.0.1] http://[] http://a:b "
    "http://a:0 http://a:65536 http://a:-1 http://a:99999999 http://a:８０ http://u@a "
    "http://u:p@a http://u:p@127.0.0.1 http://a@b@c http://@a http://a%40b http://a%2fb "
    "http://a%3a80 http://a%00 http://%zz http://a%20b http://a%09 http://a\\b "
    "http://a\\@127.0.0.1 http://a|b http://a^b http://<a> http://a\x00b http://a\x7fb "
    "http://%ff http://xn--%80 http://ａ℀b http://a\u200db http://\ud800 ftp://a "
    "file:///etc/passwd gopher://a:70/ javascript:alert(1) data:text/html,x //a/b "
    "a.example/x mailto:a@b ws://a HTTPS:a http:a http:/a unix:///run/docker.sock "
    "jar:http://a!/ view-source:http://a"
).split(" ")
LONG = (
    f"http://{'a' * 64}.example",
    f"http://{'a.' * 127}example",
    "http://a.example/" + "x" * 2000,
    "http://" + "é" * 1500,
    "http://" + "1." * 600,
    "http://" + "9" * 1900,
    "http://a.example/\nHost: b",
    "http://a.example/\r\nx",
    "http://a.exam\tple/",
    "http://a .example/",
    "",
    "   ",
)


@pytest.mark.parametrize("host", LOOPBACK)
def test_each_form_of_loopback_is_loopback(host: str) -> None:
    target = parse(f"http://{host}/")
    assert (target.host, target.address) == ("127.0.0.1", IPv4Address("127.0.0.1"))
    assert target.authority == "127.0.0.1"


@pytest.mark.parametrize("host,kind", {**FOUR, **SIX}.items())
def test_each_form_of_an_address_is_what_it_leads_to(host: str, kind: str) -> None:
    address = parse(f"https://{host}:443/").address
    assert address is not None and kind_of(address) == kind


@pytest.mark.parametrize("url", [*NONE, *LONG])
def test_what_is_no_address_of_a_page_says_so(url: str) -> None:
    with pytest.raises(ToolError):
        parse(url)


@pytest.mark.parametrize(
    "url,host,authority,path",
    [
        ("http://A.Example", "a.example", "a.example", "/"),
        ("HTTPS://a.example:443/x", "a.example", "a.example", "/x"),
        ("https://a.example:80/x", "a.example", "a.example:80", "/x"),
        ("http://a.example:/x", "a.example", "a.example", "/x"),
        ("http://a.example.:8080?q", "a.example", "a.example:8080", "/?q"),
        ("http://a_b.example/", "a_b.example", "a_b.example", "/"),
        ("http://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example", "/"),
        ("http://b%C3%BCcher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example", "/"),
        ("http://BÜCHER。example/", "xn--bcher-kva.example", "xn--bcher-kva.example", "/"),
        ("http://faß.example/", "xn--fa-hia.example", "xn--fa-hia.example", "/"),
        ("http://%61.example/", "a.example", "a.example", "/"),
        ("http://[2606:4700:0::1111]/", "2606:4700::1111", "[2606:4700::1111]", "/"),
        ("http://[2606::1]:8080/", "2606::1", "[2606::1]:8080", "/"),
        ("  http://a.example/ ", "a.example", "a.example", "/"),
        ("http://a.example/a b?c d#e f", "a.example", "a.example", "/a%20b?c%20d"),
        ("http://a.example/é%20%zz?ü=%41", "a.example", "a.example", "/%C3%A9%20%zz?%C3%BC=%41"),
        ("http://a.example/x\\..\\y", "a.example", "a.example", "/x%5C..%5Cy"),
        ("http://a.example/\ud800", "a.example", "a.example", "/%3F"),
        ("http://1.2.3.4.example/", "1.2.3.4.example", "1.2.3.4.example", "/"),
        ("http://127.0.0.1.nip.example/", "127.0.0.1.nip.example", "127.0.0.1.nip.example", "/"),
        ("http://a.example/http://127.0.0.1/", "a.example", "a.example", "/http://127.0.0.1/"),
        ("http://a.example/@127.0.0.1/", "a.example", "a.example", "/@127.0.0.1/"),
    ],
)
def test_an_address_is_read_in_its_parts(url: str, host: str, authority: str, path: str) -> None:
    target = parse(url)
    assert (target.host, target.authority, target.path) == (host, authority, path)


@given(st.ip_addresses(v=4), st.lists(st.sampled_from(["d", "o", "x"]), min_size=4, max_size=4))
def test_every_writing_of_ipv4_is_that_address(address: IPv4Address, forms: list[str]) -> None:
    written = {"d": "{}", "o": "0{:o}", "x": "0x{:x}"}
    parts = [written[form].format(byte) for form, byte in zip(forms, address.packed)]
    whole = written[forms[0]].format(int(address))
    short = ".".join([*parts[:1], written[forms[1]].format(int(address) & 0xFF_FFFF)])
    for host in (".".join(parts), whole, short):
        assert parse(f"http://{host}/").address == address


@given(st.text(max_size=60))
def test_what_is_read_is_read_the_same_again(text: str) -> None:
    for url in (text, f"http://{text}", f"http://a.example/{text}"):
        try:
            target = parse(url)
        except ToolError:
            continue
        assert parse(target.url) == target
        assert target.url.isascii() and target.url.isprintable() and " " not in target.url
        if target.address is not None:
            assert ip_address(target.host) == target.address


@pytest.mark.parametrize(
    "location,url",
    [
        ("/y", "http://a.example/y"),
        ("y?z", "http://a.example/d/y?z"),
        ("//b.example/y", "http://b.example/y"),
        ("https://b.example", "https://b.example/"),
        (" /a b ", "http://a.example/a%20b"),
        ("/caf\u00c3\u00a9", "http://a.example/caf%C3%A9"),  # UTF-8, as http.client has it
        ("/caf\u00e9", "http://a.example/caf%C3%A9"),
        ("", "http://a.example/d/x"),
        ("#there", "http://a.example/d/x"),
    ],
)
def test_a_redirect_leads_on_from_where_it_is(location: str, url: str) -> None:
    assert Target("http", "a.example", 80, "/d/x").follow(location).url == url


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://a/", "http://[::1", "http://u@a/"]
)
def test_a_redirect_to_what_is_none_says_so(location: str) -> None:
    with pytest.raises(ToolError):
        Target("http", "a.example", 80, "/d/x").follow(location)
